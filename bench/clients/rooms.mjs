/** Client of `peers/hubward-rooms-server.mjs`: the token with the upgrade, then JSON frames, each an object. */

import { openRawWebSocket } from "../lib/raw-websocket-client.mjs";

const [message, closing, error] = ["m", "c", "e"].map((first) => first.charCodeAt(0));
const typeAt = '{"type":"'.length;

/** How the server's template names a ward. */
export const roomName = (ward) => `ward/${ward}`;

/** @type {import("./index.mjs").PeerClient} */
export const roomsClient = {
  async connect({ port, token }) {
    const socket = await openRawWebSocket({ port, path: "/rooms", headers: { authorization: `Bearer ${token}` } });
    expectType(await socket.nextText(), "ready");
    return socket;
  },
  async join(socket, ward) {
    socket.sendText(JSON.stringify({ type: "join", id: 1, room: roomName(ward) }));
    expectType(await socket.nextText(), "joined");
  },
  listen(socket, onDelivery) {
    socket.listen((buffer, start, end) => {
      const type = buffer[start + typeAt];
      if (type === message) onDelivery(buffer, start, end);
      else if (type === closing || type === error) throw new Error(buffer.toString("utf8", start, end));
    });
  },
  keepAlive: null, // the server pings
};

function expectType(text, type) {
  if (JSON.parse(text).type !== type) throw new Error(`${type}: ${text.slice(0, 200)}`);
}
