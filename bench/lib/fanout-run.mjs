/** One measurement of one peer: start its server, connect the members, warm up, publish a schedule, count. */

import { peers } from "../clients/index.mjs";
import { nowUs, pause, withTimeLimit } from "./clock.mjs";
import { openConnections } from "./connections.mjs";
import { createDeliveryTally } from "./delivery-tally.mjs";
import { watchOthers } from "./machine.mjs";
import { wardName } from "./peer-process.mjs";
import { dueUs } from "./schedule.mjs";
import { spawnServer } from "./spawn-server.mjs";
import { percentile } from "./stats.mjs";

/** How long nothing may arrive, once everything is published, before the rest counts as lost. Milliseconds. */
const stallMs = 5_000;
const settleMs = 300;

/**
 * @typedef {object} FanoutOptions
 * @property {string} peer
 * @property {number} members
 * @property {number} rate messages a second
 * @property {"ticks" | "even" | "single"} arrivals
 * @property {number} seconds of the schedule that is measured
 * @property {number} warmupSeconds of the one before it
 * @property {number} sampled members whose latency is measured
 * @property {readonly string[]} tokens at least one a member
 * @property {import("./peer-process.mjs").PeerConfig} config
 * @property {number} runLimitMs
 *
 * @param {FanoutOptions} options
 * @returns {Promise<FanoutResult>} rejects when the peer cannot be started or connected, or takes too long
 */
export async function runFanout(options) {
  const { server: file, client, title } = peers[options.peer];
  const server = await spawnServer({ file, config: options.config, lifeLimitMs: options.runLimitMs + 5_000 });
  let connections;
  const work = async () => {
    const tally = createDeliveryTally(options);
    connections = await openConnections({
      client,
      port: server.port,
      tokens: options.tokens.slice(0, options.members),
      prepare: async (socket, index) => {
        await client.join(socket, wardName);
        client.listen(socket, tally.receiver(index));
      },
    });
    const messages = (seconds) => Math.max(1, Math.round(options.rate * seconds));
    await publishAndCount({ options, server, tally, messages: messages(options.warmupSeconds) });
    await pause(settleMs);
    const result = await publishAndCount({ options, server, tally, messages: messages(options.seconds) });
    return { ...result, endings: connections.endings() };
  };
  try {
    return await withTimeLimit(work(), { limitMs: options.runLimitMs, label: title });
  } finally {
    await server.stop();
    connections?.destroy();
  }
}

/** @typedef {Awaited<ReturnType<typeof publishAndCount>> & { endings: readonly string[] }} FanoutResult */

async function publishAndCount({ options, server, tally, messages }) {
  const schedule = { arrivals: options.arrivals, rate: options.rate, messages };
  const complete = tally.begin(messages);
  const before = await server.ask("usage");
  const ownBefore = process.cpuUsage();
  const others = watchOthers();
  const beganAtUs = nowUs();

  const published = await server.ask("publish", { schedule });
  await completeOrStalled(complete, tally);

  const windowUs = nowUs() - beganAtUs;
  const after = await server.ask("usage");
  const own = process.cpuUsage(ownBefore);
  const { received, expected, bytes, misplaced, shortOrOver, samples } = tally.read();
  const cpuUs = after.cpuUs - before.cpuUs;
  const sinceSent = samples.receivedAtUs.map((at, i) => (at - samples.sentAtUs[i]) / 1000);
  const sinceDue = samples.receivedAtUs.map(
    (at, i) => (at - published.startedAtUs - dueUs(schedule, samples.seq[i])) / 1000,
  );
  return {
    deliveries: received,
    deliveredRatio: received / expected,
    misplaced,
    membersShortOrOver: shortOrOver,
    cpuPerDeliveryUs: cpuUs / received,
    systemPerDeliveryUs: (after.systemUs - before.systemUs) / received,
    p50Ms: percentile(sinceSent, 0.5),
    p99Ms: percentile(sinceSent, 0.99),
    p50SinceDueMs: percentile(sinceDue, 0.5),
    p99SinceDueMs: percentile(sinceDue, 0.99),
    plannedSeconds: messages / options.rate,
    windowSeconds: windowUs / 1_000_000,
    serverLoad: cpuUs / windowUs,
    receiverLoad: (own.user + own.system) / windowUs,
    otherLoad: others(cpuUs + own.user + own.system),
    messagesPerTurn: messages / published.turns,
    latestPublicationMs: published.maxLateUs / 1000,
    bytesPerDelivery: bytes / received,
  };
}

/** Resolves when all has arrived, or when nothing has for a while. Called once everything is published. */
async function completeOrStalled(complete, tally) {
  let watch;
  const stalled = new Promise((resolve) => {
    let seen = -1;
    watch = setInterval(() => {
      if (tally.received() === seen) resolve();
      seen = tally.received();
    }, stallMs);
  });
  await Promise.race([complete, stalled]);
  clearInterval(watch);
}
