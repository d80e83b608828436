/**
 * The promises about credentials, under random schedules: what a checker that trusts nobody makes of each history. A
 * failure names its seed; `HUBWARD_SCHEDULES=400 npx vitest run tests/history/schedules.test.ts` looks further.
 */

import { describe, expect, test } from "vitest";
import { check } from "./check.js";
import type { History } from "./history.js";
import { runWithRestarts } from "./restarts.js";
import { arriveLate, runSchedule } from "./schedule.js";
import { World } from "./world.js";

const schedules = Number(process.env["HUBWARD_SCHEDULES"] ?? 60);
const timeout = Math.max(120_000, schedules * 2_000);

/** Runs a schedule for every seed and adds up what happened, so that a run in which nothing did cannot pass. */
async function runAll(count: number, run: (seed: number) => Promise<World>): Promise<Readonly<Record<string, number>>> {
  const totals: Record<string, number> = {};
  for (let seed = 1; seed <= count; seed++) {
    const { history } = await run(seed);
    expect({ seed, violations: check(history.events).slice(0, 5) }).toEqual({ seed, violations: [] });
    for (const [name, each] of Object.entries(history.counts())) totals[name] = (totals[name] ?? 0) + each;
    for (const [name, each] of Object.entries(countsByWay(history))) totals[name] = (totals[name] ?? 0) + each;
  }
  return totals;
}

/** What was done and told over each transport, in each encoding: `dispatch LongPolling json`. */
function countsByWay({ events }: History): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const event of events) {
    if (!("connection" in event)) continue;
    const [, way = ""] = /^c\d+ (.*)/.exec(event.connection) ?? [];
    const name = `${event.type === "delivery" ? event.frame : event.type} ${way}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

const ways = [
  "WebSockets json",
  "WebSockets messagepack",
  "ServerSentEvents json",
  "LongPolling json",
  "LongPolling messagepack",
];
const shownByAll = ["attached", "dispatch", "event", "result", "control", "close", "renewed"];
const overEachWay = [
  ...ways.flatMap((way) => [...shownByAll, "item"].map((name) => `${name} ${way}`)),
  // Rooms have no streams.
  ...shownByAll.map((name) => `${name} Rooms json`),
];

const everything = [
  ["opened", "attached", "dispatch", "effect", "event", "result", "item", "control", "close"],
  ["presented", "renewed", "declined", "joining", "left", "changed", "rechecked", "revoked", "lifting", "blocked"],
].flat();

describe("no invariant is broken", () => {
  test("in many small wards", { timeout }, async () => {
    const totals = await runAll(schedules, async (seed) => {
      const world = new World({ seed });
      await runSchedule(world, { steps: 300, crowd: 25 });
      return world;
    });
    expect(everything.filter((name) => (totals[name] ?? 0) < schedules / 2)).toEqual([]);
    expect(overEachWay.filter((name) => totals[name] === undefined)).toEqual([]);
  });

  test("in a few large ones", { timeout }, async () => {
    const totals = await runAll(Math.ceil(schedules / 20), async (seed) => {
      const world = new World({ seed });
      await runSchedule(world, { steps: 400, crowd: 300 });
      return world;
    });
    expect(everything.filter((name) => totals[name] === undefined)).toEqual([]);
  });

  test("where attempts to connect take as long as they may", { timeout }, async () => {
    const nobody = { weight: 0, step: () => undefined };
    const late = { weight: 20, step: (world: World) => void arriveLate(world) };
    const further = { arrive: nobody, "arrive again": nobody, "arrive late": late };
    const totals = await runAll(schedules, async (seed) => {
      const world = new World({ seed });
      await runSchedule(world, { steps: 120, crowd: 0, further });
      return world;
    });
    const happened = ["opened", "attached", "joining", "event", "changed", "rechecked"];
    expect(happened.filter((name) => (totals[name] ?? 0) < schedules / 10)).toEqual([]);
  });

  test("where the process drains or dies, and another one goes on with its database", { timeout }, async () => {
    const totals = await runAll(Math.ceil(schedules / 6), (seed) => runWithRestarts({ seed }, 300));
    expect(totals["restarted"]).toBeGreaterThan(schedules / 6);
    expect(totals["draining"]).toBeGreaterThan(0);
    expect(everything.filter((name) => totals[name] === undefined)).toEqual([]);
  });
});
