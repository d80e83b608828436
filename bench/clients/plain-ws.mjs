/** Client of `peers/ws-server.mjs`: no authentication, one text message joins a ward. */

import { openRawWebSocket } from "../lib/raw-websocket-client.mjs";

/** @type {import("./index.mjs").PeerClient} */
export const plainWsClient = {
  connect: ({ port }) => openRawWebSocket({ port, path: "/" }),
  async join(socket, ward) {
    socket.sendText(JSON.stringify({ event: "join", data: ward }));
    const reply = await socket.nextText();
    if (reply !== '{"event":"joined"}') throw new Error(`join: ${reply}`);
  },
  listen(socket, onDelivery) {
    socket.listen(onDelivery);
  },
  keepAlive: null,
};
