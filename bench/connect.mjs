/**
 * Connections side by side: what it costs the server to authenticate and open one, and what an idle one holds, for a
 * hand-written `ws` server, Socket.IO and Hubward. Run `node bench/connect.mjs --help`; README.md says more.
 */

import { measureConnects, measureIdleMemory } from "./lib/connect-run.mjs";
import { renderConnect } from "./lib/connect-report.mjs";
import { commonHelp, limitProgram, readFlags } from "./lib/flags.mjs";
import { describeMachine } from "./lib/machine.mjs";
import { formatNumber, writeRecord } from "./lib/report.mjs";
import { runRounds } from "./lib/rounds.mjs";
import { createTokenSource } from "./lib/tokens.mjs";

const help = `node bench/connect.mjs [options]
  --quick                small and short: a smoke run, its figures mean nothing
  --measure=a,b          of cpu, memory (default both)
  --peers=a,b            of ws, ws-jose, socketio, hubward (default all; cpu leaves ws out, which checks no token)
  --rounds=n             default 5
  --connects=n           measured per run of cpu, default 3000
  --warmup=n             connections before them, default 8000
  --idle=n               connections measured per run of memory, default 4000
  --idle-base=n          connections before the first reading, default 1000
  --settle=n             seconds before each reading of memory, default 2
${commonHelp}`;

const peerNames = ["ws", "ws-jose", "socketio", "hubward"];
const quick = { rounds: 1, connects: 200, warmup: 100, idle: 400, idleBase: 200, settle: 0.2 };
const runLimitMs = 90_000;

const flags = readFlags({
  help,
  names: ["measure", "peers", "rounds", "connects", "warmup", "idle", "idle-base", "settle"],
});
const peers = flags.choice("peers", peerNames, peerNames);
const rounds = flags.amount("rounds", flags.isQuick ? quick.rounds : 5);
const counts = {
  connects: flags.amount("connects", flags.isQuick ? quick.connects : 3000),
  warmup: flags.amount("warmup", flags.isQuick ? quick.warmup : 8000),
  idle: flags.amount("idle", flags.isQuick ? quick.idle : 4000),
  idleBase: flags.amount("idle-base", flags.isQuick ? quick.idleBase : 1000),
};
const settleMs = 1000 * flags.amount("settle", flags.isQuick ? quick.settle : 2);
const measures = flags.choice("measure", ["cpu", "memory"], ["cpu", "memory"]);
limitProgram(flags.amount("time-limit", 1800));

const machine = describeMachine();
const source = await createTokenSource();
/** Every run starts a new server, which has seen none of them: they may be the same in all runs. */
const signed = {
  cpu: { firstTokens: await source.sign(counts.warmup), tokens: await source.sign(counts.connects) },
  memory: { firstTokens: await source.sign(counts.idleBase), tokens: await source.sign(counts.idle) },
};
const config = { ...source.config, authenticate: true };

const kinds = {
  cpu: {
    peers: peers.filter((peer) => peer !== "ws"),
    run: (peer) => measureConnects({ ...signed.cpu, peer, config, runLimitMs }),
    describe: (result) =>
      `${formatNumber(result.cpuPerConnectUs)} µs/connect, ${formatNumber(result.connectsPerSecond)} a second`,
  },
  memory: {
    peers,
    run: (peer) => measureIdleMemory({ ...signed.memory, peer, config, runLimitMs, settleMs }),
    describe: (result) =>
      `${formatNumber(result.rssPerConnectionBytes / 1024)} KiB resident, ` +
      `${formatNumber(result.heapPerConnectionBytes / 1024)} KiB in the heap`,
  },
};

const measured = {};
for (const kind of measures) {
  const { run, describe, peers: kindPeers } = kinds[kind];
  measured[kind] = await runRounds({
    cases: [kind],
    peers: kindPeers,
    rounds,
    quiet: flags.quiet,
    name: (one) => one,
    run: (_one, peer) => run(peer),
    describe,
  });
}

const { text, targets } = renderConnect({ machine, isQuick: flags.isQuick, counts, peers, rounds, measured });
console.log(text);
const failures = Object.values(measured).flatMap((kind) => kind.failures);
const results = Object.fromEntries(
  Object.entries(measured).map(
    ([
      kind,
      {
        results: [byPeer],
      },
    ]) => [kind, byPeer],
  ),
);
console.log(`\n${writeRecord("connect", { machine, flags: flags.given, counts, peers, results, targets, failures })}`);
process.exit(failures.length > 0 ? 1 : 0);
