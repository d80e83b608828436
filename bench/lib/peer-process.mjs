/**
 * The inside of a server process: what every peer has in common. It takes its configuration from the environment,
 * answers the load process over the IPC channel, and ends with it.
 *
 * Requests: `usage` (CPU and memory so far), `collect` (garbage collection, then memory), `publish` (a schedule),
 * `members` (how many are in the ward), `watch-loop` and `loop-delay` (the longest that the event loop was held in
 * between), and whatever a peer answers itself.
 */

import { monitorEventLoopDelay } from "node:perf_hooks";
import { pause } from "./clock.mjs";
import { runSchedule } from "./schedule.mjs";

/** The one group of the fan-out bench. */
export const wardName = "icu";

/**
 * @typedef {object} PeerConfig
 * @property {string} issuer
 * @property {string} audience
 * @property {object} publicJwk the ES256 key that signed the tokens
 * @property {boolean} [authenticate] whether Socket.IO asks for a token; hubs always do
 */

/**
 * @typedef {object} Peer
 * @property {number} port on 127.0.0.1
 * @property {(reading: object) => void} publish sends the event `vitals` to every member of the ward
 * @property {() => number} [members]
 * @property {Readonly<Record<string, (request: object) => unknown>>} [actions] further requests, by name
 */

/**
 * Starts a peer and serves the load process until the channel closes.
 *
 * @param {(config: PeerConfig) => Promise<Peer>} start
 */
export async function servePeer(start) {
  if (!process.send) throw new Error("start it from one of the programs in bench");
  process.on("disconnect", () => process.exit(0));
  const peer = await start(JSON.parse(process.env["BENCH_CONFIG"] ?? "{}"));
  process.on("message", (request) => {
    answer(peer, request).then(
      (result) => process.send?.({ id: request.id, result }),
      (error) => process.send?.({ id: request.id, error: String(error?.stack ?? error) }),
    );
  });
  process.send({ listening: peer.port });
}

async function answer(peer, request) {
  switch (request.action) {
    case "usage":
      return readUsage();
    case "collect":
      await collectGarbage();
      return readUsage();
    case "publish":
      return runSchedule(request.schedule, peer.publish);
    case "members":
      return peer.members?.() ?? null;
    case "watch-loop":
      return watchLoop();
    case "loop-delay":
      return readLoopDelay();
    default:
      if (peer.actions?.[request.action]) return peer.actions[request.action](request);
      throw new RangeError(`unknown action ${request.action}`);
  }
}

let loopDelay;

function watchLoop() {
  loopDelay ??= monitorEventLoopDelay({ resolution: 1 });
  loopDelay.enable();
  loopDelay.reset();
}

/** @returns {{ maxMs: number }} since `watch-loop` */
function readLoopDelay() {
  return { maxMs: loopDelay.max / 1e6 };
}

/** @returns CPU time (user + system, all threads) and the kernel's part of it in microseconds, memory in bytes */
function readUsage() {
  const cpu = process.cpuUsage();
  const memory = process.memoryUsage();
  return {
    cpuUs: cpu.user + cpu.system,
    systemUs: cpu.system,
    rssBytes: memory.rss,
    heapBytes: memory.heapUsed + memory.external,
  };
}

/** Several full collections with pauses: weak callbacks and the return of pages to the kernel take a turn or two. */
async function collectGarbage() {
  if (!globalThis.gc) throw new Error("start the server with --expose-gc");
  for (let pass = 0; pass < 4; pass++) {
    globalThis.gc({ type: "major", execution: "sync", flavor: "last-resort" });
    await pause(150);
  }
}

/**
 * Resolves once `server` listens on a free loopback port.
 *
 * @param {import("node:http").Server} server
 * @returns {Promise<number>}
 */
export function listenOnLoopback(server) {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server.address().port));
  });
}
