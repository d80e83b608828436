/** How long entries stay: until no token of theirs can live, suspensions until they are lifted. */

import assert from "node:assert/strict";
import type { RevocationLog } from "@hubward/server/ports";
import { contractCase, type RevocationLogCase } from "./case.js";
import { entryOf, issuer, onPerson, sessionEnd, TOKEN_AGE_MS } from "./entries.js";
import { appendAll, assertSame, readAll } from "./reading.js";

export const forgettingCases: readonly RevocationLogCase[] = [
  contractCase(
    "an entry is remembered until it need not be, then forgotten, and its number never given again",
    async ({ log, clock }) => {
      const [first] = await appendAll(log, [sessionEnd(clock, "early")]);
      clock.advance(1_000);
      const [second] = await appendAll(log, [sessionEnd(clock, "late")]);
      assert.ok(first !== undefined && second !== undefined);
      clock.advance(TOKEN_AGE_MS - 1_001);
      assertSame((await readAll(log)).entries, [first, second], "one was forgotten too early");
      clock.advance(1);
      assertSame((await readAll(log)).entries, [second], "one was not forgotten");
      clock.advance(1_000);
      const page = await readAll(log);
      assert.deepEqual([page.entries, page.upTo, page.head], [[], second.number, second.number]);
      const third = await log.append(sessionEnd(clock, "next"));
      assert.ok(third.number > second.number, "a number was given again");
    },
    ["clock"],
  ),
  contractCase(
    "a suspension stands for ever, unless it is lifted, and is never seen without its lift",
    async ({ log, clock }) => {
      await appendAll(log, [
        onPerson(clock, "suspension", "ann"),
        onPerson(clock, "suspension", "bob"),
        onPerson(clock, "suspension", "bob"),
        onPerson(clock, "suspension", "eve"),
      ]);
      clock.advance(TOKEN_AGE_MS);
      assert.deepEqual(await suspendedIn(log), ["ann", "bob", "eve"]);
      await appendAll(log, [onPerson(clock, "lift", "bob"), onPerson(clock, "lift", "eve")]);
      await log.append(onPerson(clock, "suspension", "eve"));
      for (let halves = 0; halves < 6; halves++) {
        assert.deepEqual(await suspendedIn(log), ["ann", "eve"], `after ${halves} half token ages`);
        clock.advance(TOKEN_AGE_MS / 2);
      }
    },
    ["clock"],
  ),
  contractCase("a lift takes nothing away but suspensions, and of its own target only", async ({ log, clock }) => {
    const person = { type: "identity", tenant: "north", issuer, subject: "ann" } as const;
    const stay = await appendAll(log, [
      entryOf(clock, { kind: "claims-changed", target: person }),
      onPerson(clock, "suspension", "bob"),
      entryOf(clock, { kind: "suspension", target: { ...person, tenant: undefined } }),
      entryOf(clock, { kind: "end", target: { type: "issued-before", before: clock.now(), scope: person } }),
    ]);
    await log.append(onPerson(clock, "suspension", "ann"));
    const lift = await log.append(onPerson(clock, "lift", "ann"));
    const read = (await readAll(log)).entries.filter(({ number }) => number !== lift.number - 1);
    assertSame(read, [...stay, lift]);
  }),
  contractCase("a lift is there for those who read on from the suspension", async ({ log, clock }) => {
    const { number } = await log.append(onPerson(clock, "suspension", "ann"));
    const lift = await log.append(onPerson(clock, "lift", "ann"));
    assertSame((await readAll(log, number)).entries, [lift]);
  }),
];

/** Who is suspended, for somebody who reads the log from its beginning. */
async function suspendedIn(log: RevocationLog): Promise<string[]> {
  const suspended = new Set<string>();
  for (const { kind, target } of (await readAll(log)).entries) {
    if (target.type !== "identity") continue;
    if (kind === "suspension") suspended.add(target.subject);
    if (kind === "lift") suspended.delete(target.subject);
  }
  return [...suspended];
}
