/** What a peer hears and is told it did not, whatever it reads, however its groups and its credential come and go. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admissionOf, createFixture, text, type Staff } from "../../../test/connection-fixture.js";
import { allowAll, groupOf } from "../../../test/hub-fixture.js";
import { declareTemplate, groupKey, groupName, type GroupReference } from "../groups/group.js";
import type { WhenSlow } from "../groups/when-slow.js";
import { Publication } from "../publication.js";
import type { Outbox } from "./outbox.js";

const KIB = 1024;
const MAX_BYTES = 256 * KIB;

const rules: Record<string, WhenSlow | undefined> = {
  chat: undefined,
  vitals: "drop-oldest",
  waves: "drop-oldest",
  states: { latest: (_, [, key]) => key as number },
};
type Name = keyof typeof rules;

const act = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      say: fc.constantFrom<Name>(...Object.keys(rules), "vitals", "states"),
      kib: fc.constantFrom(1, 5, 20, 40),
      key: fc.integer({ min: 1, max: 3 }),
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ own: fc.constantFrom(1, 5, 20) }) },
  { weight: 8, arbitrary: fc.constantFrom("turn", "confirm", "stall", "unstall") },
  { weight: 1, arbitrary: fc.record({ leave: fc.constantFrom<Name>("chat", "waves", "states") }) },
  { weight: 1, arbitrary: fc.constantFrom("lapse", "renew") },
);

interface Said {
  readonly id: number;
  readonly name: Name;
  readonly key: number;
  /** It was said to somebody who was in the group, and still is. */
  isDue: boolean;
}

interface Heard {
  readonly ids: readonly number[];
  readonly gaps: readonly { readonly dropped: number; readonly groups: readonly string[] }[];
}

function createBench(isResumable: boolean) {
  const fixture = createFixture({ outbox: { maxBytes: MAX_BYTES, maxHeldBytes: MAX_BYTES } });
  const { clock, groups, fanout } = fixture;
  const { connection, socket } = fixture.connect({ livesMs: 3_600_000 });
  connection.subscribe();
  const references = new Map<Name, GroupReference<Staff>>();
  for (const [name, whenSlow] of Object.entries(rules)) {
    const template = declareTemplate<Staff>({ pattern: name, parameters: [], requirements: [allowAll], whenSlow });
    references.set(name, groupOf(template));
  }
  const reference = (name: Name): GroupReference<Staff> => references.get(name) as GroupReference<Staff>;
  // A rule that answers at once: it is in at once.
  const join = (name: Name): void => {
    if (connection.isActive) void groups.join(connection, reference(name));
  };
  for (const name of references.keys()) join(name);
  const said: Said[] = [];
  if (isResumable) {
    const protocol = { resumed: () => new Uint8Array(0), takeAcknowledgement: () => undefined };
    connection.keepForReplay(protocol, 64 * KIB);
  }

  return {
    connection,
    socket,
    said,
    join,
    say(name: Name, key: number, kib: number) {
      const id = said.length;
      const group = groupKey(undefined, reference(name));
      said.push({ id, name, key, isDue: connection.memberships.has(group) });
      const args = [id, key, "x".repeat(kib * KIB - 40)];
      fanout(new Publication("say", args, group, reference(name)), { to: "group", key: group, hub: undefined });
    },
    sayOwn(kib: number) {
      const id = said.length;
      said.push({ id, name: "own", key: 0, isDue: true });
      connection.deliver(new Publication("say", [id, 0, "x".repeat(kib * KIB)], undefined), undefined);
    },
    /** Leaves, and is in again: what was said before is not for it. */
    leave(name: Name) {
      groups.leave(connection, reference(name));
      for (const each of said) if (each.name === name) each.isDue = false;
      join(name);
    },
    renew() {
      const isBack = connection.replace(
        admissionOf({ expiresAt: clock.now() + 3_600_000 + said.length }),
        "reauthenticated",
      );
      if (!isBack) return;
      void groups.judgeAgain(connection);
      for (const name of references.keys()) join(name);
    },
    heard(): Heard {
      const lines = text(socket.written).split("\n");
      const gaps = lines.filter((line) => line.startsWith('notice {"kind":"gap"')).map((line) => line.slice(7));
      return {
        ids: lines.flatMap((line) => /^say\(\[(\d+),/.exec(line)?.[1] ?? []).map(Number),
        gaps: gaps.map((gap) => JSON.parse(gap) as Heard["gaps"][number]),
      };
    },
    names: (name: Name): string => groupName(reference(name)),
    turn: () => clock.endTurn(),
    /** It reads everything, confirms it, and acknowledges it. */
    settle() {
      socket.unstall();
      for (let round = 0; round < 60; round++) {
        clock.endTurn();
        while (socket.confirm());
        if (isResumable) connection.acknowledged(Number.MAX_SAFE_INTEGER);
        connection.outbox.drained();
      }
    },
  };
}

describe("a peer, whatever it reads and whenever", () => {
  it.each([false, true])(
    "hears in order what may not be dropped, and of each event that was; resumable: %s",
    (isResumable) => {
      const stats = { dropped: 0, replaced: 0, slow: 0, lapsed: 0 };
      fc.assert(
        fc.property(fc.array(act, { minLength: 20, maxLength: 120 }), (acts) => {
          const bench = createBench(isResumable);
          const { connection, socket, said } = bench;
          let hasLapsed = false;
          for (const each of acts) {
            if (each === "turn") bench.turn();
            else if (each === "confirm") socket.confirm();
            else if (each === "stall") socket.stall();
            else if (each === "unstall") socket.unstall();
            else if (each === "lapse") {
              connection.apply({ type: "expiry-due" });
              hasLapsed = true;
            } else if (each === "renew") bench.renew();
            else if ("own" in each) bench.sayOwn(each.own);
            else if ("leave" in each) bench.leave(each.leave);
            else if ("say" in each) for (let i = 0; i < each.times; i++) bench.say(each.say, each.key, each.kib);
            if (!isResumable) expect((connection.outbox as Outbox).pendingBytes).toBeLessThanOrEqual(MAX_BYTES);
            if (!connection.isListening) break;
          }
          if (connection.isListening && !connection.isActive) bench.renew();
          if (connection.isActive) bench.settle();
          const { ids, gaps } = bench.heard();
          // A group that is judged again comes behind what needs no judging: its own order it keeps.
          const lines = hasLapsed ? ["own", ...Object.keys(rules)] : [undefined];
          for (const line of lines) {
            const inLine = ids.filter((id) => line === undefined || said[id]?.name === line);
            expect(inLine).toEqual(inLine.toSorted((a, b) => a - b));
          }
          if (!connection.isActive) return void stats.slow++;

          const heard = new Set(ids);
          expect(heard.size).toBe(ids.length);
          const missing = said.filter(({ id, isDue }) => isDue && !heard.has(id));
          const isReplaced = ({ id, name, key }: Said): boolean =>
            name === "states" && said.some((other) => other.id > id && other.name === name && other.key === key);
          const dropped = missing.filter((one) => rules[one.name] === "drop-oldest");
          const others = missing.filter((one) => rules[one.name] !== "drop-oldest" && !isReplaced(one));
          // What is held for one that lapsed is bounded whatever its groups say, and counted all the same.
          if (!hasLapsed) expect(others).toEqual([]);
          const told = gaps.reduce((sum, gap) => sum + gap.dropped, 0);
          const hasLeft = said.some(({ isDue }) => !isDue);
          const least = dropped.length + others.length;
          if (!hasLapsed && !hasLeft) expect(told).toBe(least);
          // One that was told of before its group was left is no more due.
          else expect(told).toBeGreaterThanOrEqual(least);
          if (!hasLapsed) {
            const named = new Set(gaps.flatMap(({ groups }) => groups));
            for (const { name } of dropped) expect(named).toContain(bench.names(name));
          }
          stats.dropped += dropped.length;
          stats.replaced += missing.length - least;
          if (hasLapsed) stats.lapsed++;
        }),
        { numRuns: 250 },
      );
      // It was about something.
      for (const [what, count] of Object.entries(stats)) expect(count, what).toBeGreaterThan(0);
    },
  );
});
