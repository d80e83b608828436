/**
 * Reads one MessagePack value within bounds. Written for hostile input: depth, the number of values and every
 * declared length are checked before anything is allocated for them.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */

import { HubwardError } from "../reasons.js";
import type { ReadLimits } from "./limits.js";
import { readTimestamp, TIMESTAMP_TYPE } from "./messagepack-timestamp.js";
import { decodeUtf8 } from "./utf8.js";

/**
 * Decodes a body that holds exactly one value.
 *
 * Maps become plain objects: their keys must be strings, different from each other and not `__proto__`. Binary
 * becomes a Uint8Array of its own. 64-bit integers become a number where that is exact and a bigint elsewhere.
 * The timestamp extension becomes a Date (whole milliseconds); there are no other extensions.
 * @throws HubwardError bad_request | too_deep | malformed_unicode | message_too_big
 */
export function readMessagePack(body: Uint8Array, limits: ReadLimits): unknown {
  if (body.length > limits.maxBytes) {
    throw new HubwardError("message_too_big", { detail: "the message is larger than is accepted here" });
  }
  const reader = new Reader(body, limits);
  const value = reader.readValue(0);
  if (!reader.isAtEnd) throw badRequest("bytes follow the end of the message");
  return value;
}

/** Up to this length V8 builds a flat string piece by piece, which is quicker than a call into the decoder. */
const SHORT_TEXT = 12;

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #maxDepth: number;
  readonly #maxNodes: number;
  #at = 0;
  /** Values announced so far: those read and those array and map headers still promise. */
  #nodes = 1;

  constructor(bytes: Uint8Array, { maxDepth, maxNodes }: ReadLimits) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#maxDepth = maxDepth;
    this.#maxNodes = maxNodes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** `depth` is the number of arrays and maps around the value. */
  readValue(depth: number): unknown {
    const tag = this.#view.getUint8(this.#take(1));
    if (tag < 0x80) return tag;
    if (tag < 0x90) return this.#readMap(tag & 0x0f, depth + 1);
    if (tag < 0xa0) return this.#readArray(tag & 0x0f, depth + 1);
    if (tag < 0xc0) return this.#readText(tag & 0x1f);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#readBinary(this.#readUint8());
      case 0xc5:
        return this.#readBinary(this.#readUint16());
      case 0xc6:
        return this.#readBinary(this.#readUint32());
      case 0xc7:
        return this.#readExtension(this.#readUint8());
      case 0xc8:
        return this.#readExtension(this.#readUint16());
      case 0xc9:
        return this.#readExtension(this.#readUint32());
      case 0xca:
        return this.#view.getFloat32(this.#take(4));
      case 0xcb:
        return this.#view.getFloat64(this.#take(8));
      case 0xcc:
        return this.#readUint8();
      case 0xcd:
        return this.#readUint16();
      case 0xce:
        return this.#readUint32();
      case 0xcf:
        return toSafeInteger(this.#view.getBigUint64(this.#take(8)));
      case 0xd0:
        return this.#view.getInt8(this.#take(1));
      case 0xd1:
        return this.#view.getInt16(this.#take(2));
      case 0xd2:
        return this.#view.getInt32(this.#take(4));
      case 0xd3:
        return toSafeInteger(this.#view.getBigInt64(this.#take(8)));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#readExtension(1 << (tag - 0xd4));
      case 0xd9:
        return this.#readText(this.#readUint8());
      case 0xda:
        return this.#readText(this.#readUint16());
      case 0xdb:
        return this.#readText(this.#readUint32());
      case 0xdc:
        return this.#readArray(this.#readUint16(), depth + 1);
      case 0xdd:
        return this.#readArray(this.#readUint32(), depth + 1);
      case 0xde:
        return this.#readMap(this.#readUint16(), depth + 1);
      case 0xdf:
        return this.#readMap(this.#readUint32(), depth + 1);
      default: // 0xc1, the one byte the format never uses
        throw badRequest("the message must be valid MessagePack");
    }
  }

  #readArray(length: number, depth: number): unknown[] {
    this.#announce(length, length, depth);
    const items: unknown[] = [];
    for (let index = 0; index < length; index++) items.push(this.readValue(depth));
    return items;
  }

  #readMap(length: number, depth: number): Record<string, unknown> {
    this.#announce(length, length * 2, depth);
    const map: Record<string, unknown> = {};
    for (let index = 0; index < length; index++) {
      const key = this.#readKey();
      // Also refused because assigning it would replace the prototype instead of adding a member.
      if (key === "__proto__") throw badRequest("no member may be named like the prototype");
      if (Object.hasOwn(map, key)) throw badRequest("the keys of a map must be different");
      map[key] = this.readValue(depth);
    }
    return map;
  }

  #readKey(): string {
    const tag = this.#readUint8();
    if (tag >= 0xa0 && tag < 0xc0) return this.#readText(tag & 0x1f);
    if (tag === 0xd9) return this.#readText(this.#readUint8());
    if (tag === 0xda) return this.#readText(this.#readUint16());
    if (tag === 0xdb) return this.#readText(this.#readUint32());
    throw badRequest("the keys of a map must be strings");
  }

  #readText(length: number): string {
    const start = this.#take(length);
    const bytes = this.#bytes;
    if (length > SHORT_TEXT) return decodeUtf8(bytes.subarray(start, start + length));
    let text = "";
    for (let at = start; at < start + length; at++) {
      const byte = bytes[at] as number;
      if (byte >= 0x80) return decodeUtf8(bytes.subarray(start, start + length));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #readBinary(length: number): Uint8Array {
    const start = this.#take(length);
    return new Uint8Array(this.#bytes.subarray(start, start + length)); // a copy, and never a Node Buffer
  }

  #readExtension(length: number): Date {
    const type = this.#view.getInt8(this.#take(1));
    const start = this.#take(length);
    if (type !== TIMESTAMP_TYPE) throw badRequest("the only extension is the timestamp");
    return readTimestamp(this.#view, start, length);
  }

  #readUint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  #readUint16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  #readUint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** Consumes bytes and returns where they start; a length the body does not have is refused here. */
  #take(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw badRequest("the message ends too early");
    this.#at = start + length;
    return start;
  }

  /** Judges an array or map by its header alone. */
  #announce(values: number, leastBytes: number, depth: number): void {
    if (depth > this.#maxDepth) {
      throw new HubwardError("too_deep", { detail: "the message is nested deeper than is accepted here" });
    }
    if (leastBytes > this.#bytes.length - this.#at) throw badRequest("the message ends too early");
    this.#nodes += values;
    if (this.#nodes > this.#maxNodes) {
      throw new HubwardError("message_too_big", { detail: "the message holds more values than are accepted here" });
    }
  }
}

function toSafeInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function badRequest(detail: string): HubwardError {
  return new HubwardError("bad_request", { detail });
}
