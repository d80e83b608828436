/**
 * Client of `peers/socketio-server.mjs`: Engine.IO 4 over WebSocket only, Socket.IO protocol 5, text packets.
 * Engine.IO: 0 open, 2 ping, 3 pong, 4 message. Socket.IO inside 4: 0 connect, 2 event, 3 acknowledgement.
 */

import { openRawWebSocket } from "../lib/raw-websocket-client.mjs";

const [ping, message, event] = [..."242"].map((digit) => digit.charCodeAt(0));

/** @type {import("./index.mjs").PeerClient} */
export const socketIoClient = {
  async connect({ port, token }) {
    const socket = await openRawWebSocket({ port, path: "/socket.io/?EIO=4&transport=websocket" });
    expectStart(await socket.nextText(), "0{", "Engine.IO open");
    socket.sendText(`40${token ? JSON.stringify({ token }) : ""}`);
    expectStart(await socket.nextText(), "40{", "Socket.IO connect");
    return socket;
  },
  async join(socket, ward) {
    socket.sendText(`420${JSON.stringify(["join", ward])}`);
    expectStart(await socket.nextText(), "430[", "join");
  },
  listen(socket, onDelivery) {
    socket.listen((buffer, start, end) => {
      if (buffer[start] === message && buffer[start + 1] === event) onDelivery(buffer, start, end);
      else if (buffer[start] === ping) socket.sendText("3");
    });
  },
  keepAlive: null, // the server pings
};

function expectStart(text, start, step) {
  if (!text.startsWith(start)) throw new Error(`${step}: ${text.slice(0, 200)}`);
}
