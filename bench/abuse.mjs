/**
 * A server under attack, while two canaries, one of each protocol, measure their round trip: silent upgrades, dripping
 * headers, floods of pings, fragments, large frames, joins, publications, wrong tokens and readers that stall. The
 * server, the attackers and the canaries are processes of their own; everything stays on loopback and ends by itself.
 */

import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { limitProgram, readFlags } from "./lib/flags.mjs";
import { HostilePeer } from "./lib/hostile-peer.mjs";
import { describeMachine } from "./lib/machine.mjs";
import { spawnServer } from "./lib/spawn-server.mjs";

const help = `node bench/abuse.mjs [options]
  --quick          a fiftieth of everything: a smoke run, its figures mean nothing
  --attack=a,b     of silent, headers, pings, fragments, oversize, joins, publish, guesses, stalled (default all)
  --time-limit=n   seconds after which everything is given up, default 300`;

const small = process.argv.includes("--quick");
const scaled = (count) => (small ? Math.max(4, Math.ceil(count / 50)) : count);
const plans = {
  silent: { count: scaled(10_000) },
  headers: { count: scaled(2_000), ms: small ? 1_000 : 6_000 },
  pings: { count: scaled(100), ms: small ? 1_000 : 5_000 },
  fragments: { count: scaled(100) },
  oversize: { count: scaled(500) },
  joins: { count: scaled(20) },
  publish: { count: scaled(100), ms: small ? 1_000 : 5_000 },
  guesses: { count: scaled(4_000) },
  stalled: { count: scaled(1_000), ms: small ? 3_000 : 10_000 },
};
const names = Object.keys(plans);
const flags = readFlags({ help, names: ["attack"] });
const chosen = flags.choice("attack", names, names);
limitProgram(flags.amount("time-limit", 300));

const ATTACKERS = 2;
const CANARY_EVERY_MS = 120;
const MOST_P99_MS = 250;
/** Of one socket that is let in: a frame that is not complete yet, and what is made of it. */
const SOCKET_CAP_BYTES = 128 * 1024;
/** Of the kernel's buffers for one socket: what it itself allows, here for both ends. Bytes, NaN elsewhere. */
const KERNEL_CAP_BYTES = 2 * (mostOf("tcp_rmem") + mostOf("tcp_wmem"));
/** Buffers of others on this machine come and go. */
const KERNEL_SLACK_BYTES = 8 * 1024 * 1024;
/** Of one that does not read: `outbox.maxBytes`. */
const STALLED_CAP_BYTES = 1024 * 1024;
/** The heap is collected when it has grown: not by this does one tell a leak. */
const SLACK_BYTES = 64 * 1024 * 1024;
const SEPARATOR = "\x1e";

const lifeLimitMs = 300_000;
const spawn = (name, config = {}, execArgv = []) =>
  spawnServer({ file: new URL(`./peers/${name}.mjs`, import.meta.url), config, execArgv, lifeLimitMs });
const server = await spawn("hostile-server", small ? { rooms: { maxUnauthenticated: 50, authTimeoutMs: 1_500 } } : {}, [
  "--expose-gc",
]);
const attackers = await Promise.all(Array.from({ length: ATTACKERS }, () => spawn("attacker")));
const { port } = server;

const bearer = (who) => ({ authorization: `Bearer good.${who}.session-${who}` });
const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;

/** Measures round trips until it is stopped. */
async function startCanary(kind) {
  const options =
    kind === "rooms"
      ? { headers: { ...bearer("canary-rooms"), "sec-websocket-protocol": "hubward.rooms.v1" } }
      : { path: "/hub", headers: bearer("canary-hub") };
  const peer = new HostilePeer(port, options);
  await peer.answered();
  if (kind === "hub") peer.say({ protocol: "json", version: 1 }, SEPARATOR);
  await peer.until(({ heard }) => heard > 0);
  if (kind === "rooms") {
    peer.say({ type: "join", id: 0, room: "room/canaries" });
    await peer.until(({ heard }) => heard > 1);
  }
  peer.keeps = false;
  /** When each was asked, by its number. @type {Map<number, number>} */
  const open = new Map();
  let tookMs = [];
  let serial = 0;
  peer.onText = (text) => {
    const number = Number(/"canary-(\d+)"/.exec(text)?.[1]);
    const askedAt = open.get(number);
    if (askedAt === undefined || text.includes('"error"')) return;
    open.delete(number);
    tookMs.push(performance.now() - askedAt);
  };
  // By the clock, whether the one before was answered or not: what was held up counts as often as it was.
  const timer = setInterval(() => {
    const id = `canary-${++serial}`;
    open.set(serial, performance.now());
    // Both pass the gate, with everything it asks.
    if (kind === "rooms") peer.say({ type: "publish", id, room: "room/canaries", event: "note", payload: "" });
    else peer.say({ type: 1, invocationId: id, target: "Echo", arguments: [""] }, SEPARATOR);
  }, CANARY_EVERY_MS);
  return {
    kind,
    get isWell() {
      return !peer.isGone;
    },
    get outcome() {
      return peer.outcome;
    },
    take() {
      const sorted = tookMs.sort((a, b) => a - b);
      tookMs = [];
      return sorted;
    },
    /** Asked, and not answered yet. */
    get waiting() {
      return open.size;
    },
    stop() {
      clearInterval(timer);
      peer.socket.destroy();
    },
  };
}

/** Pages of the kernel's TCP buffers, both ends and whoever else is on this machine. Bytes, NaN elsewhere. */
function kernelBytes() {
  try {
    return 4_096 * Number(/^TCP:.* mem (\d+)/m.exec(readFileSync("/proc/net/sockstat", "latin1"))?.[1]);
  } catch {
    return Number.NaN;
  }
}

function mostOf(setting) {
  try {
    return Number(readFileSync(`/proc/sys/net/ipv4/${setting}`, "latin1").trim().split(/\s+/)[2]);
  } catch {
    return Number.NaN;
  }
}

/** Whether somebody new gets in, and how long it takes. Milliseconds. */
async function newcomer() {
  const startedAt = performance.now();
  const headers = { ...bearer(`newcomer-${startedAt}`), "sec-websocket-protocol": "hubward.rooms.v1" };
  const peer = new HostilePeer(port, { headers });
  await Promise.race([peer.until(({ heard }) => heard > 0), wait(10_000)]);
  const isIn = peer.texts[0]?.includes('"ready"') === true;
  peer.close();
  return isIn ? performance.now() - startedAt : undefined;
}

const canaries = [await startCanary("rooms"), await startCanary("hub")];
await wait(small ? 300 : 2_000);
const calm = canaries.flatMap((canary) => canary.take()).sort((a, b) => a - b);
const base = { rssBytes: (await server.ask("vitals")).rssBytes, kernelBytes: kernelBytes() };
const all = [];
const measured = {};
const troubles = [];

for (const name of chosen) {
  const plan = plans[name];
  // What the engine has not given back since the attack before is not this one's.
  await server.ask("holdings");
  const before = await server.ask("vitals");
  const most = { rssBytes: 0, kernelBytes: 0, sockets: 0, heldMs: 0 };
  let isOver = false;
  const watch = (async () => {
    while (!isOver) {
      const [{ rssBytes, heldMs }, { sockets }] = await Promise.all([server.ask("vitals"), server.ask("open")]);
      most.rssBytes = Math.max(most.rssBytes, rssBytes);
      most.heldMs = Math.max(most.heldMs, heldMs);
      most.sockets = Math.max(most.sockets, sockets);
      most.kernelBytes = Math.max(most.kernelBytes, kernelBytes());
      await wait(200);
    }
  })();
  const share = Math.ceil(plan.count / ATTACKERS);
  const attack = Promise.all(attackers.map((attacker) => attacker.ask(name, { ...plan, port, count: share })));
  if (name === "stalled") {
    // They are all there by then, or those that are not have no part in it.
    await wait(small ? 1_000 : 4_000);
    await server.ask("tell", { name: "stalled", count: small ? 200 : 400, bytes: 8_000 });
  }
  const newcomerMs = await newcomer();
  const told = (await attack).reduce((sum, counts) => {
    for (const [outcome, count] of Object.entries(counts)) sum[outcome] = (sum[outcome] ?? 0) + count;
    return sum;
  }, {});
  isOver = true;
  await watch;
  const { reasons, failures, cpuMs } = await server.ask("vitals");
  const trips = canaries.flatMap((canary) => canary.take()).sort((a, b) => a - b);
  all.push(...trips);
  const allowedBytes =
    before.rssBytes +
    most.sockets * SOCKET_CAP_BYTES +
    (name === "stalled" ? plan.count * STALLED_CAP_BYTES : 0) +
    SLACK_BYTES;
  const allowedKernelBytes = base.kernelBytes + most.sockets * KERNEL_CAP_BYTES;
  const news = Object.entries(reasons).map(([reason, count]) => [reason, count - (before.reasons[reason] ?? 0)]);
  measured[name] = {
    peers: plan.count,
    told,
    refusedBy: Object.fromEntries(news.filter(([, count]) => count > 0)),
    trips: trips.length,
    p50Ms: percentile(trips, 0.5),
    p99Ms: percentile(trips, 0.99),
    maxMs: trips.at(-1),
    newcomerMs: newcomerMs ?? null,
    cpuMs: cpuMs - before.cpuMs,
    mostSockets: most.sockets,
    loopHeldMs: most.heldMs,
    rssBytesBefore: before.rssBytes,
    rssBytes: most.rssBytes,
    allowedBytes,
    kernelBytes: most.kernelBytes,
    allowedKernelBytes,
  };
  if (most.rssBytes > allowedBytes) troubles.push(`${name}: memory ${most.rssBytes} of ${allowedBytes} allowed`);
  if (!small && most.kernelBytes > allowedKernelBytes)
    troubles.push(`${name}: ${most.kernelBytes} bytes in the kernel, ${allowedKernelBytes} allowed`);
  // Those that do not finish their headers are Node's own to refuse.
  const reset = told["cut off"] ?? 0;
  const withReason = news.reduce((sum, [reason, count]) => (reason.startsWith("connection.") ? sum + count : sum), 0);
  if (reset > withReason) troubles.push(`${name}: ${reset} were cut off, ${withReason} for a reason`);
  if (newcomerMs === undefined) troubles.push(`${name}: nobody new got in`);
  for (const canary of canaries)
    if (!canary.isWell) troubles.push(`${name}: the canary of ${canary.kind} ended: ${canary.outcome}`);
  troubles.push(...failures.slice(0, 3).map((failure) => `${name}: ${failure}`));
  console.error(`${name}: p99 ${Math.round(measured[name].p99Ms)} ms, RSS ${Math.round(most.rssBytes / 1e6)} MB`, told);
  // What is left of it goes before the next one comes.
  for (let tries = 0; tries < 100 && (await server.ask("open")).sockets > canaries.length; tries++) await wait(100);
  const kept = kernelBytes() - base.kernelBytes;
  if (!small && kept > KERNEL_SLACK_BYTES) troubles.push(`${name}: the kernel still holds ${kept} bytes`);
}
for (const canary of canaries) {
  if (canary.waiting > 2)
    troubles.push(`${canary.waiting} questions of the canary of ${canary.kind} were never answered`);
  canary.stop();
}
await wait(200);
const left = await server.ask("open");
if (left.connections > 0) troubles.push(`${left.connections} connections are left`);
await Promise.all([...attackers, server].map((child) => child.stop()));

all.sort((a, b) => a - b);
const p99Ms = percentile(all, 0.99);
const result = {
  machine: describeMachine(),
  calm: { p50Ms: percentile(calm, 0.5), p99Ms: percentile(calm, 0.99) },
  base,
  attacks: measured,
  trips: all.length,
  p50Ms: percentile(all, 0.5),
  p99Ms,
  target: { mostP99Ms: MOST_P99_MS, isMet: p99Ms < MOST_P99_MS },
  troubles,
};
console.log(JSON.stringify(result, null, 2));
process.exit(troubles.length > 0 ? 1 : 0);
