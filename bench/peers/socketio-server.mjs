/**
 * Socket.IO: WebSocket transport only, default parser and adapter. A connection that brings a token in its handshake
 * has it verified by a middleware; the fan-out bench connects without, so that only fan-out is compared.
 */

import { createServer } from "node:http";
import { Server } from "socket.io";
import { listenOnLoopback, servePeer, wardName } from "../lib/peer-process.mjs";
import { createTokenVerifier } from "../lib/verify-token.mjs";

await servePeer(async (config) => {
  const verify = createTokenVerifier(config);
  const server = createServer();
  const io = new Server(server, { transports: ["websocket"], serveClient: false, perMessageDeflate: false });

  if (config.authenticate)
    io.use((socket, next) => {
      verify(String(socket.handshake.auth["token"])).then(
        (principal) => {
          socket.data.principal = principal;
          next(principal.roles.includes("doctor") ? undefined : new Error("forbidden"));
        },
        () => next(new Error("invalid_token")),
      );
    });

  io.on("connection", (socket) => {
    socket.on("echo", (value, answer) => answer(value));
    socket.on("count", (count, answer) => {
      for (let item = 1; item <= count; item++) socket.emit("item", item);
      answer(null);
    });
    socket.on("publish", (room, note, answer) => {
      io.to(room).emit("note", note);
      answer(null);
    });
    socket.on("join", (room, confirm) => {
      socket.join(room);
      confirm("joined");
    });
  });

  return {
    port: await listenOnLoopback(server),
    members: () => io.sockets.adapter.rooms.get(wardName)?.size ?? 0,
    publish(reading) {
      io.to(wardName).emit("vitals", reading);
    },
  };
});
