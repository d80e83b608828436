/** Two measurements of one peer: what connecting costs the server, and what an idle connection holds. */

import { peers } from "../clients/index.mjs";
import { nowUs, pause, withTimeLimit } from "./clock.mjs";
import { connectConcurrency, openConnections } from "./connections.mjs";
import { watchOthers } from "./machine.mjs";
import { createAgent } from "./negotiate.mjs";
import { spawnServer } from "./spawn-server.mjs";

/** For the server to see that the connections of the warm-up are gone. Milliseconds. */
const settleMs = 1000;
const ignoreDelivery = () => {};

/**
 * @typedef {object} ConnectOptions
 * @property {string} peer
 * @property {readonly string[]} firstTokens for the connections that warm up or come before the first reading
 * @property {readonly string[]} tokens for those that are measured; none occurs in `firstTokens`
 * @property {import("./peer-process.mjs").PeerConfig} config
 * @property {number} runLimitMs
 */

/**
 * CPU time of the server process per connection that became usable: negotiate on kept-alive HTTP connections (where
 * the peer has one), upgrade, handshake. A closed loop of 16 attempts at a time. The measured connections stay open
 * until all is read, those of the warm-up are closed before.
 *
 * @param {ConnectOptions} options
 */
export function measureConnects(options) {
  return withServer(options, [], async ({ server, open }) => {
    const agent = createAgent(connectConcurrency);
    (await open(options.firstTokens, agent)).destroy();
    await pause(settleMs);
    const before = await server.ask("usage");
    const ownBefore = process.cpuUsage();
    const others = watchOthers();
    const beganAtUs = nowUs();
    const connections = await open(options.tokens, agent);
    const windowUs = nowUs() - beganAtUs;
    const after = await server.ask("usage");
    const own = process.cpuUsage(ownBefore);
    agent.destroy();
    const cpuUs = after.cpuUs - before.cpuUs;
    return {
      cpuPerConnectUs: cpuUs / options.tokens.length,
      systemPerConnectUs: (after.systemUs - before.systemUs) / options.tokens.length,
      connectsPerSecond: (options.tokens.length * 1_000_000) / windowUs,
      serverLoad: cpuUs / windowUs,
      otherLoad: others(cpuUs + own.user + own.system),
      endings: connections.endings(),
    };
  });
}

/**
 * Memory of the server process per idle connection: the slope between two counts of connections, each read after
 * full garbage collections, so that code, caches and pools that exist once do not count.
 *
 * @param {ConnectOptions & { settleMs: number }} options `settleMs`: waiting before each reading
 */
export function measureIdleMemory(options) {
  return withServer(options, ["--expose-gc"], async ({ server, open }) => {
    const read = async () => {
      await pause(options.settleMs);
      return server.ask("collect");
    };
    const first = await open(options.firstTokens);
    const before = await read();
    const rest = await open(options.tokens);
    const after = await read();
    const endings = [...first.endings(), ...rest.endings()];
    return {
      rssPerConnectionBytes: (after.rssBytes - before.rssBytes) / options.tokens.length,
      heapPerConnectionBytes: (after.heapBytes - before.heapBytes) / options.tokens.length,
      rssBytes: after.rssBytes,
      endings,
    };
  });
}

/** Starts the peer, hands `work` a way to open connections to it, and ends both whatever happens. */
async function withServer({ peer, config, runLimitMs }, execArgv, work) {
  const { server: file, client, title } = peers[peer];
  const server = await spawnServer({ file, config, execArgv, lifeLimitMs: runLimitMs + 5_000 });
  const opened = [];
  const open = async (tokens, agent) => {
    const connections = await openConnections({
      client,
      port: server.port,
      tokens,
      agent,
      prepare: async (socket) => client.listen(socket, ignoreDelivery),
    });
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
