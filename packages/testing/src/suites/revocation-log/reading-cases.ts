/** What is appended is numbered and read back. */

import assert from "node:assert/strict";
import type { NewRevocation } from "@hubward/server/ports";
import { contractCase, type RevocationLogCase } from "./case.js";
import { everyShape, HOSTILE_NAMES, issuer, sessionEnd } from "./entries.js";
import { appendAll, assertSame, numbersOf, readAll, recorder } from "./reading.js";

export const readingCases: readonly RevocationLogCase[] = [
  contractCase("an empty log has nothing to read and no number", async ({ log }) => {
    const { entries, upTo, head } = await log.read(0);
    assert.deepEqual({ entries, upTo, head }, { entries: [], upTo: 0, head: 0 });
  }),
  contractCase("numbers begin at 1 or later and strictly increase", async ({ log, clock }) => {
    const numbers = numbersOf(
      await appendAll(
        log,
        ["1", "2", "3", "4"].map((name) => sessionEnd(clock, name)),
      ),
    );
    for (const [index, number] of numbers.entries()) {
      assert.ok(Number.isSafeInteger(number) && number > (numbers[index - 1] ?? 0), `${numbers.join(", ")}`);
    }
  }),
  contractCase("what is appended is read back exactly, whatever stands in it", async ({ log, clock }) => {
    for (const name of HOSTILE_NAMES) {
      const asked = everyShape(clock, name);
      const { head } = await log.read(0);
      const appended = await appendAll(log, asked);
      const numbered = asked.map((entry, index) => ({ ...entry, number: appended[index]?.number }));
      assertSame(appended, numbered, "what append answers");
      const read = (await readAll(log, head)).entries;
      assertSame(read, appended, "what is read");
      for (const entry of read) assert.ok(Object.isFrozen(entry) && Object.isFrozen(entry.target), "a frozen entry");
    }
  }),
  contractCase("what is no entry is not taken, and spoils nothing for those beside it", async ({ log, clock }) => {
    const good = sessionEnd(clock, "good");
    const target = { type: "session", tenant: undefined, issuer, sessionId: "" };
    const wrong = [
      { ...good, kind: "pause" },
      { ...good, target },
      { ...good, keepUntil: undefined },
    ] as unknown as NewRevocation[];
    const outcomes = await Promise.allSettled([good, ...wrong, good].map((entry) => log.append(entry)));
    const taken = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["fulfilled", "rejected", "rejected", "rejected", "fulfilled"],
    );
    assertSame((await readAll(log)).entries, taken);
  }),
  contractCase("an entry can be read as soon as its append has resolved", async ({ log, clock }) => {
    for (const name of ["1", "2", "3"]) {
      const { number } = await log.append(sessionEnd(clock, name));
      const page = await readAll(log, number - 1);
      assert.deepEqual([numbersOf(page.entries), page.head], [[number], number]);
    }
  }),
  contractCase("reading after a number leaves out everything up to it", async ({ log, clock }) => {
    const numbers = numbersOf(
      await appendAll(
        log,
        ["1", "2", "3", "4"].map((name) => sessionEnd(clock, name)),
      ),
    );
    for (const [index, number] of numbers.entries()) {
      const page = await readAll(log, number);
      assert.deepEqual(numbersOf(page.entries), numbers.slice(index + 1));
      assert.equal(page.head, numbers.at(-1), "the head is the log's, not the page's");
    }
  }),
  contractCase("concurrent appends are numbered in the order they were asked for in", async ({ log, clock }) => {
    const listener = recorder();
    log.subscribe(listener);
    const asked = Array.from({ length: 64 }, (_, index) => sessionEnd(clock, `session-${index}`));
    const appended = await Promise.all(asked.map((entry) => log.append(entry)));
    assertSame(
      appended.map(({ target }) => target),
      asked.map(({ target }) => target),
    );
    const numbers = numbersOf(appended);
    assert.equal(new Set(numbers).size, 64, "numbers were given twice");
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    assert.deepEqual(numbersOf((await readAll(log)).entries), numbers);
    assert.deepEqual(numbersOf(listener.told), numbers);
  }),
  contractCase("a long log is read in pages, none missing and none twice", async ({ log, clock }) => {
    const asked = Array.from({ length: 2_500 }, (_, index) => sessionEnd(clock, `session-${index}`));
    const numbers = numbersOf(await Promise.all(asked.map((entry) => log.append(entry))));
    const first = await log.read(0);
    assert.ok(first.entries.length <= 2_000, `one page of ${first.entries.length}`);
    assert.deepEqual(numbersOf((await readAll(log)).entries), numbers);
  }),
];
