/** The peers of both benches: which server to start and which client speaks to it. */

import { plainWsClient } from "./plain-ws.mjs";
import { roomsClient } from "./rooms.mjs";
import { signalrClient } from "./signalr.mjs";
import { socketIoClient } from "./socketio.mjs";

/**
 * @typedef {Awaited<ReturnType<typeof import("../lib/raw-websocket-client.mjs").openRawWebSocket>>} RawWebSocket
 *
 * @typedef {object} PeerClient
 * @property {(options: { port: number, token: string, agent: import("node:http").Agent, path?: string }) =>
 *   Promise<RawWebSocket>} connect all steps until the connection is usable. `path`: of another hub
 * @property {(socket: RawWebSocket, ward: string) => Promise<void>} join resolves when the server confirmed it;
 *   only before `listen`
 * @property {(socket: RawWebSocket, onDelivery: (buffer: Buffer, start: number, end: number) => void) => void} listen
 *   calls back once per delivered event and answers whatever the protocol wants answered
 * @property {((socket: RawWebSocket) => void) | null} keepAlive to be called every 15 s; null: nothing to send
 *
 * @typedef {object} PeerEntry
 * @property {string} title
 * @property {URL} server
 * @property {PeerClient} client
 */

const serverFile = (name) => new URL(`../peers/${name}`, import.meta.url);

/** @type {Readonly<Record<string, PeerEntry>>} */
export const peers = {
  ws: { title: "ws loop", server: serverFile("ws-server.mjs"), client: plainWsClient },
  "ws-jose": { title: "ws + jose by hand", server: serverFile("ws-jose-server.mjs"), client: signalrClient },
  socketio: { title: "Socket.IO", server: serverFile("socketio-server.mjs"), client: socketIoClient },
  jose: { title: "jose alone", server: serverFile("jose-process.mjs"), client: plainWsClient },
  hubward: { title: "Hubward", server: serverFile("hubward-server.mjs"), client: signalrClient },
  "hubward-rooms": { title: "Hubward, rooms", server: serverFile("hubward-rooms-server.mjs"), client: roomsClient },
};
