/**
 * Does a server go back to what it was? After so many random connects, joins, publications, crashes, failed attempts and
 * tickets that nobody used, over both protocols, every map, set, timer, socket and descriptor is counted against the
 * same after a few, and the heap is measured. Ends by itself; exit code 1 where something is left.
 */

import { setTimeout as wait } from "node:timers/promises";
import { limitProgram, readFlags } from "./lib/flags.mjs";
import { HostilePeer, request } from "./lib/hostile-peer.mjs";
import { createRandom } from "./lib/random.mjs";
import { spawnServer } from "./lib/spawn-server.mjs";

const help = `node bench/clean-up.mjs [options]
  --operations=n   default 100000; --quick 3000
  --seed=n         default 1
  --time-limit=n   seconds after which everything is given up, default 300`;
const flags = readFlags({ help, names: ["operations", "seed"] });
const operations = flags.amount("operations", flags.isQuick ? 3_000 : 100_000);
limitProgram(flags.amount("time-limit", 300));

const CONCURRENCY = 100;
const WARM_UP = Math.min(4_000, operations);
const DAY = 25 * 3_600_000;
/** What a heap may be larger by: compiled code, feedback of the engine, fragments. */
const HEAP_SLACK_BYTES = 4 * 1024 * 1024;
const SEPARATOR = "\x1e";

const random = createRandom(flags.amount("seed", 1));
const server = await spawnServer({
  file: new URL("./peers/hostile-server.mjs", import.meta.url),
  execArgv: ["--expose-gc", "--import", new URL("./lib/tracked-collections.mjs", import.meta.url).href],
  lifeLimitMs: 300_000,
  config: {
    app: { limits: { connection: false, principal: false, authentication: false } },
    rooms: { maxUnauthenticated: 10_000, maxUnauthenticatedPerAddress: 10_000 },
  },
});
const { port } = server;
const done = {};
let count = 0;
const did = (what) => {
  count++;
  done[what] = (done[what] ?? 0) + 1;
};

const roomNames = ["one", "two", "three", "closed one", ...Array.from({ length: 60 }, (_, index) => `r${index}`)];
const person = () => `good.person-${random.below(3_000)}.session-${random.below(1e9)}`;
const bearer = (token = person()) => ({ authorization: `Bearer ${token}` });
const protocol = { "sec-websocket-protocol": "hubward.rooms.v1" };

/** Nobody waits for an answer that need not come. */
const soon = (event, ms = 20) => Promise.race([event, wait(ms)]);

/** Goes away in one of the ways there are. */
async function leave(peer) {
  const how = random.of(["close", "reset", "end", "destroy", "violation"]);
  did(how);
  if (how === "close") peer.close();
  else if (how === "reset") peer.reset();
  else if (how === "end") peer.socket.end();
  else if (how === "destroy") peer.socket.destroy();
  else peer.say("no request of any protocol", random.below(2) === 0 ? "" : SEPARATOR);
  if (how === "reset" || how === "destroy") return;
  await soon(peer.gone(), 50);
  peer.socket.destroy();
}

/** Asks for this and that. */
async function talk(peer) {
  for (let left = random.below(8); left > 0; left--) {
    const room = `room/${random.of(roomNames)}`;
    const type = random.of(["join", "join", "leave", "publish", "publish", "ping", "auth", "who", "nonsense"]);
    did(`rooms ${type}`);
    const command = random.below(4) === 0 ? `command-${random.below(1e6)}` : undefined;
    const event = command === undefined ? "note" : "once";
    peer.say({ type, id: count, room, event, payload: { at: count }, command, token: person() });
  }
  if (random.below(2) === 0) await soon(peer.until(({ heard }) => heard > 2));
}

async function rooms() {
  did("rooms by header");
  const peer = new HostilePeer(port, { headers: { ...bearer(), ...protocol } });
  if (random.below(20) === 0) return peer.reset();
  await peer.until(({ heard, status }) => heard > 0 || status > 101);
  await talk(peer);
  await leave(peer);
}

async function roomsByFrame() {
  did("rooms by first frame");
  const peer = new HostilePeer(port, { headers: protocol });
  if (random.below(20) === 0) return peer.reset();
  await peer.answered();
  const kind = random.of(["good", "good", "good", "bad", "early", "reset while judged", "silent"]);
  did(`first frame ${kind}`);
  if (kind === "early") peer.say({ type: "join", room: "room/one" });
  else if (kind !== "silent") peer.say({ type: "auth", id: 1, token: kind === "bad" ? "bad" : person() });
  if (kind === "reset while judged") return peer.reset();
  if (kind !== "silent") await peer.until(({ heard }) => heard > 0);
  if (kind === "good") await talk(peer);
  await leave(peer);
}

async function ticket() {
  did("ticket");
  const { body } = await request(port, "POST", "/rooms/ticket", bearer());
  const given = /hwt_[\w-]+/.exec(body)?.[0];
  const kind = random.of(["never used", "used", "used twice", "used elsewhere"]);
  did(`ticket ${kind}`);
  if (given === undefined || kind === "never used") return;
  const path = kind === "used elsewhere" ? `/others?ticket=${given}` : `/rooms?ticket=${given}`;
  const peers = Array.from({ length: kind === "used twice" ? 2 : 1 }, () => new HostilePeer(port, { path }));
  for (const peer of peers) {
    await peer.until(({ heard, status }) => heard > 0 || status > 101);
    if (peer.status === 101) await talk(peer);
    await leave(peer);
  }
}

async function hub() {
  did("hub");
  const peer = new HostilePeer(port, { path: "/hub", headers: bearer() });
  await peer.answered();
  if (random.below(10) === 0) return leave(peer);
  peer.say({ protocol: "json", version: 1 }, SEPARATOR);
  await peer.until(({ heard }) => heard > 0);
  for (let left = random.below(8); left > 0; left--) {
    const target = random.of(["Join", "Join", "Leave", "Say", "Echo", "Nothing"]);
    did(`hub ${target}`);
    const args = target === "Say" ? [random.of(roomNames), "x"] : [random.of(roomNames)];
    peer.say({ type: 1, invocationId: String(count), target, arguments: args }, SEPARATOR);
  }
  if (random.below(2) === 0) await soon(peer.until(({ heard }) => heard > 1));
  await leave(peer);
}

async function negotiated() {
  did("negotiate");
  const { body } = await request(port, "POST", "/hub/negotiate?negotiateVersion=1", bearer());
  const { connectionToken, accessToken } = body === "" ? {} : JSON.parse(body);
  const kind = random.of(["never used", "WebSocket", "events", "poll"]);
  did(`negotiate ${kind}`);
  if (kind === "never used" || accessToken === undefined) return;
  const path = `/hub?id=${connectionToken}`;
  const headers = { ...bearer(accessToken), ...(kind === "events" ? { accept: "text/event-stream" } : {}) };
  const peer = new HostilePeer(port, { path, headers, isUpgrade: kind === "WebSocket" });
  await soon(peer.answered());
  if (kind === "WebSocket") await leave(peer);
  else peer.reset();
}

async function refused() {
  const kind = random.of([
    "negotiate",
    "ticket",
    "upgrade",
    "origin",
    "subprotocol",
    "no credential",
    "half a request",
  ]);
  did(`refused ${kind}`);
  const bad = { authorization: "Bearer bad" };
  if (kind === "negotiate") return request(port, "POST", "/hub/negotiate", bad);
  if (kind === "ticket") return request(port, "POST", "/rooms/ticket", bad);
  if (kind === "no credential") return request(port, "POST", "/rooms/ticket");
  const headers = {
    upgrade: bad,
    origin: { ...bearer(), origin: "https://evil.example" },
    subprotocol: { ...bearer(), "sec-websocket-protocol": "x" },
  }[kind];
  const peer = new HostilePeer(port, headers === undefined ? { isSilent: true } : { headers });
  if (headers === undefined) {
    peer.write("GET /rooms HTTP/1.1\r\nhost: x\r\nupg");
    await soon(peer.gone(), 5);
    return peer.reset();
  }
  await peer.answered();
  peer.socket.destroy();
}

const scenarios = [rooms, rooms, rooms, roomsByFrame, roomsByFrame, ticket, hub, hub, hub, negotiated, refused];

/** Until so many operations were done. */
async function play(target) {
  const end = count + target;
  const one = async () => {
    while (count < end) await random.of(scenarios)();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, one));
}

/** Everything ends, a day goes by, and a few come: what is forgotten at the next occasion is forgotten. */
async function settle() {
  await quiet();
  await server.ask("jump", { ms: DAY });
  await stable();
  for (const token of ["good.late.late", "bad"]) {
    await request(port, "POST", "/rooms/ticket", bearer(token));
    await request(port, "POST", "/hub/negotiate?negotiateVersion=1", bearer(token));
  }
  const peer = new HostilePeer(port, { headers: { ...bearer("good.late.late"), ...protocol } });
  await peer.until(({ heard }) => heard > 0);
  peer.say({ type: "join", id: 1, room: "room/late" });
  peer.say({ type: "publish", id: 2, room: "room/late", event: "once", payload: 1, command: "late" });
  await peer.until(({ texts }) => texts.some((each) => each.includes('"id":2')));
  peer.say("no request");
  await peer.gone();
  await quiet();
  return stable();
}

/** Once nothing changes any more: a connection without a socket, as of a client that polls, ends at the next beat. */
async function stable() {
  let held = await server.ask("holdings");
  for (let tries = 0; tries < 15; tries++) {
    await wait(2_000);
    const before = sizeOf(held);
    held = await server.ask("holdings");
    if (sizeOf(held) === before) break;
  }
  return held;
}

function sizeOf({ collections }) {
  return Object.values(collections).reduce((sum, [live, entries]) => sum + live + entries, 0);
}

async function quiet() {
  for (let tries = 0; tries < 300; tries++) {
    const { connections, sockets } = await server.ask("open");
    if (connections === 0 && sockets === 0) return;
    await wait(100);
  }
  throw new Error(`still open: ${JSON.stringify(await server.ask("open"))}`);
}

const startedAt = performance.now();
await play(WARM_UP);
const before = await settle();
await play(operations - WARM_UP);
const after = await settle();
const seconds = (performance.now() - startedAt) / 1000;

const left = [];
const compare = (name, is, was) => is > was && left.push(`${name}: ${is}, was ${was}`);
for (const name of ["connections", "groups", "sockets", "descriptors"]) compare(name, after[name], before[name]);
for (const [name, amount] of Object.entries(after.resources)) compare(name, amount, before.resources[name] ?? 0);
for (const [place, [live, entries]] of Object.entries(after.collections)) {
  const [liveBefore, entriesBefore] = before.collections[place] ?? [0, 0];
  compare(`collections made in ${place}`, live, liveBefore);
  compare(`entries of collections made in ${place}`, entries, entriesBefore);
}
compare("heap bytes", after.heapBytes, before.heapBytes + HEAP_SLACK_BYTES);
const { reasons, failures, rssBytes } = await server.ask("vitals");
await server.stop();
if (failures.length > 0) left.push(...failures.slice(0, 5));
const result = {
  operations: count,
  seconds: Math.round(seconds),
  places: Object.keys(after.collections).length,
  entries: Object.values(after.collections).reduce((sum, [, entries]) => sum + entries, 0),
  heapGrownBytes: after.heapBytes - before.heapBytes,
  heapBytes: after.heapBytes,
  rssBytes,
  resources: after.resources,
  done,
  reasons,
  left,
};
console.log(JSON.stringify(result, null, 2));
process.exit(left.length > 0 ? 1 : 0);
