/** Listeners are told of every entry, in order, whatever the others among them do. */

import assert from "node:assert/strict";
import type { Revocation, RevocationPage } from "@hubward/server/ports";
import { contractCase, type RevocationLogCase } from "./case.js";
import { sessionEnd } from "./entries.js";
import { appendAll, assertSame, heard, numbersOf, readAll, recorder } from "./reading.js";

export const listenerCases: readonly RevocationLogCase[] = [
  contractCase("a listener is told of each entry once and in order, before its append resolves", async (bench) => {
    const { log, clock } = bench;
    await log.append(sessionEnd(clock, "before"));
    const [first, second] = [recorder(), recorder()];
    log.subscribe(first);
    const end = log.subscribe(second);
    const appended: Revocation[] = [];
    for (const name of ["1", "2", "3"]) {
      appended.push(await log.append(sessionEnd(clock, name)));
      assertSame(first.told, appended);
    }
    end();
    appended.push(await log.append(sessionEnd(clock, "4")));
    assertSame(first.told, appended);
    assertSame(second.told, appended.slice(0, 3), "whoever left is told nothing");
    assert.deepEqual(first.interruptions, []);
  }),
  contractCase("a listener is told of nothing that cannot be read", async ({ log, clock }) => {
    const reads: Promise<RevocationPage>[] = [];
    const listener = { ...recorder(), entry: ({ number }: Revocation) => void reads.push(heard(log.read(number - 1))) };
    log.subscribe(listener);
    const { number } = await log.append(sessionEnd(clock, "1"));
    const pages = await Promise.all(reads);
    assert.deepEqual(
      pages.map(({ entries }) => numbersOf(entries)),
      [[number]],
    );
  }),
  contractCase("a listener that fails is told so, and keeps nothing from the others", async ({ log, clock }) => {
    const failure = new Error("planted");
    const failing = {
      ...recorder(),
      entry: (): void => {
        throw failure;
      },
    };
    const other = recorder();
    log.subscribe(failing);
    log.subscribe(other);
    const appended = await appendAll(log, [sessionEnd(clock, "1"), sessionEnd(clock, "2")]);
    assert.deepEqual(failing.interruptions, [failure, failure]);
    assertSame(other.told, appended);
    assertSame((await readAll(log)).entries, appended);
  }),
  contractCase("a listener that appends changes nobody's order", async ({ log, clock }) => {
    const appends: Promise<Revocation>[] = [];
    let more = 0;
    log.subscribe({
      ...recorder(),
      entry: () => {
        if (more < 3) appends.push(heard(log.append(sessionEnd(clock, `more-${more++}`))));
      },
    });
    const other = recorder();
    log.subscribe(other);
    await log.append(sessionEnd(clock, "first"));
    for (let index = 0; index < 3; index++) await appends[index];
    assert.deepEqual(numbersOf(other.told), numbersOf((await readAll(log)).entries));
    assert.equal(other.told.length, 4);
  }),
];
