/** The plain `ws` server: no authentication, a room is a Set, a publication is rendered once and sent in a loop. */

import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { listenOnLoopback, servePeer, wardName } from "../lib/peer-process.mjs";

await servePeer(async () => {
  const server = createServer((_request, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  /** @type {Map<string, Set<import("ws").WebSocket>>} */
  const rooms = new Map([[wardName, new Set()]]);

  sockets.on("connection", (socket) => {
    socket.on("error", () => socket.terminate());
    socket.on("message", (data) => {
      const { event, id, data: room, note } = JSON.parse(String(data));
      if (event === "echo") return socket.send(JSON.stringify({ result: room, id }));
      if (event === "count") {
        for (let item = 1; item <= room; item++) socket.send(JSON.stringify({ item, id }));
        return socket.send(JSON.stringify({ result: null, id }));
      }
      if (event === "publish") {
        const text = JSON.stringify({ event: "note", data: note });
        for (const member of rooms.get(room) ?? []) if (member.readyState === member.OPEN) member.send(text);
        return socket.send(JSON.stringify({ result: null, id }));
      }
      if (event !== "join") return;
      if (!rooms.has(room)) rooms.set(room, new Set());
      rooms.get(room).add(socket);
      socket.send('{"event":"joined"}');
    });
    socket.on("close", () => {
      for (const members of rooms.values()) members.delete(socket);
    });
  });

  return {
    port: await listenOnLoopback(server),
    members: () => rooms.get(wardName).size,
    actions: {
      "close-all": ({ code, reason }) => {
        for (const socket of sockets.clients) socket.close(code, reason);
      },
    },
    publish(reading) {
      const text = JSON.stringify({ event: "vitals", data: reading });
      for (const socket of rooms.get(wardName)) if (socket.readyState === socket.OPEN) socket.send(text);
    },
  };
});
