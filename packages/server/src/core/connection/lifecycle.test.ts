import { reasons, type ReasonName } from "@hubward/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { initialLifecycle, step, type Lifecycle, type LifecycleEffect, type LifecycleEvent } from "./lifecycle.js";

const phases = {
  handshaking: initialLifecycle,
  active: { phase: "active" },
  closing: { phase: "closing", reason: "slow_consumer" },
  closed: { phase: "closed", reason: "slow_consumer" },
} as const satisfies Record<Lifecycle["phase"], Lifecycle>;

const events = {
  "handshake-completed": { type: "handshake-completed" },
  "handshake-overdue": { type: "handshake-overdue" },
  "expiry-due": { type: "expiry-due" },
  "heartbeat-overdue": { type: "heartbeat-overdue" },
  lagging: { type: "lagging" },
  violation: { type: "violation", reason: "bad_request" },
  "peer-closed": { type: "peer-closed" },
  drained: { type: "drained" },
  aborted: { type: "aborted", reason: "internal_error" },
  "socket-closed": { type: "socket-closed" },
} as const satisfies Record<LifecycleEvent["type"], LifecycleEvent>;

/** What an event does in one phase: `open`, `close <reason> <farewell>`, `release <reason>`, or nothing. */
type Expected = string;

const table: Readonly<Record<LifecycleEvent["type"], readonly [handshaking: Expected, active: Expected]>> = {
  "handshake-completed": ["open", "nothing"],
  "handshake-overdue": ["close handshake_timeout deliver", "nothing"],
  "expiry-due": ["close token_expired discard", "close token_expired discard"],
  "heartbeat-overdue": ["close heartbeat_timeout reset", "close heartbeat_timeout reset"],
  lagging: ["close slow_consumer reset", "close slow_consumer reset"],
  violation: ["close bad_request deliver", "close bad_request deliver"],
  "peer-closed": ["close normal discard", "close normal discard"],
  drained: ["close going_away deliver", "close going_away deliver"],
  aborted: ["close internal_error deliver", "close internal_error deliver"],
  "socket-closed": ["release normal", "release normal"],
};

function describeEffect(effect: LifecycleEffect): string {
  if (effect.do === "close") return `close ${effect.reason} ${effect.farewell}`;
  return effect.do === "release" ? `release ${effect.reason}` : effect.do;
}

/** The phase that an outcome of the table leads to. */
function phaseAfter(from: Lifecycle["phase"], outcome: Expected): Lifecycle["phase"] {
  if (outcome === "nothing") return from;
  return outcome === "open" ? "active" : outcome.startsWith("close") ? "closing" : "closed";
}

const rows = Object.entries(table).flatMap(([type, [handshaking, active]]) => [
  { phase: "handshaking" as const, type: type as LifecycleEvent["type"], expected: handshaking },
  { phase: "active" as const, type: type as LifecycleEvent["type"], expected: active },
  // The first reason stands: only the socket's own end is news once an end has begun, and nothing is after it.
  {
    phase: "closing" as const,
    type: type as LifecycleEvent["type"],
    expected: type === "socket-closed" ? "release slow_consumer" : "nothing",
  },
  { phase: "closed" as const, type: type as LifecycleEvent["type"], expected: "nothing" },
]);

describe("the lifecycle of a connection", () => {
  it("starts in the handshake", () => {
    expect(initialLifecycle).toEqual({ phase: "handshaking" });
  });

  it("has a row for every phase and every event", () => {
    expect(rows).toHaveLength(Object.keys(phases).length * Object.keys(events).length);
  });

  it.each(rows)("$phase + $type: $expected", ({ phase, type, expected }) => {
    const { next, effects } = step(phases[phase], events[type]);
    expect(effects.map(describeEffect).join() || "nothing").toBe(expected);
    expect(next.phase).toBe(phaseAfter(phase, expected));
    if (expected === "nothing") expect(next).toBe(phases[phase]);
    else if (expected !== "open") expect(next).toMatchObject({ reason: expected.split(" ")[1] });
  });

  it("refuses an event nobody declared", () => {
    expect(() => step(initialLifecycle, { type: "made-up" } as unknown as LifecycleEvent)).toThrow(TypeError);
  });

  const closingReasons = Object.entries(reasons).flatMap(([name, { closeCode }]) =>
    closeCode === null ? [] : [name as ReasonName],
  );
  const anyEvent = fc.oneof(
    fc.constantFrom(...Object.values(events)),
    fc.record({
      type: fc.constantFrom("violation" as const, "aborted" as const),
      reason: fc.constantFrom(...closingReasons),
    }),
  );

  it("whatever happens in whatever order: opens at most once and first, ends at most once, is released exactly once and last", () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 30 }), (history) => {
        let state: Lifecycle = initialLifecycle;
        const done: LifecycleEffect[] = [];
        for (const event of [...history, events["socket-closed"], ...history]) {
          const before = state;
          const { next, effects } = step(state, event);
          done.push(...effects);
          state = next;
          // Standing that is lost never comes back.
          if (before.phase === "closing") expect(["closing", "closed"]).toContain(next.phase);
          if (before.phase === "closed") expect(next).toBe(before);
        }
        const kinds = done.map((effect) => effect.do).join(" ");
        expect(kinds).toMatch(/^(open )?(close )?release$/);
        const reasonsGiven = done.flatMap((effect) => (effect.do === "open" ? [] : [effect.reason]));
        expect(new Set(reasonsGiven).size).toBe(1);
      }),
      { numRuns: 500 },
    );
  });

  it("the reason of the first end is the one that stands", () => {
    fc.assert(
      fc.property(anyEvent, fc.array(anyEvent), (first, later) => {
        const opened = step(initialLifecycle, events["handshake-completed"]).next;
        const ended = step(opened, first).next;
        fc.pre(ended.phase === "closing");
        const last = [...later, events["socket-closed"]].reduce<Lifecycle>(
          (state, event) => step(state, event).next,
          ended,
        );
        expect(last).toEqual({ phase: "closed", reason: ended.phase === "closing" ? ended.reason : undefined });
      }),
    );
  });
});
