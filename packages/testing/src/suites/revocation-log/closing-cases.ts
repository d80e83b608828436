/** What is left of a log that is closed, and of one that is opened again. */

import assert from "node:assert/strict";
import { contractCase, type RevocationLogCase } from "./case.js";
import { everyShape, HOSTILE_NAMES, sessionEnd, TOKEN_AGE_MS } from "./entries.js";
import { appendAll, assertSame, numbersOf, readAll, recorder } from "./reading.js";

export const closingCases: readonly RevocationLogCase[] = [
  contractCase("a closed log takes nothing, tells nothing and says which of it", async ({ log, clock }) => {
    const listener = recorder();
    log.subscribe(listener);
    await log.close();
    await log.close();
    assert.equal(await refusal(() => log.append(sessionEnd(clock, "late"))), "not_durable");
    assert.equal(await refusal(() => log.read(0)), "auth_unavailable");
    assert.equal(await refusal(() => log.subscribe(recorder())), "auth_unavailable");
    assert.deepEqual(listener.told, []);
  }),
  contractCase(
    "opened again, it is the same log, with every entry and every number",
    async ({ log, clock, reopen }) => {
      assert.equal(log.isDurable, true, "a log that is not durable leaves this case out");
      const appended = await appendAll(
        log,
        HOSTILE_NAMES.flatMap((name) => everyShape(clock, name)),
      );
      const before = await readAll(log);
      const again = await reopen();
      assertSame(await readAll(again), before);
      const next = await again.append(sessionEnd(clock, "next"));
      assert.ok(next.number > (appended.at(-1)?.number ?? 0), "a number was given again");
    },
    ["place"],
  ),
  contractCase(
    "opened again after everything was forgotten, it still knows its last number",
    async ({ log, clock, reopen }) => {
      const { number } = await log.append(sessionEnd(clock, "old"));
      clock.advance(TOKEN_AGE_MS);
      assert.deepEqual((await readAll(log)).entries, []);
      const again = await reopen();
      const page = await readAll(again);
      assert.deepEqual([page.entries, page.head], [[], number]);
      assert.ok((await again.append(sessionEnd(clock, "new"))).number > number, "a number was given again");
    },
    ["place", "clock"],
  ),
  contractCase(
    "closed in the middle of appends, it settles them first, and has kept what it said it kept",
    async ({ log, clock, reopen }) => {
      let settled = 0;
      const appends = Array.from({ length: 20 }, (_, index) => log.append(sessionEnd(clock, `session-${index}`)));
      for (const append of appends) void append.catch(() => undefined).then(() => settled++);
      await log.close();
      // Only promises are let go on here, and no I/O.
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      assert.equal(settled, 20, "closed before its appends were settled");
      const outcomes = await Promise.allSettled(appends);
      const kept = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
      const read = new Set(numbersOf((await readAll(await reopen())).entries));
      for (const { number } of kept) assert.ok(read.has(number), `${number} was promised`);
    },
    ["place"],
  ),
];

async function refusal(attempt: () => unknown): Promise<unknown> {
  try {
    await attempt();
  } catch (error) {
    return error instanceof Error && "reason" in error ? error.reason : error;
  }
  return "nothing: it was done";
}
