// @ts-check
/**
 * Three on one server: Hubward's hubs, Socket.IO, and a plain WebSocket server of `ws` with a path of its own. All
 * three ask the same authenticator and the same policies who may connect.
 */

import { createServer, STATUS_CODES } from "node:http";
import { json } from "node:stream/consumers";
import { HubwardError, refusalReply } from "@hubward/server";
import { attach, requirePolicy } from "@hubward/server/node";
import { Server as SocketIO } from "socket.io";
import { WebSocketServer } from "ws";
import { announce, app, closeServer, host, onEnd, port, signIn, staff } from "../ward.mjs";

const me = requirePolicy(app, staff, (_request, response, { principal }) => {
  response.end(JSON.stringify({ name: principal.subject, roles: principal.roles }));
});

const server = createServer((request, response) => {
  const path = request.url?.split("?")[0];
  console.log(`request ${request.method} ${path}`);
  if (path === "/socket.io/") io.engine.handleRequest(request, response);
  else if (request.method === "POST" && path === "/sign-in") {
    void json(request)
      .then(signIn, () => undefined)
      .then((token) => {
        response.writeHead(token === undefined ? 401 : 200, { "content-type": "application/json" });
        response.end(
          JSON.stringify(token === undefined ? { error: "wrong name or password" } : { access_token: token }),
        );
      });
  } else if (path === "/me") void me(request, response);
  else response.writeHead(404).end();
});

// --- Hubward, at the paths of its hubs ---

// It takes its requests and upgrades before the server's own listeners: nobody below ever hears of them.
attach(server, app);

// --- Socket.IO, at /socket.io/ ---

// Attached, it would listen to every upgrade and cut off, after a second, those it does not know. On a server of its
// own that never listens, it gets only what is passed to it below.
const io = new SocketIO(createServer());
io.use((socket, next) => {
  const headers = { authorization: `Bearer ${socket.handshake.auth["token"]}` };
  app.http.authorize({ headers }, staff).then(
    ({ principal }) => {
      socket.data.name = principal.subject;
      next();
    },
    (error) => next(error instanceof HubwardError ? new Error(error.message) : new Error("internal_error")),
  );
});
io.on("connection", (socket) => {
  console.log("socket.io connection");
  socket.on("greet", (answer) => answer(`hello ${socket.data.name}, from Socket.IO`));
});

// --- A plain WebSocket server, at /feed ---

// With `server` and `path` instead of `noServer`, `ws` would answer every other upgrade with a 400.
const feed = new WebSocketServer({ noServer: true, maxPayload: 16 * 1024 });
feed.on("connection", (socket) => {
  console.log("feed connection");
  socket.on("error", () => socket.terminate());
  socket.on("message", (/** @type {Buffer} */ message) => socket.send(`the feed heard ${message.toString()}`));
});

/** Who gets an upgrade that is no hub's. */
server.on("upgrade", (request, socket, head) => {
  const path = request.url?.split("?")[0];
  console.log(`upgrade ${path}`);
  // A peer may be gone before it is answered; unheard, that would end the process.
  socket.on("error", () => socket.destroy());
  if (path === "/socket.io/") return io.engine.handleUpgrade(request, socket, head);
  if (path !== "/feed") return refuse(socket, { status: 404, headers: {}, body: "" });
  app.http.authorize(request, staff).then(
    () => feed.handleUpgrade(request, socket, head, (ws) => feed.emit("connection", ws, request)),
    (error) => refuse(socket, refusalReply(error instanceof HubwardError ? error : new HubwardError("internal_error"))),
  );
});

/**
 * @param {import("node:stream").Duplex} socket
 * @param {import("@hubward/server").HttpReply} reply
 */
function refuse(socket, { status, headers, body }) {
  const lines = Object.entries({ ...headers, "content-length": Buffer.byteLength(body), connection: "close" });
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines.map(([name, value]) => `${name}: ${value}`)];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

server.listen(port, host);
announce(server);
onEnd(async () => {
  await io.close();
  for (const socket of feed.clients) socket.close(1001);
  await closeServer(server);
});
