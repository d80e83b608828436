/** What attackers do. Each ends by itself and tells how its peers fared: how many, by what they were told at last. */

import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import { encodeMaskedFrame, opcodes } from "./frames.mjs";
import { HostilePeer } from "./hostile-peer.mjs";

const protocol = { "sec-websocket-protocol": "hubward.rooms.v1" };
const SEPARATOR = "\x1e";
const BATCH = 250;
/** How long a peer that should be told something waits for it. */
const PATIENCE_MS = 10_000;

let serial = process.pid * 100_000;
const stranger = () => {
  serial++;
  return { authorization: `Bearer good.stranger-${serial}.session-${serial}` };
};
/** As from so many hosts: all of 127/8 is loopback. */
const addressOf = (index) => `127.7.${Math.floor(index / 50) % 250}.${1 + (index % 50)}`;

function tally(peers) {
  const counts = {};
  for (const { outcome } of peers) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

async function open(port, count, options) {
  const peers = [];
  while (peers.length < count) {
    const batch = Array.from({ length: Math.min(BATCH, count - peers.length) }, (_, at) => {
      const index = peers.length + at;
      const peer = new HostilePeer(port, { localAddress: addressOf(index), ...options(index) });
      peer.keeps = false;
      return peer;
    });
    await Promise.race([Promise.all(batch.map((peer) => peer.answered())), wait(PATIENCE_MS)]);
    peers.push(...batch);
  }
  return peers;
}

/** Connections that are in: of rooms, or of the hub. */
async function enter(port, count, isHub = () => false) {
  const peers = await open(port, count, (index) =>
    isHub(index) ? { path: "/hub", headers: stranger() } : { headers: { ...stranger(), ...protocol } },
  );
  for (const [index, peer] of peers.entries()) if (isHub(index)) peer.say({ protocol: "json", version: 1 }, SEPARATOR);
  await Promise.race([Promise.all(peers.map((peer) => peer.until(({ heard }) => heard > 0))), wait(PATIENCE_MS)]);
  return peers;
}

/** All are gone, or time is over. */
async function end(peers, patienceMs = PATIENCE_MS) {
  await Promise.race([Promise.all(peers.map((peer) => peer.gone())), wait(patienceMs)]);
  const counts = tally(peers);
  for (const { socket } of peers) socket.destroy();
  return counts;
}

/** Writes until the kernel takes no more, and goes on when it does. */
async function flood(peer, bytes, untilMs) {
  while (performance.now() < untilMs && !peer.isGone) {
    peer.write(bytes);
    if (peer.socket.writableLength > 4 * 1024 * 1024)
      await Promise.race([new Promise((resolve) => peer.socket.once("drain", resolve)), peer.gone(), wait(100)]);
    else await turn();
  }
}

export const attacks = {
  /** Upgrades that never say who they are. */
  async silent({ port, count }) {
    const peers = await open(port, count, () => ({ headers: protocol }));
    return end(peers);
  },

  /** Headers a line at a time, without an end. */
  async headers({ port, count, ms }) {
    const peers = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const peer = new HostilePeer(port, { localAddress: addressOf(index), isSilent: true });
        peer.write("GET /rooms HTTP/1.1\r\nhost: x\r\n");
        return peer;
      }),
    );
    for (let left = ms; left > 0; left -= 500) {
      for (const peer of peers) peer.write(`x-${left}: ${left}\r\n`);
      await wait(500);
    }
    return end(peers, 0);
  },

  /** Pings from peers that read nothing: some have not said who they are, some are in. */
  async pings({ port, count, ms }) {
    const strangers = await open(port, Math.ceil(count / 2), () => ({ headers: protocol }));
    const known = await enter(port, Math.floor(count / 2), (index) => index % 2 === 0);
    const peers = [...strangers, ...known];
    for (const { socket } of peers) socket.pause();
    const pings = Buffer.concat(Array.from({ length: 2_000 }, () => encodeMaskedFrame(opcodes.ping, Buffer.alloc(0))));
    const untilMs = performance.now() + ms;
    await Promise.all(peers.map((peer) => flood(peer, pings, untilMs)));
    for (const { socket } of peers) socket.resume();
    return end(peers, 3_000);
  },

  /** One message in 60,000 pieces. */
  async fragments({ port, count }) {
    const peers = await enter(port, count, (index) => index % 2 === 0);
    const first = Buffer.from(encodeMaskedFrame(opcodes.text, Buffer.from("{")));
    first[0] = 0x01;
    const piece = Buffer.from(encodeMaskedFrame(0, Buffer.from(" ")));
    piece[0] = 0x00;
    const message = Buffer.concat([first, ...Array.from({ length: 60_000 }, () => piece)]);
    for (const peer of peers) peer.write(message);
    return end(peers);
  },

  /** A frame of 200 KiB. */
  async oversize({ port, count }) {
    const peers = await enter(port, count, (index) => index % 2 === 0);
    const head = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x03, 0x20, 0, 1, 2, 3, 4]);
    const frame = Buffer.concat([head, Buffer.alloc(0x3_20_00, 0x20)]);
    for (const peer of peers) peer.write(frame);
    return end(peers);
  },

  /** Each joins 10,000 rooms. */
  async joins({ port, count }) {
    const peers = await enter(port, count);
    for (let index = 0; index < 10_000; index++) {
      for (const peer of peers) peer.say({ type: "join", id: index, room: `room/r${index}` });
      if (index % 100 === 0) await turn();
    }
    return end(peers, 5_000);
  },

  /** Members that publish as fast as they can. */
  async publish({ port, count, ms }) {
    const peers = await enter(port, count);
    for (const peer of peers) peer.say({ type: "join", id: 0, room: "room/public" });
    await wait(200);
    const frame = encodeMaskedFrame(
      opcodes.text,
      Buffer.from(JSON.stringify({ type: "publish", room: "room/public", event: "note", payload: "x".repeat(200) })),
    );
    const untilMs = performance.now() + ms;
    await Promise.all(
      peers.map((peer) => flood(peer, Buffer.concat(Array.from({ length: 50 }, () => frame)), untilMs)),
    );
    return end(peers, 3_000);
  },

  /** Tokens that are none: as first frames from many addresses, at the door from one. */
  async guesses({ port, count }) {
    const peers = await open(port, count, (index) =>
      index % 2 === 0
        ? { headers: protocol }
        : { localAddress: "127.9.9.9", headers: { ...protocol, authorization: "Bearer bad" } },
    );
    for (const peer of peers) if (peer.status === 101) peer.say({ type: "auth", token: "bad" });
    return end(peers);
  },

  /** Members of a room, of both protocols, that stop reading. Says `ready` when they are there. */
  async stalled({ port, count, ms }, ready) {
    const peers = await enter(port, count, (index) => index % 2 === 0);
    for (const [index, peer] of peers.entries()) {
      if (index % 2 === 0) peer.say({ type: 1, invocationId: "1", target: "Join", arguments: ["stalled"] }, SEPARATOR);
      else peer.say({ type: "join", id: 0, room: "room/stalled" });
    }
    await Promise.race([Promise.all(peers.map((peer) => peer.until(({ heard }) => heard > 1))), wait(PATIENCE_MS)]);
    for (const { socket } of peers) socket.pause();
    ready();
    await wait(ms);
    for (const { socket } of peers) socket.resume();
    return end(peers, 3_000);
  },
};
