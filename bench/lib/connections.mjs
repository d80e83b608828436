/** Opens many connections to one peer, a bounded number at a time, and keeps them alive. */

import { createAgent } from "./negotiate.mjs";

/** How many connection attempts run at once, and how many HTTP connections are kept for negotiating. */
export const connectConcurrency = 16;

/** The stock SignalR client's ping interval. Milliseconds. */
const keepAliveIntervalMs = 15_000;
const keepAliveSlices = 15;

/**
 * @typedef {import("../clients/index.mjs").RawWebSocket} RawWebSocket
 *
 * @typedef {object} Connections
 * @property {readonly RawWebSocket[]} sockets in the order of the tokens
 * @property {() => readonly string[]} endings why connections ended that should live, distinct texts with counts
 * @property {() => void} destroy ends all of them
 */

/**
 * @param {object} options
 * @param {import("../clients/index.mjs").PeerClient} options.client
 * @param {number} options.port
 * @param {readonly string[]} options.tokens one a connection
 * @param {import("node:http").Agent} [options.agent] for negotiating; by default one that is closed when all are open
 * @param {(socket: RawWebSocket, index: number) => Promise<void>} options.prepare joins, listens
 * @returns {Promise<Connections>} rejects when one cannot be opened; those that were are ended
 */
export async function openConnections({ client, port, tokens, agent, prepare }) {
  const negotiating = agent ?? createAgent(connectConcurrency);
  /** @type {RawWebSocket[]} */
  const sockets = new Array(tokens.length);
  // From the first one on: while thousands are opened, those that are open already would be silent for too long.
  const timer = client.keepAlive ? keepAlive(sockets, client.keepAlive) : undefined;
  let next = 0;
  let failure = null;

  const work = async () => {
    while (next < tokens.length && !failure) {
      const index = next++;
      try {
        const socket = await client.connect({ port, token: tokens[index], agent: negotiating });
        sockets[index] = socket;
        await prepare(socket, index);
      } catch (error) {
        failure ??= new Error(`connection ${index + 1} of ${tokens.length}: ${error.message}`, { cause: error });
      }
    }
  };
  await Promise.all(Array.from({ length: connectConcurrency }, work));
  if (!agent) negotiating.destroy();

  const destroy = () => {
    clearInterval(timer);
    for (const socket of sockets) socket?.destroy();
  };
  if (failure) {
    destroy();
    throw failure;
  }
  return { sockets, destroy, endings: () => countEndings(sockets) };
}

/** Spreads the pings over the interval, as clients that connected at different times would. */
function keepAlive(sockets, send) {
  let slice = 0;
  return setInterval(() => {
    for (let index = slice; index < sockets.length; index += keepAliveSlices) if (sockets[index]) send(sockets[index]);
    slice = (slice + 1) % keepAliveSlices;
  }, keepAliveIntervalMs / keepAliveSlices);
}

function countEndings(sockets) {
  const counts = new Map();
  for (const { ended } of sockets) if (ended !== null) counts.set(ended, (counts.get(ended) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} x ${reason}`);
}
