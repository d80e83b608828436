/** What the life of a credential costs: one measurement of one peer for each of the questions of `life.mjs`. */

import { peers } from "../clients/index.mjs";
import { nowUs, pause, withTimeLimit } from "./clock.mjs";
import { connectConcurrency, openConnections } from "./connections.mjs";
import { watchOthers } from "./machine.mjs";
import { spawnServer } from "./spawn-server.mjs";

const separator = 0x1e;
/** Of the WebSocket close that a bare server answers an ended credential with, as Hubward does. */
const expiredCode = 4401;
const suspendedCode = 4413;
/** How long all connections may take to be gone. Milliseconds. */
const closeLimitMs = 20_000;

/**
 * @typedef {object} LifeOptions
 * @property {import("./peer-process.mjs").PeerConfig} config
 * @property {number} runLimitMs
 */

/** Starts a peer, and ends it whatever happens. */
async function withPeer(name, { config, runLimitMs }, work) {
  const { server: file, title } = peers[name];
  const server = await spawnServer({ file, config, lifeLimitMs: runLimitMs + 5_000 });
  const opened = [];
  const open = async (tokens, { client = peers[name].client, prepare = async () => {} } = {}) => {
    const connections = await openConnections({ client, port: server.port, tokens, prepare });
    opened.push(connections);
    return connections;
  };
  try {
    return await withTimeLimit(work({ server, open }), { limitMs: runLimitMs, label: title });
  } finally {
    await server.stop();
    for (const connections of opened) connections.destroy();
  }
}

function hubAt(path) {
  const { client } = peers.hubward;
  return { ...client, connect: (to) => client.connect({ ...to, path }) };
}

/** CPU of the server, and what others took meanwhile, over `work`. */
async function measureCpu(server, work) {
  const before = await server.ask("usage");
  const ownBefore = process.cpuUsage();
  const others = watchOthers();
  const units = await work();
  const after = await server.ask("usage");
  const { user, system } = process.cpuUsage(ownBefore);
  const cpuUs = after.cpuUs - before.cpuUs;
  return { units, cpuPerUnitUs: cpuUs / units, otherLoad: others(cpuUs + user + system) };
}

const invocation = (id, target, argument) =>
  `${JSON.stringify({ type: 1, invocationId: String(id), target, arguments: [argument] })}\x1e`;

/** Calls back once for each answer, with an error for one that says no. */
function listenForAnswers(socket, onAnswer) {
  socket.listen((buffer, start, end) => {
    for (let at = start; at < end;) {
      const next = buffer.indexOf(separator, at);
      if (next === -1 || next >= end) throw new Error("a record without its end");
      if (buffer[at + '{"type":'.length] === 0x33) {
        const isRefused = buffer.subarray(at, next).includes('"error":');
        onAnswer(isRefused ? new Error(buffer.toString("utf8", at, next)) : undefined);
      }
      at = next + 1;
    }
  });
}

/**
 * CPU of a call with one short text, ten in flight on each connection.
 *
 * @param {LifeOptions & { path: string, tokens: readonly string[], seconds: number, warmupSeconds: number }} options
 */
export function measureCalls(options) {
  return withPeer("hubward", options, async ({ server, open }) => {
    let answers = 0;
    const { endings } = await open(options.tokens, {
      client: hubAt(options.path),
      prepare: async (socket) => {
        let id = 0;
        const ask = () => socket.sendText(invocation(++id, "Echo", "BP 120/80, resting, next round at four"));
        listenForAnswers(socket, (error) => {
          if (error) throw error; // ends the connection, which is seen in the end
          answers++;
          ask();
        });
        for (let call = 0; call < 10; call++) ask();
      },
    });
    await pause(options.warmupSeconds * 1000);
    const result = await measureCpu(server, async () => {
      const before = answers;
      await pause(options.seconds * 1000);
      return answers - before;
    });
    if (endings().length > 0) throw new Error(`connections ended: ${endings().join(", ")}`);
    return result;
  });
}

/**
 * CPU of `hubward.reauthenticate`, each time with a token nobody has seen, `connectConcurrency` of them at a time.
 *
 * @param {LifeOptions & { series: readonly (readonly string[])[], warmups: number }} options `series`: of each
 *   connection the tokens, the first of which it connects with; of the others so many warm up
 */
export function measureReauthentication(options) {
  return withPeer("hubward", options, async ({ server, open }) => {
    const answered = [];
    const { sockets, endings } = await open(
      options.series.map(([first]) => first),
      {
        client: hubAt("/checked"),
        prepare: async (socket, index) => listenForAnswers(socket, (error) => answered[index]?.(error)),
      },
    );
    const renewAll = async (turn) => {
      let next = 0;
      const work = async () => {
        while (next < sockets.length) {
          const index = next++;
          await new Promise((resolve, reject) => {
            answered[index] = (error) => (error ? reject(error) : resolve());
            sockets[index].sendText(invocation(turn, "hubward.reauthenticate", options.series[index][turn]));
          });
        }
      };
      await Promise.all(Array.from({ length: connectConcurrency }, work));
    };
    for (let turn = 1; turn <= options.warmups; turn++) await renewAll(turn);
    const turns = options.series[0].length - 1;
    const result = await measureCpu(server, async () => {
      for (let turn = options.warmups + 1; turn <= turns; turn++) await renewAll(turn);
      return (turns - options.warmups) * sockets.length;
    });
    if (endings().length > 0) throw new Error(`connections ended: ${endings().join(", ")}`);
    return result;
  });
}

/**
 * CPU of jose's `jwtVerify` alone for as many tokens, as many at a time, after as many others.
 *
 * @param {LifeOptions & { firstTokens: readonly string[], tokens: readonly string[] }} options
 */
export function measureVerification(options) {
  return withPeer("jose", options, async ({ server }) => {
    const verify = () => server.ask("verify", { concurrency: connectConcurrency });
    await server.ask("load", { tokens: options.firstTokens });
    await verify();
    await server.ask("load", { tokens: options.tokens });
    return measureCpu(server, async () => {
      await verify();
      return options.tokens.length;
    });
  });
}

/**
 * Every connection ends at once: at Hubward their credentials expire, the bare server closes them in a loop. How long
 * its event loop was held at most, and how many connections were not ended.
 *
 * @param {LifeOptions & { peer: "ws" | "hubward", connections: number,
 *   source: import("./tokens.mjs").TokenSource, leadSeconds: number }} options `leadSeconds`: what connecting may take
 */
export function measureExpiry(options) {
  return withPeer(options.peer, options, async ({ server, open }) => {
    const { connections, source } = options;
    // Signing takes its time, too.
    const expiresAt = Math.ceil(Date.now() / 1000) + Math.ceil(options.leadSeconds);
    const tokens =
      options.peer === "ws"
        ? Array.from({ length: connections }, () => "")
        : await source.sign(connections, { expiresAt });
    const { sockets, endings } = await open(tokens);
    const early = endings();
    if (early.length > 0) throw new Error(`ended before they should: ${early.slice(0, 5).join(", ")}`);
    const others = watchOthers();
    const untilMs = expiresAt * 1000 - Date.now();
    if (options.peer === "hubward" && untilMs < 500) throw new Error("connecting took longer than the tokens live");
    await pause(options.peer === "ws" ? 1_000 : untilMs - 400);
    await server.ask("watch-loop");
    const beganAtUs = nowUs();
    if (options.peer === "ws") await server.ask("close-all", { code: expiredCode, reason: "token_expired" });
    await waitUntil(() => sockets.every(({ ended }) => ended !== null));
    const { maxMs } = await server.ask("loop-delay");
    const missed = sockets.filter(({ ended }) => !ended?.startsWith(`WebSocket close ${expiredCode}`));
    return {
      maxMs,
      missed: missed.length,
      endings: [...new Set(missed.map(({ ended }) => String(ended)))].slice(0, 5),
      tookMs: (nowUs() - beganAtUs) / 1000,
      otherLoad: others(0),
    };
  });
}

/**
 * Every connection is closed at once by the server's own doing: at Hubward their tenant is revoked, the bare server
 * closes them in a loop. How long until the last client had its Close frame, and what the revocation's receipt says.
 *
 * @param {LifeOptions & { peer: "ws" | "hubward", connections: number,
 *   source: import("./tokens.mjs").TokenSource }} options
 */
export function measureRevocation(options) {
  return withPeer(options.peer, options, async ({ server, open }) => {
    const { connections, source } = options;
    const tenant = "general";
    const isBare = options.peer === "ws";
    const tokens = isBare ? Array.from({ length: connections }, () => "") : await source.sign(connections, { tenant });
    const { sockets, endings } = await open(tokens, isBare ? {} : { client: hubAt("/tenant") });
    // What connecting has left to be done, garbage above all, is not the question.
    await pause(2_000);
    const early = endings();
    if (early.length > 0) throw new Error(`ended before they should: ${early.slice(0, 5).join(", ")}`);
    const others = watchOthers();
    await server.ask("watch-loop");
    const beganAtUs = nowUs();
    const request = isBare
      ? server.ask("close-all", { code: suspendedCode, reason: "tenant_suspended" })
      : server.ask("revoke-tenant", { tenant });
    await waitUntil(() => sockets.every(({ ended }) => ended !== null));
    const toldMs = (nowUs() - beganAtUs) / 1000;
    const otherLoad = others(0);
    const receipt = await request;
    const { maxMs } = await server.ask("loop-delay");
    const missed = sockets.filter(({ ended }) => !ended?.startsWith(`WebSocket close ${suspendedCode}`));
    return {
      toldMs,
      // A bare server has no gate: for the ratio, the time it needs to close them all.
      gatedMs: isBare ? toldMs : receipt.gatedMs,
      closedMs: receipt?.closedMs,
      stillClosing: receipt?.stillClosing,
      maxMs,
      missed: missed.length + (isBare ? 0 : connections - receipt.matched),
      endings: [...new Set(missed.map(({ ended }) => String(ended)))].slice(0, 5),
      otherLoad,
    };
  });
}

/**
 * CPU of one logout, from the revocation of a session to its only connection's end, among so many connections.
 *
 * @param {LifeOptions & { connections: number, logouts: number,
 *   source: import("./tokens.mjs").TokenSource }} options
 */
export function measureLogouts(options) {
  return withPeer("hubward", options, async ({ server, open }) => {
    const { connections, logouts, source } = options;
    const tenant = "general";
    const tokens = await source.sign(connections, { tenant });
    const { sockets, endings } = await open(tokens, { client: hubAt("/tenant") });
    await pause(2_000);
    const early = endings();
    if (early.length > 0) throw new Error(`ended before they should: ${early.slice(0, 5).join(", ")}`);
    // All over the place, not the newest.
    const stride = Math.floor(connections / (2 * logouts));
    const sessions = Array.from({ length: 2 * logouts }, (_, at) => sessionOf(tokens[at * stride]));
    await server.ask("revoke-sessions", { tenant, sessions: sessions.slice(0, logouts) });
    const measured = await measureCpu(server, async () => {
      const { matched } = await server.ask("revoke-sessions", { tenant, sessions: sessions.slice(logouts) });
      if (matched !== logouts) throw new Error(`${matched} of ${logouts} sessions had a connection`);
      return logouts;
    });
    const gone = sockets.filter(({ ended }) => ended !== null).length;
    if (gone > 2 * logouts) throw new Error(`${gone} ended, of ${2 * logouts} that were logged out`);
    return measured;
  });
}

function sessionOf(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString()).sid;
}

/** Looks often, and until `closeLimitMs` have passed at most. */
async function waitUntil(isSo) {
  const limit = nowUs() + closeLimitMs * 1000;
  while (!isSo() && nowUs() < limit) await pause(5);
}
