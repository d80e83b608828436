/**
 * Calls side by side: CPU of the server per call with its answer, per item of a stream and per acknowledged
 * publication, for a bare `ws` server, Socket.IO acknowledgements, Hubward and, where a .NET SDK is, ASP.NET Core SignalR. Run `node bench/calls.mjs --help`.
 */

import { aspnetMissing } from "./lib/aspnet-process.mjs";
import { callers } from "./lib/call-clients.mjs";
import { runCalls } from "./lib/calls-run.mjs";
import { commonHelp, limitProgram, readFlags } from "./lib/flags.mjs";
import { describeMachine } from "./lib/machine.mjs";
import { formatNumber, formatRatio, renderTable, renderTargets, writeRecord } from "./lib/report.mjs";
import { runRounds } from "./lib/rounds.mjs";
import { createTokenSource } from "./lib/tokens.mjs";

const help = `node bench/calls.mjs [options]
  --quick                small and short: a smoke run, its figures mean nothing
  --peers=a,b            of ${Object.keys(callers).join(", ")} (default all that can be had)
  --cases=a,b            of one, ten, stream, publish, publish-ten (default all that a peer can do)
  --rounds=n             default 5
  --seconds=n            measured per run, default 4
  --warmup=n             seconds before it, default 4
${commonHelp}`;

const calls = { action: "call", unit: "calls", connections: 50, itemsPerStream: 0 };
const publications = { action: "publish", unit: "publications", connections: 50, itemsPerStream: 0 };
const streams = { action: "stream", unit: "items", connections: 20, itemsPerStream: 1_000 };
const cases = {
  one: { name: "one call at a time", inFlight: 1, ...calls },
  ten: { name: "ten calls in flight", inFlight: 10, ...calls },
  stream: { name: "streams of 1,000 items", inFlight: 1, ...streams },
  publish: { name: "one publication at a time", inFlight: 1, ...publications },
  "publish-ten": { name: "ten publications in flight", inFlight: 10, ...publications },
};

const flags = readFlags({ help, names: ["peers", "cases", "rounds", "seconds", "warmup"] });
const wanted = flags.choice("peers", Object.keys(callers), Object.keys(callers));
const missing = wanted.includes("aspnet") ? aspnetMissing() : null;
if (missing !== null) console.error(`ASP.NET Core SignalR is left out: ${missing}`);
const peers = wanted.filter((peer) => peer !== "aspnet" || missing === null);
const chosen = flags
  .choice("cases", Object.keys(cases), Object.keys(cases))
  .map((name) => ({ id: name, ...cases[name] }));
const rounds = flags.amount("rounds", flags.isQuick ? 1 : 5);
const shared = {
  seconds: flags.amount("seconds", flags.isQuick ? 1 : 4),
  warmupSeconds: flags.amount("warmup", flags.isQuick ? 0.5 : 4),
  runLimitMs: 60_000,
};
limitProgram(flags.amount("time-limit", 1800));

const machine = describeMachine();
const source = await createTokenSource();
const tokens = await source.sign(Math.max(...chosen.map(({ connections }) => connections)));
const peersOf = ({ action }) => peers.filter((peer) => callers[peer][action] !== undefined);
const measured = await runRounds({
  cases: chosen,
  peers,
  peersOf,
  rounds,
  quiet: flags.quiet,
  name: ({ name }) => name,
  run: (one, peer) => runCalls({ ...shared, ...one, peer, tokens, config: source.config }),
  describe: (result) =>
    `${formatNumber(result.cpuPerUnitUs)} µs, ${formatNumber(result.unitsPerSecond)} a second, ` +
    `load ${result.serverLoad.toFixed(2)} / ${result.callerLoad.toFixed(2)}`,
});

const ratioTo = (at, peer, baseline) =>
  peer === baseline ? "1" : formatRatio(measured.ratioOf(at, "cpuPerUnitUs", peer, baseline));
const rows = chosen.flatMap((one, at) =>
  peersOf(one).map((peer) => [
    one.name,
    callers[peer].title,
    formatNumber(measured.middle(at, peer, "cpuPerUnitUs")),
    formatNumber(measured.middle(at, peer, "systemPerUnitUs")),
    ratioTo(at, peer, "socketio"),
    peers.includes("aspnet") ? ratioTo(at, peer, "aspnet") : "–",
    formatNumber(measured.middle(at, peer, "unitsPerSecond")),
    formatNumber(measured.middle(at, peer, "otherLoad")),
  ]),
);
const target = (id, name, most, baseline, peer = "hubward") => {
  const at = chosen.findIndex((one) => one.id === id);
  const isMeasured = at !== -1 && peers.includes(baseline) && peers.includes(peer);
  return { name, most, measured: isMeasured ? measured.ratioOf(at, "cpuPerUnitUs", peer, baseline) : null };
};
const targets = [
  target("one", "one call at a time: CPU, × Socket.IO", 1, "socketio"),
  target("ten", "ten calls in flight: CPU, × Socket.IO", 0.6, "socketio"),
  target("one", "one call at a time: CPU, × ASP.NET Core", 1.5, "aspnet"),
  target("publish", "one publication at a time in rooms: CPU, × Socket.IO", 1, "socketio", "hubward-rooms"),
  target("publish-ten", "ten publications in flight in rooms: CPU, × Socket.IO", 0.6, "socketio", "hubward-rooms"),
];
console.log(
  [
    `\n## Calls${flags.isQuick ? " (quick: figures mean nothing)" : ""}`,
    `Node ${machine.node}, ${machine.processor}; ${rounds} rounds of ${shared.seconds} s. ` +
      "Medians over rounds; ratios are taken within a round: median (least–most).",
    renderTable(
      ["case", "peer", "CPU µs", "of it kernel", "× Socket.IO", "× ASP.NET Core", "a second", "other load, cores"],
      rows,
    ),
    renderTargets(targets, flags.isQuick),
    ...measured.failures.map((failure) => `- ${failure}`),
  ].join("\n\n"),
);
const { results, failures } = measured;
const record = { machine, flags: flags.given, shared, cases: chosen, peers, results, targets, failures };
console.log(`\n${writeRecord("calls", record)}`);
process.exit(failures.length > 0 ? 1 : 0);
