/**
 * Turns a stream of bytes, split or merged in any way, into the bodies of messages, and back.
 *
 * @see HubProtocol.md, JSON Encoding (record separator) and Binary encoding (length prefix)
 */

import { BoundedReader } from "./bounded-reader.js";
import { MAX_PREFIX_BYTES, prefixLength, writePrefix } from "./varint.js";

/** Ends every text message and both messages of the handshake. */
export const RECORD_SEPARATOR = 0x1e;

export interface MessageReader {
  /**
   * Takes the next bytes and returns the bodies they complete, in order, none of them empty. A body that arrived
   * whole is a view of the chunk. After an error the reader is spent: every further call throws it again.
   * @throws HubwardError message_too_big as soon as a message is known to be too long | bad_request for an empty
   *   message or a length prefix that is not in its shortest form
   */
  read(chunk: Uint8Array): readonly Uint8Array[];
  /** Bytes held of a message whose rest has not come yet; never more than `maxBytes`. */
  readonly bufferedBytes: number;
}

export interface MessageReaderOptions {
  /** Bytes of one message without its framing; a whole number of at least 1. */
  readonly maxBytes: number;
}

/** For text: a record separator behind every message. */
export function createTextReader(options: MessageReaderOptions): MessageReader {
  return new TextReader(resolveMaxBytes(options));
}

/** For binary: a varint of the length in front of every message. */
export function createBinaryReader(options: MessageReaderOptions): MessageReader {
  return new BinaryReader(resolveMaxBytes(options));
}

/** Frames one text body, which must hold no record separator (JSON escapes it). */
export function frameText(body: Uint8Array): Uint8Array {
  const framed = new Uint8Array(body.length + 1);
  framed.set(body);
  framed[body.length] = RECORD_SEPARATOR;
  return framed;
}

/** Frames one binary body. */
export function frameBinary(body: Uint8Array): Uint8Array {
  const prefix = prefixLength(body.length);
  const framed = new Uint8Array(prefix + body.length);
  writePrefix(framed, 0, body.length);
  framed.set(body, prefix);
  return framed;
}

function resolveMaxBytes({ maxBytes }: MessageReaderOptions): number {
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) throw new RangeError("maxBytes: a whole number of at least 1");
  return maxBytes;
}

class TextReader extends BoundedReader {
  protected override split(chunk: Uint8Array): Uint8Array[] {
    const { maxBytes, partial } = this;
    const bodies: Uint8Array[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(RECORD_SEPARATOR, start);
      const length = partial.length + (end === -1 ? chunk.length : end) - start;
      if (length > maxBytes) throw this.failTooBig();
      if (end === -1) break;
      if (length === 0) throw this.failEmpty();
      bodies.push(this.complete(chunk.subarray(start, end), maxBytes));
      start = end + 1;
    }
    if (start < chunk.length) partial.append(chunk.subarray(start), maxBytes);
    return bodies;
  }
}

class BinaryReader extends BoundedReader {
  /** Length of the message being read, or undefined while its prefix is. */
  #expected: number | undefined;
  #prefixValue = 0;
  #prefixBytes = 0;

  protected override split(chunk: Uint8Array): Uint8Array[] {
    const bodies: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#expected === undefined) {
        this.#readPrefixByte(chunk[at++] as number);
        continue;
      }
      const end = at + this.#expected - this.partial.length;
      if (end > chunk.length) {
        this.partial.append(chunk.subarray(at), this.#expected);
        break;
      }
      bodies.push(this.complete(chunk.subarray(at, end), this.#expected));
      this.#expected = undefined;
      at = end;
    }
    return bodies;
  }

  #readPrefixByte(byte: number): void {
    // A product, because a shift would let the fifth byte reach the sign of a 32-bit integer.
    this.#prefixValue += (byte & 0x7f) * 0x80 ** this.#prefixBytes;
    this.#prefixBytes++;
    if (this.#prefixValue > this.maxBytes) throw this.failTooBig();
    if (byte >= 0x80) {
      if (this.#prefixBytes === MAX_PREFIX_BYTES) throw this.fail("bad_request", "a length has at most five bytes");
      return;
    }
    if (byte === 0 && this.#prefixBytes > 1) throw this.fail("bad_request", "a length must have its shortest form");
    if (this.#prefixValue === 0) throw this.failEmpty();
    this.#expected = this.#prefixValue;
    this.#prefixValue = 0;
    this.#prefixBytes = 0;
  }
}
