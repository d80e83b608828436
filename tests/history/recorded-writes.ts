/** What is handed to real sockets, written down where it is: at `net.Socket.write` itself. */

import type { Socket } from "node:net";
import type { FrameKind, History, Stamp } from "./history.js";
import { kindOf, readRecords, stampOf, type ServerMessage } from "./server-frames.js";

interface Written {
  readonly message: ServerMessage;
  readonly kind: FrameKind;
  readonly stamp: Stamp | undefined;
}

/** What was written to one is as a rule what is written to thousands. */
let last: { readonly text: string; readonly written: readonly Written[] } = { text: "", written: [] };

function read(text: string): readonly Written[] {
  if (text !== last.text) {
    const messages = Array.from(readRecords(text));
    last = { text, written: messages.map((message) => ({ message, kind: kindOf(message), stamp: stampOf(message) })) };
  }
  return last.written;
}

/** Reads along what the server writes once the upgrade has been answered. `byPort`: connections by their client's port; `heard`: each message, once it is written down. */
export function recordWrites(
  socket: Socket,
  history: History,
  byPort: ReadonlyMap<number, string>,
  heard: (connection: string, message: ServerMessage) => void = () => undefined,
): void {
  let unread: Buffer = Buffer.alloc(0);
  let isUpgraded = false;
  const { write } = socket;
  const port = socket.remotePort ?? 0;

  function readAlong(chunk: Uint8Array | string): void {
    const bytes =
      typeof chunk === "string"
        ? Buffer.from(chunk, "latin1")
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    unread = unread.length === 0 ? bytes : Buffer.concat([unread, bytes]);
    if (!isUpgraded) {
      const end = unread.indexOf("\r\n\r\n");
      if (end === -1 || !unread.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101"))) return;
      isUpgraded = true;
      unread = unread.subarray(end + 4);
    }
    for (let frame = takeFrame(); frame !== undefined; frame = takeFrame()) {
      const connection = byPort.get(port);
      if (frame.opcode !== 1 || connection === undefined) continue;
      for (const { message, kind, stamp } of read(frame.text)) {
        history.record({ type: "delivery", connection, frame: kind, stamp });
        heard(connection, message);
      }
    }
  }

  function takeFrame(): { readonly opcode: number; readonly text: string } | undefined {
    const short = (unread[1] ?? 0) & 0x7f;
    const headLength = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (unread.length < headLength) return undefined;
    const length = short === 126 ? unread.readUInt16BE(2) : short === 127 ? Number(unread.readBigUInt64BE(2)) : short;
    if (unread.length < headLength + length) return undefined;
    const opcode = (unread[0] ?? 0) & 0x0f;
    const text = unread.toString("utf8", headLength, headLength + length);
    unread = unread.subarray(headLength + length);
    return { opcode, text };
  }

  socket.write = ((chunk: Uint8Array | string, ...rest: never[]) => {
    readAlong(chunk);
    return write.call(socket, chunk, ...rest);
  }) as Socket["write"];
}
