/** What `fanout.mjs` prints: the table, the targets, and everything that makes a run less than trustworthy. */

import { peers as peerEntries } from "../clients/index.mjs";
import { disturbedAbove } from "./machine.mjs";
import { formatNumber, formatRatio, renderTable, renderTargets } from "./report.mjs";

const head = [
  "profile",
  "peer",
  "CPU µs/delivery",
  "× ws",
  "× Socket.IO",
  "p50 ms",
  "p99 ms",
  "p99 × ws",
  "since due p50 / p99",
  "delivered",
  "took / planned s",
  "messages/turn",
  "load: server / receiver / others",
];

/** Peers that are held to the targets. */
const targeted = ["hubward", "hubward-rooms"];

/** A schedule that takes longer than this many times its length was not kept. */
const sustainedWithin = 1.05;

/**
 * @param {object} options
 * @param {ReturnType<typeof import("./machine.mjs").describeMachine>} options.machine
 * @param {boolean} options.isQuick
 * @param {{ seconds: number }} options.shared
 * @param {readonly { profile: string, arrivals: string, rate: number, members: number }[]} options.cases
 * @param {readonly string[]} options.peers
 * @param {number} options.rounds
 * @param {import("./rounds.mjs").Rounds<import("./fanout-run.mjs").FanoutResult>} options.measured
 * @returns {{ text: string, targets: import("./report.mjs").Target[] }}
 */
export function renderFanout({ machine, isQuick, shared, cases, peers, rounds, measured }) {
  const rows = cases.flatMap((one, at) => peers.map((peer) => describePeer(measured, one, at, peer)));
  const targets = cases.flatMap((one, at) => listTargets(measured, peers, one, at));
  const notes = cases.flatMap((one, at) =>
    peers.flatMap((peer) =>
      measured.results[at][peer].flatMap((result, round) =>
        describeTrouble(one, result).map(
          (text) => `${one.profile} ${one.arrivals} ${peer}, round ${round + 1}: ${text}`,
        ),
      ),
    ),
  );
  const text = [
    `\n## Fan-out${isQuick ? " (quick: figures mean nothing)" : ""}`,
    `Node ${machine.node}, ${machine.processor}; ${rounds} rounds of ${shared.seconds} s. ` +
      "Medians over rounds; ratios are taken within a round: median (least–most).",
    renderTable(head, rows),
    renderTargets(targets, isQuick),
    ...describeDisturbance(Object.values(measured.results).flatMap((byPeer) => Object.values(byPeer).flat())),
    ...[...notes, ...measured.failures].map((line) => `- ${line}`),
  ].join("\n\n");
  return { text, targets };
}

function describePeer(measured, one, at, peer) {
  const figure = (name) => formatNumber(measured.middle(at, peer, name));
  const against = (name, baseline) =>
    peer === baseline ? "1" : formatRatio(measured.ratioOf(at, name, peer, baseline));
  return [
    `${one.profile}: ${one.members} × ${one.rate}/s, ${one.arrivals}`,
    peerEntries[peer].title,
    figure("cpuPerDeliveryUs"),
    against("cpuPerDeliveryUs", "ws"),
    against("cpuPerDeliveryUs", "socketio"),
    figure("p50Ms"),
    figure("p99Ms"),
    against("p99Ms", "ws"),
    `${figure("p50SinceDueMs")} / ${figure("p99SinceDueMs")}`,
    describeDelivered(measured.figures(at, peer, "deliveredRatio").filter(Number.isFinite)),
    `${figure("windowSeconds")} / ${figure("plannedSeconds")}`,
    figure("messagesPerTurn"),
    `${figure("serverLoad")} / ${figure("receiverLoad")} / ${figure("otherLoad")}`,
  ];
}

/** The worst round, since 100 % is the condition for comparing anything. */
function describeDelivered(ratios) {
  if (ratios.length === 0) return "–";
  return ratios.every((one) => one === 1) ? "100 %" : `${(Math.min(...ratios) * 100).toFixed(3)} %`;
}

function listTargets(measured, peers, { profile, arrivals }, at) {
  const target = (peer, name, most, figure, baseline) => ({
    name: `${profile} ${arrivals}, ${peerEntries[peer].title}: ${name}`,
    most,
    measured: measured.ratioOf(at, figure, peer, baseline),
  });
  return peers
    .filter((peer) => targeted.includes(peer))
    .flatMap((peer) => {
      if (profile === "A") return [target(peer, "CPU per delivery, × ws loop", 0.95, "cpuPerDeliveryUs", "ws")];
      if (profile === "B")
        return [
          target(peer, "CPU per delivery, × ws loop", 0.35, "cpuPerDeliveryUs", "ws"),
          target(peer, "CPU per delivery, × Socket.IO", 0.35, "cpuPerDeliveryUs", "socketio"),
        ];
      return [
        target(peer, "p99, × ws loop", 1.2, "p99Ms", "ws"),
        target(peer, "p99 since due, × ws loop", 1.2, "p99SinceDueMs", "ws"),
      ];
    });
}

function describeTrouble({ profile }, result) {
  if (!result) return [];
  const trouble = [];
  if (profile.startsWith("C") && result.windowSeconds > result.plannedSeconds * sustainedWithin)
    trouble.push(`the rate was not sustained: ${formatNumber(result.windowSeconds)} s for ${result.plannedSeconds} s`);
  if (result.deliveredRatio !== 1)
    trouble.push(`delivered ${(result.deliveredRatio * 100).toFixed(3)} %, ${result.membersShortOrOver} members off`);
  if (result.misplaced > 0) trouble.push(`${result.misplaced} sampled messages missing, doubled or out of order`);
  for (const ending of result.endings) trouble.push(`connections ended: ${ending}`);
  return trouble;
}

function describeDisturbance(results) {
  const runs = results.filter((result) => result !== null);
  const disturbed = runs.filter(({ otherLoad }) => otherLoad > disturbedAbove);
  if (disturbed.length === 0) return [];
  return [
    `- In ${disturbed.length} of ${runs.length} runs other processes used more than ${disturbedAbove} of a core: ` +
      "latencies, and ratios near their limit, need a quieter machine (see --quiet-wait and --retries).",
  ];
}
