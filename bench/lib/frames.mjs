/**
 * WebSocket frames (RFC 6455 5.2) as a bare receiver needs them: find where each frame ends, look at nothing else.
 */

import { randomFillSync } from "node:crypto";

export const opcodes = /** @type {const} */ ({ text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa });

/**
 * Calls `onFrame` for every complete frame in `buffer` between `start` and `end`.
 *
 * @param {Buffer} buffer
 * @param {number} start
 * @param {number} end
 * @param {(opcode: number, buffer: Buffer, payloadStart: number, payloadEnd: number, isFinal: boolean) => void}
 *   onFrame opcode 0 goes on with the message before; `isFinal` ends it
 * @returns {number} where the first incomplete frame begins, `end` if there is none. Throws an Error on masked
 *   frames and reserved bits: no server here sends them, so they mean that the walker lost its place
 */
export function walkFrames(buffer, start, end, onFrame) {
  let at = start;
  while (end - at >= 2) {
    const first = buffer[at];
    const second = buffer[at + 1];
    if ((first & 0x70) !== 0 || second > 127) throw new Error("not an unmasked frame");
    let payloadStart = at + 2;
    let length = second;
    if (second === 126) {
      if (end - at < 4) break;
      length = buffer.readUInt16BE(at + 2);
      payloadStart = at + 4;
    } else if (second === 127) {
      if (end - at < 10) break;
      length = Number(buffer.readBigUInt64BE(at + 2));
      payloadStart = at + 10;
    }
    const payloadEnd = payloadStart + length;
    if (payloadEnd > end) break;
    onFrame(first & 0x0f, buffer, payloadStart, payloadEnd, first >= 0x80);
    at = payloadEnd;
  }
  return at;
}

/**
 * One masked client frame. The mask is random: `ws` skips the work for a mask of zeros.
 *
 * @param {number} opcode
 * @param {Uint8Array} payload at most 65,535 bytes
 */
export function encodeMaskedFrame(opcode, payload) {
  const { length } = payload;
  if (length > 0xffff) throw new RangeError("payload: at most 65,535 bytes");
  const maskAt = length < 126 ? 2 : 4;
  const frame = Buffer.allocUnsafe(maskAt + 4 + length);
  frame[0] = 0x80 | opcode;
  if (length < 126) {
    frame[1] = 0x80 | length;
  } else {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(length, 2);
  }
  randomFillSync(frame, maskAt, 4);
  for (let i = 0; i < length; i++) frame[maskAt + 4 + i] = payload[i] ^ frame[maskAt + (i & 3)];
  return frame;
}
