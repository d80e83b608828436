/** What a connection is told that the server ends. */

import type { RawWebSocket } from "../support/raw-web-socket.js";

/** Waits until the connection is ended: the code and the reason it was given. */
export async function endingOf(socket: RawWebSocket): Promise<string> {
  const { code, reason } = await socket.closeFrame();
  socket.end();
  await socket.closed;
  return `${code} ${reason}`;
}

export const BAD_REQUEST = "4400 bad_request;action=fix-request";
export const TOO_DEEP = "4400 too_deep;action=fix-request";
export const TOO_BIG = "1009 message_too_big;action=fix-request";
