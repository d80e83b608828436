/**
 * The life of a credential: what a call's checks cost, what a re-authentication costs beside verifying its token, and
 * what happens when very many credentials expire in one moment. Run `node bench/life.mjs --help`; README.md says more.
 */

import { commonHelp, limitProgram, readFlags } from "./lib/flags.mjs";
import { measureCalls, measureExpiry, measureReauthentication, measureVerification } from "./lib/life-run.mjs";
import { describeMachine } from "./lib/machine.mjs";
import { formatNumber, formatRatio, renderTable, renderTargets, writeRecord } from "./lib/report.mjs";
import { runRounds } from "./lib/rounds.mjs";
import { createTokenSource } from "./lib/tokens.mjs";

const help = `node bench/life.mjs [options]
  --quick                small and short: a smoke run, its figures mean nothing
  --measure=a,b          of checks, reauthentication, expiry (default all)
  --rounds=n             default 5
  --seconds=n            of calls, measured per run, default 4
  --warmup=n             seconds before them, default 4
  --connections=n        that re-authenticate, default 1000
  --expiring=n           connections that expire together, default 10000: needs as many file descriptors twice
  --lead=n               seconds that their tokens live: connecting them all must not take longer, default 60
${commonHelp}`;

const measures = ["checks", "reauthentication", "expiry"];
const runLimitMs = 150_000;
/** In-band attempts of one connection at once are bounded (docs/credential-lifecycle.md): two warm up, three count. */
const warmups = 2;
const renewals = 3;

const flags = readFlags({ help, names: ["measure", "rounds", "seconds", "warmup", "connections", "expiring", "lead"] });
const chosen = flags.choice("measure", measures, measures);
const rounds = flags.amount("rounds", flags.isQuick ? 1 : 5);
const seconds = flags.amount("seconds", flags.isQuick ? 1 : 4);
const warmupSeconds = flags.amount("warmup", flags.isQuick ? 0.5 : 4);
const connections = flags.amount("connections", flags.isQuick ? 50 : 1_000);
const expiring = flags.amount("expiring", flags.isQuick ? 200 : 10_000);
const leadSeconds = flags.amount("lead", flags.isQuick ? 10 : 60);
limitProgram(flags.amount("time-limit", 1800));

const machine = describeMachine();
const source = await createTokenSource();
const shared = { config: source.config, runLimitMs };

const kinds = {
  checks: async () => {
    const tokens = await source.sign(50);
    return {
      peers: ["unchecked", "checked"],
      run: (path) => measureCalls({ ...shared, path: `/${path}`, tokens, seconds, warmupSeconds }),
      describe: ({ cpuPerUnitUs }) => `${formatNumber(cpuPerUnitUs)} µs a call`,
    };
  },
  reauthentication: async () => {
    const series = await source.signSeries(connections, 1 + warmups + renewals);
    const between = (first, end) => series.flatMap((tokens) => tokens.slice(first, end));
    const own = { firstTokens: between(1, 1 + warmups), tokens: between(1 + warmups) };
    return {
      peers: ["jose", "hubward"],
      run: (peer) =>
        peer === "jose"
          ? measureVerification({ ...shared, ...own })
          : measureReauthentication({ ...shared, series, warmups }),
      describe: ({ cpuPerUnitUs }) => `${formatNumber(cpuPerUnitUs)} µs a token`,
    };
  },
  expiry: async () => ({
    peers: ["ws", "hubward"],
    run: (peer) => measureExpiry({ ...shared, peer, connections: expiring, source, leadSeconds }),
    describe: ({ maxMs, missed, tookMs }) =>
      `loop held ${formatNumber(maxMs)} ms at most, ${missed} missed, all gone after ${formatNumber(tookMs)} ms`,
  }),
};

const measured = {};
for (const kind of chosen) {
  const { peers, run, describe } = await kinds[kind]();
  const options = { cases: [kind], peers, rounds, quiet: flags.quiet, name: (one) => one };
  measured[kind] = await runRounds({ ...options, run: (_one, peer) => run(peer), describe });
}

const titles = {
  unchecked: "call, policies constant true",
  checked: "call, hub + method + resource policy, schema",
  jose: "jwtVerify alone",
  reauthentication: "hubward.reauthenticate",
  ws: `bare ws, closes ${expiring}`,
  expiry: `Hubward, ${expiring} expire`,
};
const ratioOf = (kind, figure, peer, baseline) => measured[kind]?.ratioOf(0, figure, peer, baseline) ?? null;
const row = (kind, peer, figure, unit, baseline, title) => [
  title,
  `${formatNumber(measured[kind].middle(0, peer, figure))} ${unit}`,
  peer === baseline ? "1" : formatRatio(ratioOf(kind, figure, peer, baseline)),
  formatNumber(measured[kind].middle(0, peer, "otherLoad")),
];
const rows = [];
if (measured.checks)
  for (const peer of ["unchecked", "checked"])
    rows.push(row("checks", peer, "cpuPerUnitUs", "µs CPU", "unchecked", titles[peer]));
if (measured.reauthentication)
  for (const peer of ["jose", "hubward"])
    rows.push(
      row(
        "reauthentication",
        peer,
        "cpuPerUnitUs",
        "µs CPU",
        "jose",
        peer === "jose" ? titles.jose : titles.reauthentication,
      ),
    );
if (measured.expiry)
  for (const peer of ["ws", "hubward"])
    rows.push(row("expiry", peer, "maxMs", "ms held", "ws", peer === "ws" ? titles.ws : titles.expiry));

const targets = [
  {
    name: "a call's checks: CPU, × the call without them",
    most: 1.25,
    measured: ratioOf("checks", "cpuPerUnitUs", "checked", "unchecked"),
  },
  {
    name: "in-band re-authentication: CPU, × jose's jwtVerify",
    most: 1.5,
    measured: ratioOf("reauthentication", "cpuPerUnitUs", "hubward", "jose"),
  },
  {
    name: "simultaneous expiries: event loop held, × bare ws closing",
    most: 1,
    measured: ratioOf("expiry", "maxMs", "hubward", "ws"),
  },
];
const failures = Object.values(measured).flatMap((kind) => kind.failures);
const missed = measured.expiry?.figures(0, "hubward", "missed") ?? [];
if (missed.some((count) => count > 0)) failures.push(`expiries missed, by round: ${missed.join(", ")}`);
console.log(
  [
    `\n## Life of a credential${flags.isQuick ? " (quick: figures mean nothing)" : ""}`,
    `Node ${machine.node}, ${machine.processor}, load average ${machine.loadAverage.map(formatNumber).join(", ")}; ` +
      `${rounds} rounds. Medians over rounds; ratios are taken within a round: median (least–most).`,
    renderTable(["what", "measured", "ratio", "other load, cores"], rows),
    ...(measured.expiry ? [`Expiries missed, by round: ${missed.join(", ")}.`] : []),
    renderTargets(targets, flags.isQuick),
    ...failures.map((failure) => `- ${failure}`),
  ].join("\n\n"),
);
const results = Object.fromEntries(Object.entries(measured).map(([kind, { results: all }]) => [kind, all[0]]));
console.log(`\n${writeRecord("life", { machine, flags: flags.given, rounds, results, targets, failures })}`);
process.exit(failures.length > 0 ? 1 : 0);
