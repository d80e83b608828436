/**
 * How each peer's protocol calls a method, asks for a stream and publishes in a room, for `calls.mjs`. What comes back is told apart by its
 * first bytes and never parsed: the load process must not be what is measured.
 */

import { peers } from "../clients/index.mjs";
import { roomName } from "../clients/rooms.mjs";
import { aspnetPeer } from "./aspnet-process.mjs";
import { createAgent, negotiate } from "./negotiate.mjs";
import { openRawWebSocket } from "./raw-websocket-client.mjs";
import { unsignedToken } from "./tokens.mjs";
import { spawnServer } from "./spawn-server.mjs";

const separator = 0x1e;
/** Longer than what the fan-out measures are worth: one line of a ward's notes. */
const argument = "BP 120/80, resting, next round at four";

/**
 * @typedef {"answer" | "item" | "end" | "other"} Kind of what a server said
 *
 * @typedef {object} Caller
 * @property {string} title
 * @property {(config: import("./peer-process.mjs").PeerConfig, lifeLimitMs: number) =>
 *   Promise<import("./spawn-server.mjs").SpawnedServer>} start
 * @property {(port: number, token: string, agent: import("node:http").Agent) =>
 *   Promise<import("../clients/index.mjs").RawWebSocket>} connect
 * @property {(id: number) => string} [call] an echo of one short text
 * @property {(id: number, items: number) => string} [stream] that many numbers
 * @property {(socket: import("../clients/index.mjs").RawWebSocket, room: string) => Promise<void>} [join]
 * @property {(id: number, room: string) => string} [publish] one short text in a room, to be acknowledged
 * @property {(buffer: Buffer, start: number, end: number, found: (kind: Kind) => void) => void} read
 */

const invocation = (type, target, id, args) =>
  `${JSON.stringify({ type, invocationId: String(id), target, arguments: args })}\x1e`;

/** SignalR's records, several of which may share a frame: type 2 is an item, 3 an answer or a stream's end. */
function readSignalR(buffer, start, end, found) {
  for (let at = start; at < end;) {
    const next = buffer.indexOf(separator, at);
    if (next === -1 || next >= end) throw new Error("a record without its end");
    const type = buffer[at + '{"type":'.length];
    if (buffer.subarray(at, next).includes('"error":')) throw new Error(buffer.toString("utf8", at, next));
    found(type === 0x32 ? "item" : type === 0x33 ? "answer" : "other");
    at = next + 1;
  }
}

/** @type {Omit<Caller, "title" | "start" | "connect">} */
const signalr = {
  call: (id) => invocation(1, "Echo", id, [argument]),
  stream: (id, items) => invocation(4, "Count", id, [items]),
  read: readSignalR,
};

const startPeer = (name) => (config, lifeLimitMs) => spawnServer({ file: peers[name].server, config, lifeLimitMs });

/** @type {Readonly<Record<string, Caller>>} */
export const callers = {
  ws: {
    title: "ws, bare JSON echo",
    start: startPeer("ws"),
    connect: (port) => openRawWebSocket({ port, path: "/" }),
    join: peers.ws.client.join,
    call: (id) => JSON.stringify({ event: "echo", id, data: argument }),
    stream: (id, items) => JSON.stringify({ event: "count", id, data: items }),
    publish: (id, room) => JSON.stringify({ event: "publish", id, data: room, note: argument }),
    // {"r… is an answer, {"i… an item, {"e… what was published.
    read: (buffer, start, _end, found) =>
      found(buffer[start + 2] === 0x72 ? "answer" : buffer[start + 2] === 0x69 ? "item" : "other"),
  },
  socketio: {
    title: "Socket.IO, acknowledgements",
    start: startPeer("socketio"),
    connect: (port, token, agent) => peers.socketio.client.connect({ port, token, agent }),
    call: (id) => `42${id}${JSON.stringify(["echo", argument])}`,
    join: peers.socketio.client.join,
    stream: (id, items) => `42${id}${JSON.stringify(["count", items])}`,
    publish: (id, room) => `42${id}${JSON.stringify(["publish", room, argument])}`,
    // Engine.IO 4 (message), then Socket.IO 2 (event) or 3 (acknowledgement).
    read: (buffer, start, _end, found) =>
      found(buffer[start + 1] === 0x33 ? "answer" : buffer[start + 1] === 0x32 ? "item" : "other"),
  },
  hubward: {
    title: "Hubward",
    start: startPeer("hubward"),
    connect: (port, token, agent) => peers.hubward.client.connect({ port, token, agent }),
    join: peers.hubward.client.join,
    ...signalr,
    publish: (id, room) => invocation(1, "Publish", id, [room, argument]),
  },
  "hubward-rooms": {
    title: "Hubward, rooms",
    start: startPeer("hubward-rooms"),
    connect: (port, token, agent) => peers["hubward-rooms"].client.connect({ port, token, agent }),
    join: peers["hubward-rooms"].client.join,
    publish: (id, room) =>
      JSON.stringify({ type: "publish", id, room: roomName(room), event: "note", payload: argument }),
    read(buffer, start, end, found) {
      const type = buffer[start + '{"type":"'.length];
      if (type === 0x65 || type === 0x63) throw new Error(buffer.toString("utf8", start, end)); // error, closing
      found(type === 0x61 ? "answer" : "other"); // ack
    },
  },
  aspnet: {
    title: "ASP.NET Core SignalR",
    start: (_config, lifeLimitMs) => aspnetPeer(lifeLimitMs),
    async connect(port, _token, agent) {
      const token = unsignedToken("ann");
      const { connectionToken } = await negotiate({ port, token, agent, path: "/hubs/main" });
      const socket = await openRawWebSocket({
        port,
        path: `/hubs/main?id=${connectionToken}`,
        headers: { authorization: `Bearer ${token}` },
      });
      socket.sendText('{"protocol":"json","version":1}\x1e');
      const reply = await socket.nextText();
      if (!reply.startsWith("{}\x1e")) throw new Error(`handshake: ${reply.slice(0, 200)}`);
      return socket;
    },
    ...signalr,
  },
};

/** Agents are per run: a peer's server dies with it. */
export { createAgent };
