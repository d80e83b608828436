/**
 * Fan-out side by side: what one delivery costs the server, and how long it takes, for a plain `ws` loop, Socket.IO
 * and Hubward's hubs and rooms. Run `node bench/fanout.mjs --help`; README.md says what is measured and what not to conclude.
 */

import { renderFanout } from "./lib/fanout-report.mjs";
import { runFanout } from "./lib/fanout-run.mjs";
import { commonHelp, limitProgram, readFlags } from "./lib/flags.mjs";
import { describeMachine } from "./lib/machine.mjs";
import { formatNumber, writeRecord } from "./lib/report.mjs";
import { runRounds } from "./lib/rounds.mjs";
import { arrivalModes, assertSchedule } from "./lib/schedule.mjs";
import { createTokenSource } from "./lib/tokens.mjs";

const peerNames = ["ws", "socketio", "hubward", "hubward-rooms"];
const help = `node bench/fanout.mjs [options]
  --quick                small and short: a smoke run, its figures mean nothing
  --peers=a,b            of ${peerNames.join(", ")} (default all)
  --profiles=a,b         of A, B, C20, C50 (default all)
  --arrivals=a,b         of ${arrivalModes.join(", ")}; default: A ticks, B ticks and even, C even
  --members=n --rate=n   instead of the profile's own
  --rounds=n             default 5
  --seconds=n            measured per run, default 5
  --warmup=n             seconds before it, default until a peer is warm: 10 for A, else 4
  --sampled=n            members whose latency is measured, default 50
${commonHelp}`;

const profiles = {
  // Many members, few messages: at 20 turns a second it takes seconds until everything is compiled.
  A: { members: 1000, rate: 20, arrivals: ["ticks"], warmupSeconds: 10 },
  B: { members: 500, rate: 400, arrivals: ["ticks", "even"] }, // more than one write per delivery can carry
  C20: { members: 500, rate: 20, arrivals: ["even"] }, // latency at rates that the loop sustains
  C50: { members: 500, rate: 50, arrivals: ["even"] },
};
const warmupSeconds = 4;
const quick = { members: 100, rounds: 1, seconds: 1, warmup: 0.5 };
const runLimitMs = 90_000;

const flags = readFlags({
  help,
  names: ["peers", "profiles", "arrivals", "members", "rate", "rounds", "seconds", "warmup", "sampled"],
});
const peers = flags.choice("peers", peerNames, peerNames);
const rounds = flags.amount("rounds", flags.isQuick ? quick.rounds : 5);
const shared = {
  seconds: flags.amount("seconds", flags.isQuick ? quick.seconds : 5),
  sampled: flags.amount("sampled", 50),
  runLimitMs,
};
const cases = flags.choice("profiles", Object.keys(profiles), Object.keys(profiles)).flatMap((profile) => {
  const { members, rate, arrivals, warmupSeconds: ownWarmup = warmupSeconds } = profiles[profile];
  return flags.choice("arrivals", arrivalModes, arrivals).map((mode) => {
    const one = {
      profile,
      arrivals: mode,
      rate: flags.amount("rate", rate),
      warmupSeconds: flags.amount("warmup", flags.isQuick ? quick.warmup : ownWarmup),
      members: flags.amount("members", flags.isQuick ? Math.min(members, quick.members) : members),
    };
    assertSchedule({ ...one, messages: 1 });
    return one;
  });
});
limitProgram(flags.amount("time-limit", 1800));

const machine = describeMachine();
const source = await createTokenSource();
const tokens = await source.sign(Math.max(...cases.map(({ members }) => members)));
const measured = await runRounds({
  cases,
  peers,
  rounds,
  quiet: flags.quiet,
  name: ({ profile, arrivals }) => `${profile} ${arrivals}`,
  run: (one, peer) => runFanout({ ...shared, ...one, peer, tokens, config: source.config }),
  describe: (result) =>
    `${formatNumber(result.cpuPerDeliveryUs)} µs/delivery, p50 ${formatNumber(result.p50Ms)} ms, ` +
    `p99 ${formatNumber(result.p99Ms)} ms, delivered ${(result.deliveredRatio * 100).toFixed(2)} %`,
});

const { text, targets } = renderFanout({ machine, isQuick: flags.isQuick, shared, cases, peers, rounds, measured });
console.log(text);
const { results, failures } = measured;
console.log(
  `\n${writeRecord("fanout", { machine, flags: flags.given, shared, cases, peers, results, targets, failures })}`,
);
process.exit(failures.length > 0 ? 1 : 0);
