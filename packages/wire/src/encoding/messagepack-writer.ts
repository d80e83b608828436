/**
 * Writes values as MessagePack, each in its shortest form.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */

import type { FramedBuffer } from "./framed-buffer.js";
import { renderTimestamp } from "./messagepack-timestamp.js";

/** Nesting of one value. Deeper is taken for circular. */
const MAX_DEPTH = 100;

/** Bytes of a text whose header is one byte. */
const MAX_FIX_TEXT = 31;

const encoder = new TextEncoder();

/**
 * Any value of an application, with the meaning JSON would give it: members that are undefined are left out,
 * elsewhere undefined is nil (so are functions and symbols), `toJSON` is honoured, symbol keys are ignored.
 * Unlike JSON: Uint8Array is binary, Date a timestamp, bigint a 64-bit integer, NaN and Infinity are floats.
 * @throws TypeError for a bigint beyond 64 bits, an invalid Date, a circular value or one nested too deeply
 */
export function writeValue(to: FramedBuffer, value: unknown, depth = 0): void {
  switch (typeof value) {
    case "string":
      return writeText(to, value);
    case "number":
      return writeNumber(to, value);
    case "boolean":
      return to.writeByte(value ? 0xc3 : 0xc2);
    case "bigint":
      return writeBigInt(to, value);
    case "object":
      return value === null ? to.writeByte(0xc0) : writeObject(to, value, depth + 1);
    default:
      return to.writeByte(0xc0);
  }
}

export function writeArrayHeader(to: FramedBuffer, length: number): void {
  writeHeader(to, length, 0x90, 0xdc);
}

/** A safe integer as an integer, everything else as a 64-bit float. */
export function writeNumber(to: FramedBuffer, value: number): void {
  if (!Number.isSafeInteger(value)) to.writeTaggedFloat64(0xcb, value);
  else if (value >= 0) {
    if (value < 0x80) to.writeByte(value);
    else if (value <= 0xff) to.writeTagged8(0xcc, value);
    else if (value <= 0xffff) to.writeTagged16(0xcd, value);
    else if (value <= 0xffffffff) to.writeTagged32(0xce, value);
    else to.writeTagged64(0xcf, BigInt(value));
  } else if (value >= -0x20) to.writeByte(value + 0x100);
  else if (value >= -0x80) to.writeTagged8(0xd0, value);
  else if (value >= -0x8000) to.writeTagged16(0xd1, value);
  else if (value >= -0x80000000) to.writeTagged32(0xd2, value);
  else to.writeTagged64(0xd3, BigInt(value));
}

/** A text as UTF-8; a lone surrogate becomes U+FFFD. */
export function writeText(to: FramedBuffer, value: string): void {
  if (value.length <= MAX_FIX_TEXT && to.writeTaggedAscii(0xa0 | value.length, value)) return;
  // Put where it belongs if it turns out to be ASCII, and moved to fit its header if not.
  const guess = textHeaderLength(value.length);
  const memory = to.reserve(guess + 2 + value.length * 3);
  const { written } = encoder.encodeInto(value, memory.subarray(guess));
  const header = textHeaderLength(written);
  if (header !== guess) memory.copyWithin(header, guess, guess + written);
  writeTextHeader(to, written);
  to.advance(written);
}

function textHeaderLength(length: number): number {
  if (length <= MAX_FIX_TEXT) return 1;
  if (length <= 0xff) return 2;
  return length <= 0xffff ? 3 : 5;
}

function writeTextHeader(to: FramedBuffer, length: number): void {
  if (length <= MAX_FIX_TEXT) to.writeByte(0xa0 | length);
  else if (length <= 0xff) to.writeTagged8(0xd9, length);
  else if (length <= 0xffff) to.writeTagged16(0xda, length);
  else to.writeTagged32(0xdb, length);
}

/** The header of an array or a map: in one byte, or behind a tag (16 bits), or behind the next tag (32 bits). */
function writeHeader(to: FramedBuffer, length: number, fix: number, tag: number): void {
  if (length <= 15) to.writeByte(fix | length);
  else if (length <= 0xffff) to.writeTagged16(tag, length);
  else to.writeTagged32(tag + 1, length);
}

function writeObject(to: FramedBuffer, value: object, depth: number): void {
  if (depth > MAX_DEPTH) throw new TypeError("the value is circular or nested too deeply");
  if (Array.isArray(value)) writeArray(to, value, depth);
  else if (value instanceof Uint8Array) writeBinary(to, value);
  else if (value instanceof Date) to.writeBytes(renderTimestamp(value));
  else if ("toJSON" in value && typeof value.toJSON === "function") writeValue(to, value.toJSON(""), depth);
  else writeMap(to, value as Readonly<Record<string, unknown>>, depth);
}

/** By index, because code of the application (toJSON, getters) could change the array under an iterator. */
export function writeArray(to: FramedBuffer, items: readonly unknown[], depth = 0): void {
  const { length } = items;
  writeArrayHeader(to, length);
  for (let index = 0; index < length; index++) writeValue(to, items[index], depth);
}

/** Reads each member once, before the header: a getter must not change what has been counted. */
function writeMap(to: FramedBuffer, map: Readonly<Record<string, unknown>>, depth: number): void {
  const keys = Object.keys(map);
  const values = keys.map((key) => map[key]);
  let count = 0;
  for (const value of values) if (isWritable(value)) count++;
  writeHeader(to, count, 0x80, 0xde);
  for (let index = 0; index < keys.length; index++) {
    const value = values[index];
    if (!isWritable(value)) continue;
    writeText(to, keys[index] as string);
    writeValue(to, value, depth);
  }
}

function isWritable(value: unknown): boolean {
  return value !== undefined && typeof value !== "function" && typeof value !== "symbol";
}

function writeBinary(to: FramedBuffer, bytes: Uint8Array): void {
  const { length } = bytes;
  if (length <= 0xff) to.writeTagged8(0xc4, length);
  else if (length <= 0xffff) to.writeTagged16(0xc5, length);
  else to.writeTagged32(0xc6, length);
  to.writeBytes(bytes);
}

function writeBigInt(to: FramedBuffer, value: bigint): void {
  if (value >= 0n && value <= 0xffff_ffff_ffff_ffffn) to.writeTagged64(0xcf, value);
  else if (value < 0n && value >= -0x8000_0000_0000_0000n) to.writeTagged64(0xd3, value);
  else throw new TypeError("a bigint must fit into 64 bits");
}
