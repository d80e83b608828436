/** What is written to a socket, under any order of news, time, deliveries and verdicts. */

import { MemorySocket } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admissionOf, bytes, createFixture, text, type Staff } from "../../../test/connection-fixture.js";
import {
  allowAll,
  deferred,
  groupOf,
  policy,
  requirement,
  template,
  type Deferred,
} from "../../../test/hub-fixture.js";
import { readInstant } from "../clock.js";
import { groupKey, type GroupReference } from "../groups/group.js";
import { Publication } from "../publication.js";
import type { LifecycleEvent } from "./lifecycle.js";
import { isOver } from "./lifetime.js";

const events: readonly LifecycleEvent[] = [
  { type: "claims-changed" },
  { type: "authority-lost" },
  { type: "refresh-shown" },
];
const ends: readonly LifecycleEvent[] = [
  { type: "revoked", reason: "session_revoked" },
  { type: "drained" },
  { type: "violation", reason: "protocol_error" },
];

const act = fc.oneof(
  { weight: 12, arbitrary: fc.record({ say: fc.constantFrom("own", "open", "asked") }) },
  { weight: 6, arbitrary: fc.constantFrom("flush", "answer", "stall", "unstall", "confirm") },
  { weight: 4, arbitrary: fc.record({ pass: fc.integer({ min: 0, max: 9_000 }), isWatched: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ renew: fc.integer({ min: 1, max: 30_000 }) }) },
  { weight: 2, arbitrary: fc.constantFrom("recheck", "hold", "release", "join", "leave", "cut") },
  { weight: 3, arbitrary: fc.record({ event: fc.constantFrom(...events) }) },
  { weight: 4, arbitrary: fc.record({ verdict: fc.constantFrom("yes", "no", "nobody knows") }) },
  { weight: 1, arbitrary: fc.record({ step: fc.integer({ min: -20_000, max: 20_000 }) }) },
  { weight: 1, arbitrary: fc.record({ end: fc.constantFrom(...ends) }) },
);
type Act = typeof act extends fc.Arbitrary<infer Each> ? Each : never;

/** A lapse that takes back what was said before something that waits already. */
const lapseBehindHeld: Act[] = [
  { say: "asked" },
  { renew: 1 },
  { say: "asked" },
  { step: 1 },
  { renew: 1 },
  "join",
  { verdict: "yes" },
  { pass: 0, isWatched: false },
  { say: "own" },
];

interface Queued {
  readonly to: string;
  readonly standing: number;
}

function createBench(isResumable: boolean) {
  const fixture = createFixture({ outbox: { maxHeldBytes: 60 } });
  const { clock, groups, fanout } = fixture;
  const asked: Deferred<boolean>[] = [];
  let isAsking = false;
  const rule = policy("Asked", () => {
    if (!isAsking) return true;
    const verdict = deferred<boolean>();
    asked.push(verdict);
    return verdict.promise;
  });
  const references: Record<string, GroupReference<Staff>> = {
    open: groupOf(template("open", allowAll)),
    asked: groupOf(template("asked", requirement(rule))),
  };
  const sockets: MemorySocket[] = [];
  /** To whom each line went, as it was said. */
  const said: string[] = [];
  const queued = new Map<number, Queued>();
  const lastWritten: Record<string, number> = {};
  let stats = 0;

  function observe(socket: MemorySocket): MemorySocket {
    const write = socket.write.bind(socket);
    const close = socket.close.bind(socket);
    socket.write = (written, confirm) => {
      check(text(written), connection.isActive);
      write(written, confirm);
    };
    socket.close = (last, code, reason) => {
      // The phase is another one by then; what it was decides.
      check(text(last), wasActive, before, beforeStanding);
      close(last, code, reason);
    };
    sockets.push(socket);
    return socket;
  }

  /** One line for each frame: `say([7])` is the application's seventh. */
  function check(written: string, isActive: boolean, judged = judgedGroups(), standingNow = connection.standing): void {
    for (const [, digits] of written.matchAll(/^say\(\[(\d+)\]\)$/gm)) {
      const number = Number(digits);
      expect(isActive).toBe(true);
      expect(isOver(connection.lifetime, readInstant(clock))).toBe(false);
      stats++;
      if (isResumable) continue;
      const { to, standing } = queued.get(number) as Queued;
      expect(number).toBeGreaterThan(lastWritten[to] ?? 0);
      lastWritten[to] = number;
      // What was queued for the principal before goes on until a verdict; what a lapse took back does not.
      if (to !== "own") expect([judged.has(to), standing]).toEqual([true, standingNow]);
    }
  }

  function memberOf(to: string) {
    const reference = references[to];
    return reference && groups.members(groupKey(undefined, reference))?.get(connection);
  }

  /** The groups it is in, and whether the present principal was judged for each. */
  function judgedGroups(): ReadonlyMap<string, boolean> {
    const judged = new Map<string, boolean>();
    for (const to of Object.keys(references)) {
      const membership = memberOf(to);
      if (membership !== undefined) judged.set(to, membership.judgedVersion === connection.version);
    }
    return judged;
  }

  const { connection } = fixture.connect({ livesMs: 10_000, socket: observe(new MemorySocket()) });
  let wasActive = connection.isActive;
  let before = judgedGroups();
  let beforeStanding = connection.standing;
  let isGone = false;
  const push = connection.outbox.push.bind(connection.outbox);
  connection.outbox.push = (frame) => {
    const number = Number(/^say\(\[(\d+)\]\)/.exec(text(frame.bytes))?.[1] ?? 0);
    if (number === 0) return push(frame);
    const to = said[number - 1] as string;
    expect(connection.isActive).toBe(true);
    if (to !== "own") expect(judgedGroups().get(to)).toBe(true);
    queued.set(number, { to, standing: connection.standing });
    return push(frame);
  };
  if (isResumable) {
    const replay = { resumed: (id: number) => bytes(`from ${id}\n`), takeAcknowledgement: () => undefined };
    connection.keepForReplay(replay, 200);
  }

  async function run(each: Act): Promise<void> {
    const socket = sockets.at(-1) as MemorySocket;
    wasActive = connection.isActive;
    before = judgedGroups();
    beforeStanding = connection.standing;
    if (each === "flush") clock.endTurn();
    else if (each === "answer") connection.answer({ bytes: bytes("answer\n"), group: undefined });
    else if (each === "stall") socket.stall();
    else if (each === "unstall") void (isGone || socket.unstall());
    else if (each === "confirm") void (isGone || socket.confirm());
    else if (each === "hold") connection.hold();
    else if (each === "release") connection.release();
    else if (each === "recheck") again(connection.replace(connection.admission, "rechecked"));
    else if (each === "join") {
      isAsking = false;
      for (const reference of Object.values(references))
        await groups.join(connection, reference).catch(() => undefined);
    } else if (each === "leave") groups.leave(connection, references["asked"] as GroupReference<Staff>);
    else if (each === "cut") {
      if (!isResumable) return;
      if (!isGone) socket.end();
      isGone = true;
      if ((await connection.resumption?.reclaim()) !== "ready") return;
      isGone = false;
      const next = observe(new MemorySocket());
      next.listen(connection.resumption?.attach(next, undefined) ?? connection);
    } else if ("say" in each) {
      const number = said.push(each.say);
      const reference = references[each.say];
      if (reference === undefined) return connection.deliver(new Publication("say", [number], undefined), undefined);
      const key = groupKey(undefined, reference);
      fanout(new Publication("say", [number], key), { to: "group", key, hub: undefined });
    } else if ("pass" in each) {
      clock.block(each.pass);
      if (each.isWatched) connection.due(readInstant(clock));
    } else if ("step" in each) clock.stepWallClock(each.step);
    else if ("event" in each) connection.apply(each.event);
    else if ("end" in each) connection.apply(each.end);
    else if ("renew" in each) {
      const admission = admissionOf({ expiresAt: clock.now() + each.renew });
      again(connection.replace(admission, "reauthenticated"));
    } else {
      const verdict = asked.shift();
      if (each.verdict === "nobody knows") verdict?.reject(new Error("no directory"));
      else verdict?.resolve(each.verdict === "yes");
      for (let tick = 0; tick < 6; tick++) await Promise.resolve();
    }
  }

  function again(wasTaken: boolean): void {
    isAsking = true;
    if (wasTaken) void groups.judgeAgain(connection);
  }

  return { fixture, connection, sockets, run, written: () => stats };
}

describe("a connection's socket", () => {
  it.each([
    ["once and for all", false, 500],
    ["one transport after another", true, 200],
  ])(
    "sees nothing of the application's but while the credential holds and its groups' rules have said yes: %s",
    async (_, isResumable, numRuns) => {
      let written = 0;
      let lapses = 0;
      let returns = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 60 }), async (acts) => {
          const bench = createBench(isResumable);
          const { fixture, connection, sockets, run } = bench;
          // Most of what is of interest needs both.
          connection.apply({ type: "refresh-shown" });
          await run("join");
          for (const each of acts) {
            await run(each);
            if (!connection.isListening) expect(connection.memberships.size).toBe(0);
          }
          while (fixture.clock.pendingTurn > 0) fixture.clock.endTurn();
          expect(sockets.map(({ lateWrites }) => lateWrites)).toEqual(sockets.map(() => 0));
          written += bench.written();
          lapses += fixture.reports.filter((report) => report.startsWith("lapsed")).length;
          returns += fixture.reports.filter((report) => report.startsWith("restored")).length;
          // Told in pairs: nobody is back who was not away, and nothing comes behind an end.
          const turns = fixture.reports.filter((report) => /^(lapsed|restored|ended)/.test(report));
          for (const [index, report] of turns.entries()) {
            if (report.startsWith("restored")) expect(turns[index - 1]).toMatch(/^lapsed/);
            if (report.startsWith("ended")) expect(index).toBe(turns.length - 1);
          }
        }),
        { numRuns, examples: [[lapseBehindHeld]] },
      );
      expect(Math.min(written, lapses, returns)).toBeGreaterThan(25);
    },
  );
});
