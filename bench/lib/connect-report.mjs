/** What `connect.mjs` prints. */

import { peers as peerEntries } from "../clients/index.mjs";
import { formatNumber, formatRatio, renderTable, renderTargets } from "./report.mjs";

/**
 * @param {object} options
 * @param {ReturnType<typeof import("./machine.mjs").describeMachine>} options.machine
 * @param {boolean} options.isQuick
 * @param {{ connects: number, warmup: number, idle: number, idleBase: number }} options.counts
 * @param {readonly string[]} options.peers
 * @param {number} options.rounds
 * @param {{ cpu?: import("./rounds.mjs").Rounds<object>, memory?: import("./rounds.mjs").Rounds<object> }}
 *   options.measured
 * @returns {{ text: string, targets: import("./report.mjs").Target[] }}
 */
export function renderConnect({ machine, isQuick, counts, peers, rounds, measured: { cpu, memory } }) {
  const targets = [];
  const text = [
    `\n## Connections${isQuick ? " (quick: figures mean nothing)" : ""}`,
    `Node ${machine.node}, ${machine.processor}; ${rounds} rounds. ` +
      "Medians over rounds; ratios are taken within a round: median (least–most).",
  ];
  if (cpu) {
    text.push(
      `CPU of the server per connect: ${counts.connects} connects with distinct ES256 tokens after ${counts.warmup} others.`,
      renderTable(
        ["peer", "CPU µs/connect", "of it kernel", "× ws + jose", "connects/s", "other load, cores"],
        peers.filter((peer) => peer !== "ws").map((peer) => describeCpu(cpu, peer)),
      ),
    );
    targets.push(target(cpu, "connect: CPU, × ws + jose by hand", 1.3, "cpuPerConnectUs", "ws-jose"));
  }
  if (memory) {
    text.push(
      `Memory of the server per idle connection: the slope from ${counts.idleBase} to ${counts.idleBase + counts.idle}.`,
      renderTable(
        ["peer", "KiB resident", "× bare ws", "× Socket.IO", "KiB in the heap"],
        peers.map((peer) => describeMemory(memory, peer)),
      ),
    );
    targets.push(
      target(memory, "idle connection: resident, × bare ws", 2, "rssPerConnectionBytes", "ws"),
      target(memory, "idle connection: resident, × Socket.IO", 1, "rssPerConnectionBytes", "socketio"),
    );
  }
  text.push(renderTargets(targets, isQuick));
  for (const kind of [cpu, memory]) if (kind) text.push(...listTrouble(kind).map((line) => `- ${line}`));
  return { text: text.join("\n\n"), targets };
}

const target = (measured, name, most, figure, baseline) => ({
  name,
  most,
  measured: measured.ratioOf(0, figure, "hubward", baseline),
});

function describeCpu(cpu, peer) {
  const figure = (name) => formatNumber(cpu.middle(0, peer, name));
  return [
    peerEntries[peer].title,
    figure("cpuPerConnectUs"),
    figure("systemPerConnectUs"),
    peer === "ws-jose" ? "1" : formatRatio(cpu.ratioOf(0, "cpuPerConnectUs", peer, "ws-jose")),
    figure("connectsPerSecond"),
    figure("otherLoad"),
  ];
}

function describeMemory(memory, peer) {
  const against = (baseline) =>
    peer === baseline ? "1" : formatRatio(memory.ratioOf(0, "rssPerConnectionBytes", peer, baseline));
  return [
    peer === "ws" ? "ws, bare" : peerEntries[peer].title,
    formatNumber(memory.middle(0, peer, "rssPerConnectionBytes") / 1024),
    against("ws"),
    against("socketio"),
    formatNumber(memory.middle(0, peer, "heapPerConnectionBytes") / 1024),
  ];
}

function listTrouble({ results: [byPeer], failures }) {
  const endings = Object.entries(byPeer).flatMap(([peer, rounds]) =>
    rounds.flatMap((result, round) =>
      (result?.endings ?? []).map((ending) => `${peer}, round ${round + 1}: connections ended: ${ending}`),
    ),
  );
  return [...endings, ...failures];
}
