/**
 * The life of a credential: what a call's checks cost, what a re-authentication costs beside verifying its token, and
 * what happens when very many credentials expire, or are revoked, in one moment. Run `node bench/life.mjs --help`; README.md says more.
 */

import { commonHelp, limitProgram, readFlags } from "./lib/flags.mjs";
import {
  measureCalls,
  measureExpiry,
  measureLogouts,
  measureReauthentication,
  measureRevocation,
  measureVerification,
} from "./lib/life-run.mjs";
import { describeMachine } from "./lib/machine.mjs";
import { formatNumber, formatRatio, renderTable, renderTargets, writeRecord } from "./lib/report.mjs";
import { runRounds } from "./lib/rounds.mjs";
import { createTokenSource } from "./lib/tokens.mjs";

const help = `node bench/life.mjs [options]
  --quick                small and short: a smoke run, its figures mean nothing
  --measure=a,b          of checks, reauthentication, expiry, revocation, logout (default all)
  --rounds=n             default 5
  --seconds=n            of calls, measured per run, default 4
  --warmup=n             seconds before them, default 4
  --connections=n        that re-authenticate, default 1000
  --expiring=n           connections that expire together, default 10000: needs as many file descriptors twice
  --revoked=n            connections of one tenant that is revoked, default 10000: as many again
  --logouts=n            one by one, among 10 times as many connections and among those of --revoked, default 200
  --lead=n               seconds that their tokens live: connecting them all must not take longer, default 60
${commonHelp}`;

const measures = ["checks", "reauthentication", "expiry", "revocation", "logout"];
const runLimitMs = 150_000;
/** In-band attempts of one connection at once are bounded (docs/credential-lifecycle.md): two warm up, three count. */
const warmups = 2;
const renewals = 3;

const flags = readFlags({
  help,
  names: ["measure", "rounds", "seconds", "warmup", "connections", "expiring", "revoked", "logouts", "lead"],
});
const chosen = flags.choice("measure", measures, measures);
const rounds = flags.amount("rounds", flags.isQuick ? 1 : 5);
const seconds = flags.amount("seconds", flags.isQuick ? 1 : 4);
const warmupSeconds = flags.amount("warmup", flags.isQuick ? 0.5 : 4);
const connections = flags.amount("connections", flags.isQuick ? 50 : 1_000);
const expiring = flags.amount("expiring", flags.isQuick ? 200 : 10_000);
const revoked = flags.amount("revoked", flags.isQuick ? 200 : 10_000);
const logouts = flags.amount("logouts", flags.isQuick ? 10 : 200);
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
  revocation: async () => ({
    peers: ["ws", "hubward"],
    run: (peer) => measureRevocation({ ...shared, peer, connections: revoked, source }),
    describe: ({ toldMs, gatedMs, maxMs, missed }) =>
      `gated after ${formatNumber(gatedMs)} ms, all told after ${formatNumber(toldMs)} ms, ${missed} missed, ` +
      `loop held ${formatNumber(maxMs)} ms at most`,
  }),
  logout: async () => ({
    peers: ["few", "many"],
    run: (peer) => measureLogouts({ ...shared, connections: peer === "few" ? logouts * 10 : revoked, logouts, source }),
    describe: ({ cpuPerUnitUs }) => `${formatNumber(cpuPerUnitUs)} µs a logout`,
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
  closing: `bare ws, closes ${revoked}`,
  told: `Hubward, revokes ${revoked}: all told`,
  gated: `Hubward, revokes ${revoked}: all gated`,
  few: `logout among ${logouts * 10} connections`,
  many: `logout among ${revoked} connections`,
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
if (measured.revocation)
  rows.push(
    row("revocation", "ws", "toldMs", "ms", "ws", titles.closing),
    row("revocation", "hubward", "toldMs", "ms", "ws", titles.told),
    row("revocation", "hubward", "gatedMs", "ms", "ws", titles.gated),
  );
if (measured.logout)
  for (const peer of ["few", "many"]) rows.push(row("logout", peer, "cpuPerUnitUs", "µs CPU", "few", titles[peer]));

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
  {
    name: "revocation: until all clients were told, × bare ws closing",
    most: 4,
    measured: ratioOf("revocation", "toldMs", "hubward", "ws"),
  },
  {
    name: "revocation: until all were gated (receipt), × bare ws closing",
    most: 0.1,
    measured: ratioOf("revocation", "gatedMs", "hubward", "ws"),
  },
  {
    name: `logout: CPU among ${revoked}, × among ${logouts * 10}`,
    most: 1.5,
    measured: ratioOf("logout", "cpuPerUnitUs", "many", "few"),
  },
];
const failures = Object.values(measured).flatMap((kind) => kind.failures);
const missed = Object.fromEntries(
  ["expiry", "revocation"]
    .filter((kind) => measured[kind])
    .map((kind) => [kind, measured[kind].figures(0, "hubward", "missed")]),
);
for (const [kind, counts] of Object.entries(missed))
  if (counts.some((count) => count > 0)) failures.push(`${kind}: missed, by round: ${counts.join(", ")}`);
console.log(
  [
    `\n## Life of a credential${flags.isQuick ? " (quick: figures mean nothing)" : ""}`,
    `Node ${machine.node}, ${machine.processor}, load average ${machine.loadAverage.map(formatNumber).join(", ")}; ` +
      `${rounds} rounds. Medians over rounds; ratios are taken within a round: median (least–most).`,
    renderTable(["what", "measured", "ratio", "other load, cores"], rows),
    ...Object.entries(missed).map(([kind, counts]) => `Missed by the ${kind}, by round: ${counts.join(", ")}.`),
    renderTargets(targets, flags.isQuick),
    ...failures.map((failure) => `- ${failure}`),
  ].join("\n\n"),
);
const results = Object.fromEntries(Object.entries(measured).map(([kind, { results: all }]) => [kind, all[0]]));
console.log(`\n${writeRecord("life", { machine, flags: flags.given, rounds, results, targets, failures })}`);
process.exit(failures.length > 0 ? 1 : 0);
