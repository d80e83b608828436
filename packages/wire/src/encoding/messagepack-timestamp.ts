/**
 * The timestamp extension of MessagePack, both directions.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md, Timestamp extension type
 */

import { HubwardError } from "../reasons.js";

/** The extension type number. */
export const TIMESTAMP_TYPE = -1;

const NANOSECONDS_PER_MILLISECOND = 1e6;
const TWO_TO_32 = 2 ** 32;
/** The 64-bit form has 34 bits for its seconds. */
const TWO_TO_34 = 2 ** 34;

/**
 * Reads the payload of a timestamp: 4 bytes (seconds), 8 (30 bits of nanoseconds, 34 of seconds) or 12
 * (nanoseconds, signed seconds). A Date has whole milliseconds, anything finer is cut off.
 * @throws HubwardError bad_request for another length, a second of nanoseconds or more, or a time no Date has
 */
export function readTimestamp(view: DataView, start: number, length: number): Date {
  let seconds: number;
  let nanoseconds = 0;
  if (length === 4) {
    seconds = view.getUint32(start);
  } else if (length === 8) {
    const high = view.getUint32(start);
    nanoseconds = high >>> 2;
    seconds = (high & 3) * TWO_TO_32 + view.getUint32(start + 4);
  } else if (length === 12) {
    nanoseconds = view.getUint32(start);
    seconds = Number(view.getBigInt64(start + 4));
  } else {
    throw invalidTimestamp();
  }
  if (nanoseconds >= 1e9) throw invalidTimestamp();
  const time = new Date(seconds * 1000 + Math.floor(nanoseconds / NANOSECONDS_PER_MILLISECOND));
  if (Number.isNaN(time.getTime())) throw invalidTimestamp();
  return time;
}

function invalidTimestamp(): HubwardError {
  return new HubwardError("bad_request", { detail: "a timestamp is invalid" });
}

/** The whole extension, header included, in the shortest form. @throws TypeError for an invalid Date */
export function renderTimestamp(time: Date): Uint8Array {
  const ms = time.getTime();
  if (Number.isNaN(ms)) throw new TypeError("an invalid Date has no MessagePack form");
  const seconds = Math.floor(ms / 1000);
  const nanoseconds = (ms - seconds * 1000) * NANOSECONDS_PER_MILLISECOND;
  if (seconds < 0 || seconds >= TWO_TO_34) {
    const view = new DataView(new ArrayBuffer(15));
    view.setUint16(0, 0xc70c);
    view.setInt8(2, TIMESTAMP_TYPE);
    view.setUint32(3, nanoseconds);
    view.setBigInt64(7, BigInt(seconds));
    return new Uint8Array(view.buffer);
  }
  if (nanoseconds > 0 || seconds >= TWO_TO_32) {
    const view = new DataView(new ArrayBuffer(10));
    view.setUint8(0, 0xd7);
    view.setInt8(1, TIMESTAMP_TYPE);
    view.setUint32(2, nanoseconds * 4 + Math.floor(seconds / TWO_TO_32));
    view.setUint32(6, seconds % TWO_TO_32);
    return new Uint8Array(view.buffer);
  }
  const view = new DataView(new ArrayBuffer(6));
  view.setUint8(0, 0xd6);
  view.setInt8(1, TIMESTAMP_TYPE);
  view.setUint32(2, seconds);
  return new Uint8Array(view.buffer);
}
