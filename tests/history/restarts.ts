/** Schedules in which the process drains or dies, and another one goes on with the same database. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSqliteIdempotencyStore, createSqliteRevocationLog, openDatabase, type Database } from "@hubward/sqlite";
import type { RevocationLog } from "@hubward/server/ports";
import { arriveAgain, runSchedule } from "./schedule.js";
import { World, type WorldOptions } from "./world.js";
import type { WardOptions } from "./ward-app.js";

/** Puts something else in the place of the log: where a test plants its fault. */
export type PlantLog = (log: RevocationLog) => RevocationLog;

/** Runs one schedule with a few deaths in it. */
export async function runWithRestarts(
  options: WorldOptions,
  steps: number,
  plantLog: PlantLog = (log) => log,
): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "hubward-history-"));
  const path = join(folder, "hubward.db");
  const opened: Database[] = [];
  const world = new World(options);

  async function start(): Promise<void> {
    await opened.at(-1)?.close();
    const database = await openDatabase({ path });
    opened.push(database);
    const stores: Partial<WardOptions> = {
      revocations: plantLog(createSqliteRevocationLog({ database, clock: world.clock })),
      idempotency: createSqliteIdempotencyStore({ database, clock: world.clock }),
    };
    world.restart(stores);
    await world.ward.app.ready();
  }

  try {
    await start();
    let isOver = false;
    let starting: Promise<void> | undefined;
    // One at a time; and none behind the end.
    const next = async (): Promise<void> => {
      if (!isOver) await (starting ??= start().finally(() => (starting = undefined)));
    };
    const further = {
      "the process dies": { weight: 1.5, step: next },
      "the process drains, and dies in the middle or behind it": {
        weight: 1.5,
        step: (alive: World) => {
          void alive.drain();
          alive.clock.after(alive.choices.between(0, 8_000), () => void next());
        },
      },
      "come back, whoever was here": { weight: 25, step: (alive: World) => void arriveAgain(alive) },
    };
    await runSchedule(world, { steps, crowd: 20, further });
    isOver = true;
    await starting;
    return world;
  } finally {
    await opened.at(-1)?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
