/**
 * Client of a hub: negotiate, WebSocket, SignalR's JSON handshake. Serves `peers/hubward-server.mjs` and the
 * hand-written `peers/ws-jose-server.mjs`, which takes the same steps.
 */

import { negotiate } from "../lib/negotiate.mjs";
import { openRawWebSocket } from "../lib/raw-websocket-client.mjs";

const separator = 0x1e;
/** A rendered reading is longer than this, every record of the protocol's own is shorter. Bytes. */
const longestControlRecord = 100;

/** @type {import("./index.mjs").PeerClient} */
export const signalrClient = {
  async connect({ port, token, agent, path = "/hub" }) {
    const { connectionToken, accessToken } = await negotiate({ port, token, agent, path });
    const query = new URLSearchParams({ id: connectionToken, ...(accessToken ? { access_token: accessToken } : {}) });
    const headers = accessToken ? {} : { authorization: `Bearer ${token}` };
    const socket = await openRawWebSocket({ port, path: `${path}?${query}`, headers });
    socket.sendText('{"protocol":"json","version":1}\x1e');
    const reply = await socket.nextText();
    if (!reply.startsWith("{}\x1e")) throw new Error(`handshake: ${reply.slice(0, 200)}`);
    return socket;
  },
  async join(socket, ward) {
    socket.sendText(`${JSON.stringify({ type: 1, invocationId: "1", target: "Join", arguments: [ward] })}\x1e`);
    for (;;) {
      for (const record of (await socket.nextText()).split("\x1e").filter(Boolean)) {
        const { type, error } = JSON.parse(record);
        if (error !== undefined) throw new Error(`join: ${error}`);
        if (type === 3) return;
      }
    }
  },
  listen(socket, onDelivery) {
    socket.listen((buffer, start, end) => {
      // A frame may hold several records.
      for (let at = start; at < end;) {
        const next = buffer.indexOf(separator, at);
        if (next === -1 || next >= end) throw new Error("a record without its end");
        if (next - at > longestControlRecord) onDelivery(buffer, at, next);
        else readControlRecord(buffer.toString("utf8", at, next));
        at = next + 1;
      }
    });
  },
  keepAlive: (socket) => socket.sendText('{"type":6}\x1e'),
};

function readControlRecord(text) {
  const { type, error } = JSON.parse(text);
  if (type === 7) throw new Error(`hub Close ${error ?? ""}`.trim());
}
