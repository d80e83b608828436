/** The promises about credentials, under random schedules: what a checker that trusts nobody makes of each history. */

import { describe, expect, test } from "vitest";
import { check, type Violation } from "./check.js";
import { runSchedule, type ScheduleOptions } from "./schedule.js";
import { World } from "./world.js";

async function violationsOf(seed: number, options: ScheduleOptions): Promise<{ world: World; found: readonly Violation[] }> {
  const world = new World({ seed });
  await runSchedule(world, options);
  return { world, found: check(world.history.events) };
}

describe("no invariant is broken", () => {
  test("in many small wards", async () => {
    const totals: Record<string, number> = {};
    for (let seed = 1; seed <= Number(process.env["SEEDS"] ?? 150); seed++) {
      const { world, found } = await violationsOf(seed, { steps: 400, crowd: 30 });
      expect({ seed, found: found.slice(0, 5) }).toEqual({ seed, found: [] });
      for (const [name, count] of Object.entries(world.history.counts())) totals[name] = (totals[name] ?? 0) + count;
    }
    console.log(totals);
  });
});
