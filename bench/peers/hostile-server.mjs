/**
 * Hubward to be attacked: one hub, two endpoints of rooms, tokens that cost nothing. Counts what it refuses, and says
 * what it holds. Nothing here catches what escapes.
 */

import { readdirSync } from "node:fs";
import { createServer } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import { hubward, HubwardError } from "@hubward/server";
import { attach } from "@hubward/server/node";
import { listenOnLoopback } from "../lib/peer-process.mjs";

/** Where `--import` has made them count: it costs too much for what is measured. */
const { countCollections } = process.execArgv.some((argument) => argument.endsWith("tracked-collections.mjs"))
  ? await import("../lib/tracked-collections.mjs")
  : {};
const options = JSON.parse(process.env["BENCH_CONFIG"] ?? "{}");
const HOUR = 3_600_000;

/** The system's clock, which can be put forward: what is forgotten by and by is forgotten then. */
let aheadMs = 0;
const clock = {
  now: () => Date.now() + aheadMs,
  monotonic: () => performance.now() + aheadMs,
  after(delayMs, run) {
    const timer = setTimeout(() => run(), Math.min(Math.max(0, delayMs), 2 ** 31 - 1));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  endOfTurn: (run) => void setImmediate(() => run()),
};

const authenticator = {
  issuer: "https://issuer.bench.invalid",
  async authenticate({ token }) {
    await turn();
    const [kind, subject, sessionId] = token.reveal().split(".");
    if (kind !== "good") throw new HubwardError("invalid_token");
    return Object.freeze({
      issuer: "https://issuer.bench.invalid",
      tenant: undefined,
      subject,
      clientId: "bench",
      sessionId,
      tokenId: undefined,
      keyId: undefined,
      issuedAt: clock.now(),
      expiresAt: clock.now() + HOUR,
      claims: Object.freeze({}),
    });
  },
};

/** Reasons by what happened, for all that was refused or ended. */
const reasons = {};
const failures = [];
function telemetry(event) {
  if (event.event === "application.failed") failures.push(`${event.where}: ${event.error?.stack ?? event.error}`);
  if (!/^(?:connection\.(?:refused|closed)|call\.refused)$/.test(event.event)) return;
  const name = `${event.event} ${event.reason}`;
  reasons[name] = (reasons[name] ?? 0) + (event.count ?? 1);
}

const schema = (isValid) => ({
  "~standard": {
    version: 1,
    vendor: "bench",
    validate: (value) => (isValid(value) ? { value } : { issues: [{ message: "no" }] }),
  },
});
const text = schema((value) => typeof value === "string");
const anything = schema(() => true);

const app = hubward({ authenticator, principal: () => ({ roles: [] }), clock, telemetry, ...options.app });
const anyone = app.policy("Anyone", () => true);
const asked = app.policy("Asked", async (_context, name) => {
  await turn();
  return !name.startsWith("closed");
});
const room = app
  .group("room/{room}", { room: text })
  .allow(asked, ({ room: name }) => name)
  .room((draft) =>
    draft
      .publish("note", anything, (note) => note.members())
      .publish("once", anything, (once) =>
        once
          .members()
          .once()
          .handle((_call, value) => value),
      ),
  );
app.rooms("/rooms", options.rooms).allow(anyone);
app.rooms("/others", options.rooms).allow(anyone);
app
  .hub("/hub", options.hub)
  .allow(anyone)
  .methods((m) => ({
    Echo: m.args(anything).handle((_call, value) => value),
    Join: m.args(text).handle((call, name) => call.groups.join(room({ room: name }))),
    Leave: m.args(text).handle((call, name) => call.groups.leave(room({ room: name }))),
    Say: m.args(text, text).handle((call, name, what) => call.to(room({ room: name })).emit("note", what)),
  }));

const server = createServer({ connectionsCheckingInterval: 1_000, ...options.server });
attach(server, app);
const sockets = () => new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));

/** How long the event loop was held since it was last asked. Milliseconds. */
let heldMs = 0;
let lastAt = performance.now();
setInterval(() => {
  const now = performance.now();
  heldMs = Math.max(heldMs, now - lastAt - 20);
  lastAt = now;
}, 20).unref();

const actions = {
  /** What is left when everything that can be collected is. */
  async holdings() {
    for (let round = 0; round < 6; round++) {
      globalThis.gc?.();
      await turn();
    }
    const resources = {};
    for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
    return {
      connections: app.connectionCount,
      groups: app.groups.list().length,
      sockets: await sockets(),
      descriptors: readdirSync("/proc/self/fd").length,
      resources,
      collections: countCollections?.(),
      heapBytes: process.memoryUsage().heapUsed,
    };
  },
  async open() {
    return { connections: app.connectionCount, sockets: await sockets() };
  },
  jump({ ms }) {
    aheadMs += ms;
  },
  vitals() {
    const held = heldMs;
    heldMs = 0;
    const { user, system } = process.cpuUsage();
    return {
      cpuMs: (user + system) / 1000,
      rssBytes: process.memoryUsage.rss(),
      heldMs: held,
      connections: app.connectionCount,
      reasons,
      failures,
    };
  },
  /** So many events of so many bytes to one room, one turn after another. */
  async tell({ name, count, bytes }) {
    const what = "x".repeat(bytes);
    for (let index = 0; index < count; index++) {
      app.to(room({ room: name })).emit("note", what);
      await turn();
    }
  },
};

async function answer({ id, action, ...fields }) {
  try {
    process.send({ id, result: (await actions[action](fields)) ?? null });
  } catch (error) {
    process.send({ id, error: String(error) });
  }
}
process.on("message", (message) => void answer(message));
process.on("disconnect", () => process.exit(0));
process.send({ listening: await listenOnLoopback(server) });
