/**
 * Renders the frames a WebSocket server sends: unmasked, each a whole message, without extensions.
 *
 * @see RFC 6455 5.2 (framing), 5.5 (control frames), 7.4 (status codes)
 */

import { allocate } from "../memory.js";

const FIN = 0x80;
const opcodes = { text: 0x1, binary: 0x2, close: 0x8, ping: 0x9 } as const;

/** Payload bytes of a control frame at most (RFC 6455 5.5). */
const MAX_CONTROL_BYTES = 125;
/** What is left of that for a close reason, behind the status code. */
const MAX_REASON_BYTES = MAX_CONTROL_BYTES - 2;

/** What stands in front of a message in a transport's frames. Written into the message's own memory: nothing is copied. */
export interface FrameHeader {
  /** Bytes in front of so many bytes of payload: never fewer for more. */
  size(payloadLength: number): number;
  /** Writes it to the beginning of a frame. */
  write(frame: Uint8Array, payloadLength: number): void;
}

/** The headers of whole messages in one frame each. */
export const frameHeaders: Readonly<Record<"text" | "binary", FrameHeader>> = {
  text: { size: headerSize, write: (frame, length) => writeHeader(frame, opcodes.text, length) },
  binary: { size: headerSize, write: (frame, length) => writeHeader(frame, opcodes.binary, length) },
};

/** One message in one frame. A text payload must be UTF-8; that is for the caller to know. */
export function renderFrame(opcode: "text" | "binary", payload: Uint8Array): Uint8Array {
  return render(opcodes[opcode], payload);
}

/** A ping with 0 to 125 bytes, which the peer sends back. @throws RangeError for more */
export function renderPing(payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  if (payload.length > MAX_CONTROL_BYTES) throw new RangeError("payload: a ping carries at most 125 bytes");
  return render(opcodes.ping, payload);
}

/**
 * A close frame. The reason is printable ASCII of at most 123 bytes.
 * @throws RangeError for anything else, and for a code that must not stand on the wire (RFC 6455 7.4.1)
 */
export function renderClose(code: number, reason = ""): Uint8Array {
  if (!isSendableCloseCode(code)) throw new RangeError("code: not a close code that may be sent");
  if (reason.length > MAX_REASON_BYTES || !/^[\x20-\x7e]*$/.test(reason)) {
    throw new RangeError("reason: at most 123 characters of printable ASCII");
  }
  const payload = new Uint8Array(2 + reason.length);
  payload[0] = code >> 8;
  payload[1] = code;
  for (let at = 0; at < reason.length; at++) payload[2 + at] = reason.charCodeAt(at);
  return render(opcodes.close, payload);
}

/** 1004 is reserved; 1005, 1006 and 1015 report what happened locally; 1016 to 2999 are not assigned. */
export function isSendableCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006;
}

function render(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const header = headerSize(length);
  const frame = allocate(header + length);
  writeHeader(frame, opcode, length);
  frame.set(payload, header);
  return frame;
}

/** The length has 7, 16 or 64 bits, always the fewest that hold it. */
function headerSize(length: number): number {
  return length < 126 ? 2 : length <= 0xffff ? 4 : 10;
}

function writeHeader(frame: Uint8Array, opcode: number, length: number): void {
  const header = headerSize(length);
  frame[0] = FIN | opcode;
  if (header === 2) {
    frame[1] = length;
  } else {
    const view = new DataView(frame.buffer, frame.byteOffset);
    view.setUint8(1, header === 4 ? 126 : 127);
    if (header === 4) view.setUint16(2, length);
    else view.setBigUint64(2, BigInt(length));
  }
}
