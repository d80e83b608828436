/** A growing buffer for one message and what goes in front of it, which serves message after message. */

import { allocate } from "../memory.js";
import type { FrameHeader } from "../websocket/frame.js";

const INITIAL_BYTES = 2048;
/** A buffer that one large message has grown beyond this is left to the collector. */
const MAX_KEPT_BYTES = 64 * 1024;

/** The length that a protocol writes in front of each message, if it does. */
export interface LengthPrefix {
  /** Bytes it takes for a message of so many. */
  size(length: number): number;
  /** Writes it at an offset. */
  write(to: Uint8Array, offset: number, length: number): void;
}

let spare: FramedBuffer | undefined;

/**
 * Runs `write` with an empty buffer and returns what it wrote, behind a transport's header and a length prefix, where
 * they are given. `write` may run code of the application (toJSON, getters) that renders messages itself: the buffer in
 * use is out of reach meanwhile.
 */
export function renderFramed<Message>(
  message: Message,
  write: (buffer: FramedBuffer, message: Message) => void,
  header?: FrameHeader,
  prefix?: LengthPrefix,
): Uint8Array {
  const buffer = spare ?? new FramedBuffer();
  spare = undefined;
  buffer.clear();
  write(buffer, message);
  const framed = buffer.copyFramed(header, prefix);
  if (buffer.capacity <= MAX_KEPT_BYTES) spare = buffer;
  return framed;
}

/** Numbers are big-endian; a negative one is written as its two's complement. */
export class FramedBuffer {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor() {
    const memory = new ArrayBuffer(INITIAL_BYTES);
    this.#bytes = new Uint8Array(memory);
    this.#view = new DataView(memory);
  }

  get capacity(): number {
    return this.#bytes.length;
  }

  clear(): void {
    this.#at = 0;
  }

  /** A copy of everything written since the last clear, behind a transport's header and its own length. */
  copyFramed(header?: FrameHeader, prefix?: LengthPrefix): Uint8Array {
    const length = this.#at;
    const payloadLength = length + (prefix?.size(length) ?? 0);
    const headerSize = header?.size(payloadLength) ?? 0;
    const framed = allocate(headerSize + payloadLength);
    header?.write(framed, payloadLength);
    prefix?.write(framed, headerSize, length);
    framed.set(this.#bytes.subarray(0, length), headerSize + payloadLength - length);
    return framed;
  }

  /** Makes room and returns the memory from the next byte on. Nothing counts as written before `advance`. */
  reserve(length: number): Uint8Array {
    this.#grow(length);
    return this.#bytes.subarray(this.#at);
  }

  /** Counts bytes as written that were put into the memory reserved. */
  advance(length: number): void {
    this.#at += length;
  }

  writeByte(byte: number): void {
    this.#grow(1);
    this.#bytes[this.#at++] = byte;
  }

  writeBytes(bytes: Uint8Array): void {
    this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** A tag byte and an ASCII text; false, with nothing written, if the text holds anything else. */
  writeTaggedAscii(tag: number, text: string): boolean {
    const { length } = text;
    this.#grow(1 + length);
    const bytes = this.#bytes;
    const start = this.#at + 1;
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) return false;
      bytes[start + index] = unit;
    }
    bytes[this.#at] = tag;
    this.#at = start + length;
    return true;
  }

  /** A tag byte and 8 bits. */
  writeTagged8(tag: number, value: number): void {
    const at = this.#writeTag(tag, 1);
    this.#view.setUint8(at, value);
  }

  /** A tag byte and 16 bits. */
  writeTagged16(tag: number, value: number): void {
    const at = this.#writeTag(tag, 2);
    this.#view.setUint16(at, value);
  }

  /** A tag byte and 32 bits. */
  writeTagged32(tag: number, value: number): void {
    const at = this.#writeTag(tag, 4);
    this.#view.setUint32(at, value);
  }

  /** A tag byte and 64 bits. */
  writeTagged64(tag: number, value: bigint): void {
    const at = this.#writeTag(tag, 8);
    this.#view.setBigUint64(at, value);
  }

  /** A tag byte and a 64-bit float. */
  writeTaggedFloat64(tag: number, value: number): void {
    const at = this.#writeTag(tag, 8);
    this.#view.setFloat64(at, value);
  }

  /** May replace the memory: its result must be known before the view is looked up. */
  #writeTag(tag: number, following: number): number {
    this.#grow(1 + following);
    this.#bytes[this.#at] = tag;
    const at = this.#at + 1;
    this.#at = at + following;
    return at;
  }

  #grow(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
