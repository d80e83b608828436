import { reasons, type ReasonName } from "@hubward/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { initialLifecycle, step, type Lifecycle, type LifecycleEffect, type LifecycleEvent } from "./lifecycle.js";

const phases = {
  handshaking: initialLifecycle,
  active: { phase: "active" },
  detached: { phase: "detached" },
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
  "transport-lost": { type: "transport-lost" },
  reattached: { type: "reattached" },
  "resume-overdue": { type: "resume-overdue" },
} as const satisfies Record<LifecycleEvent["type"], LifecycleEvent>;

/**
 * What an event does in one phase: `open`, `detach`, `replay`, `close <reason> <farewell>`, `release <reason>`, or
 * nothing.
 */
type Expected = string;

const table: Readonly<
  Record<LifecycleEvent["type"], readonly [handshaking: Expected, active: Expected, detached: Expected]>
> = {
  "handshake-completed": ["open", "nothing", "nothing"],
  "handshake-overdue": ["close handshake_timeout deliver", "nothing", "nothing"],
  "expiry-due": [
    "close token_expired discard",
    "close token_expired discard",
    "close token_expired discard,release token_expired",
  ],
  "heartbeat-overdue": [
    "close heartbeat_timeout reset",
    "close heartbeat_timeout reset",
    "close heartbeat_timeout reset,release heartbeat_timeout",
  ],
  lagging: [
    "close slow_consumer reset",
    "close slow_consumer reset",
    "close slow_consumer reset,release slow_consumer",
  ],
  violation: [
    "close bad_request deliver",
    "close bad_request deliver",
    "close bad_request deliver,release bad_request",
  ],
  "peer-closed": ["close normal deliver", "close normal deliver", "close normal deliver,release normal"],
  drained: ["close going_away deliver", "close going_away deliver", "close going_away deliver,release going_away"],
  aborted: [
    "close internal_error deliver",
    "close internal_error deliver",
    "close internal_error deliver,release internal_error",
  ],
  "socket-closed": ["release normal", "release normal", "nothing"],
  "transport-lost": ["release normal", "detach", "nothing"],
  reattached: ["nothing", "nothing", "replay"],
  "resume-overdue": ["nothing", "nothing", "close normal reset,release normal"],
};

function describeEffect(effect: LifecycleEffect): string {
  if (effect.do === "close") return `close ${effect.reason} ${effect.farewell}`;
  return effect.do === "release" ? `release ${effect.reason}` : effect.do;
}

/** The phase that an outcome of the table leads to. */
function phaseAfter(from: Lifecycle["phase"], outcome: Expected): Lifecycle["phase"] {
  if (outcome === "nothing") return from;
  if (outcome === "detach") return "detached";
  if (outcome === "open" || outcome === "replay") return "active";
  return outcome.includes("release") ? "closed" : "closing";
}

const rows = Object.entries(table).flatMap(([type, [handshaking, active, detached]]) => [
  { phase: "handshaking" as const, type: type as LifecycleEvent["type"], expected: handshaking },
  { phase: "active" as const, type: type as LifecycleEvent["type"], expected: active },
  { phase: "detached" as const, type: type as LifecycleEvent["type"], expected: detached },
  // The first reason stands: only the socket's own end is news once an end has begun, and nothing is after it.
  {
    phase: "closing" as const,
    type: type as LifecycleEvent["type"],
    expected: type === "socket-closed" || type === "transport-lost" ? "release slow_consumer" : "nothing",
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
    else if ("reason" in next) expect(next).toMatchObject({ reason: expected.split(" ")[1] });
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
        for (const event of [...history, events["resume-overdue"], events["socket-closed"], ...history]) {
          const before = state;
          const { next, effects } = step(state, event);
          done.push(...effects);
          state = next;
          // Standing that is lost never comes back.
          if (before.phase === "closing") expect(["closing", "closed"]).toContain(next.phase);
          if (before.phase === "closed") expect(next).toBe(before);
          // It is replayed only to who is back, and only once for each time it was lost.
          if (before.phase === "detached") expect(["detached", "active", "closed"]).toContain(next.phase);
        }
        const kinds = done.map((effect) => effect.do).join(" ");
        expect(kinds).toMatch(/^(open (detach replay )*(detach )?)?(close )?release$/);
        const reasonsGiven = done.flatMap((effect) => ("reason" in effect ? [effect.reason] : []));
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
