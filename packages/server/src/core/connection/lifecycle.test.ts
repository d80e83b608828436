import { reasons, type ReasonName } from "@hubward/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  initialLifecycle,
  step,
  type Farewell,
  type Lifecycle,
  type LifecycleEffect,
  type LifecycleEvent,
} from "./lifecycle.js";

const states = {
  handshaking: initialLifecycle,
  active: { phase: "active", canRefresh: false },
  refreshing: { phase: "active", canRefresh: true },
  expired: { phase: "lapsed", reason: "token_expired", canRefresh: true },
  outdated: { phase: "lapsed", reason: "reauth_required", canRefresh: true },
  unsure: { phase: "lapsed", reason: "auth_unavailable", canRefresh: false },
  detached: { phase: "detached", canRefresh: false },
  closing: { phase: "closing", reason: "slow_consumer" },
  closed: { phase: "closed", reason: "slow_consumer" },
} as const satisfies Record<string, Lifecycle>;
type State = keyof typeof states;

const events = {
  "handshake-completed": { type: "handshake-completed" },
  "handshake-overdue": { type: "handshake-overdue" },
  "expiry-due": { type: "expiry-due" },
  "claims-changed": { type: "claims-changed" },
  "authority-lost": { type: "authority-lost" },
  revoked: { type: "revoked", reason: "session_revoked" },
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
  "grace-over": { type: "grace-over" },
  "refresh-shown": { type: "refresh-shown" },
  reauthenticated: { type: "reauthenticated" },
  rechecked: { type: "rechecked" },
} as const satisfies Record<LifecycleEvent["type"], LifecycleEvent>;

/**
 * What an event does in one state: `open`, `detach`, `replay`, `replace`, `suspend <reason>`, `restore`,
 * `close <reason> <farewell>`, `release <reason>`; `learn` for a state that changes without effect; or `-`, nothing.
 */
type Expected = string;

/** Ends alike in every state: told where there is a transport, and over at once where there is none. */
function ends(reason: ReasonName, farewell: Farewell): readonly Expected[] {
  const told = `close ${reason} ${farewell}`;
  return [told, told, told, told, told, told, `${told},release ${reason}`];
}

const closesOutdated = ends("reauth_required", "discard");
const closesExpired = ends("token_expired", "discard");
const unsureEnds = ends("auth_unavailable", "discard");

const columns = ["handshaking", "active", "refreshing", "expired", "outdated", "unsure", "detached"] as const;

const table: Readonly<Record<LifecycleEvent["type"], readonly Expected[]>> = {
  "handshake-completed": ["open", "-", "-", "-", "-", "-", "-"],
  "handshake-overdue": ["close handshake_timeout deliver", "-", "-", "-", "-", "-", "-"],
  "expiry-due": [
    closesExpired[0] as Expected,
    closesExpired[1] as Expected,
    "suspend token_expired",
    "-",
    "-",
    closesExpired[5] as Expected,
    closesExpired[6] as Expected,
  ],
  "claims-changed": [
    closesOutdated[0] as Expected,
    closesOutdated[1] as Expected,
    "suspend reauth_required",
    "-",
    "-",
    "-",
    closesOutdated[6] as Expected,
  ],
  "authority-lost": [
    unsureEnds[0] as Expected,
    "suspend auth_unavailable",
    "suspend auth_unavailable",
    "-",
    "-",
    "-",
    unsureEnds[6] as Expected,
  ],
  revoked: ends("session_revoked", "discard"),
  "heartbeat-overdue": ends("heartbeat_timeout", "reset"),
  lagging: ends("slow_consumer", "reset"),
  violation: ends("bad_request", "deliver"),
  "peer-closed": ends("normal", "deliver"),
  drained: ends("going_away", "deliver"),
  aborted: ends("internal_error", "deliver"),
  "socket-closed": [...Array.from({ length: 6 }, () => "release normal"), "-"],
  "transport-lost": [
    "release normal",
    "detach",
    "detach",
    "close token_expired discard,release token_expired",
    "close reauth_required discard,release reauth_required",
    "close auth_unavailable discard,release auth_unavailable",
    "-",
  ],
  reattached: ["-", "-", "-", "-", "-", "-", "replay"],
  "resume-overdue": ["-", "-", "-", "-", "-", "-", "close normal reset,release normal"],
  "grace-over": [
    "-",
    "-",
    "-",
    "close token_expired discard",
    "close reauth_required discard",
    "close auth_unavailable discard",
    "-",
  ],
  "refresh-shown": ["-", "learn", "-", "-", "-", "learn", "learn"],
  reauthenticated: ["-", "replace", "replace", "replace,restore", "replace,restore", "replace,restore", "replace"],
  rechecked: ["-", "replace", "replace", "replace", "replace", "replace,restore", "replace"],
};

function describeEffect(effect: LifecycleEffect): string {
  if (effect.do === "close") return `close ${effect.reason} ${effect.farewell}`;
  return effect.do === "release" || effect.do === "suspend" ? `${effect.do} ${effect.reason}` : effect.do;
}

/** The phase that an outcome of the table leads to. */
function phaseAfter(from: Lifecycle["phase"], outcome: Expected): Lifecycle["phase"] {
  if (outcome === "-" || outcome === "learn" || outcome === "replace") return from;
  if (outcome === "detach") return "detached";
  if (outcome.startsWith("suspend")) return "lapsed";
  if (outcome === "open" || outcome === "replay" || outcome === "replace,restore") return "active";
  return outcome.includes("release") ? "closed" : "closing";
}

const isNews = (type: string): boolean => type === "socket-closed" || type === "transport-lost";

const rows = Object.keys(table).flatMap((name) => {
  const type = name as LifecycleEvent["type"];
  return [
    ...columns.map((state, index): Row => ({ state, type, expected: table[type][index] as Expected })),
    // The first reason stands: only the socket's own end is news once an end has begun, and nothing is after it.
    { state: "closing", type, expected: isNews(type) ? "release slow_consumer" : "-" } satisfies Row,
    { state: "closed", type, expected: "-" } satisfies Row,
  ];
});

interface Row {
  readonly state: State;
  readonly type: LifecycleEvent["type"];
  readonly expected: Expected;
}

describe("the lifecycle of a connection", () => {
  it("starts in the handshake", () => {
    expect(initialLifecycle).toEqual({ phase: "handshaking" });
  });

  it("has a row for every state and every event", () => {
    expect(rows).toHaveLength(Object.keys(states).length * Object.keys(events).length);
  });

  it.each(rows)("$state + $type: $expected", ({ state, type, expected }) => {
    const before: Lifecycle = states[state];
    const { next, effects } = step(before, events[type]);
    expect(effects.map(describeEffect).join() || (next === before ? "-" : "learn")).toBe(expected);
    expect(next.phase).toBe(phaseAfter(before.phase, expected));
    if (expected === "-") expect(next).toBe(before);
    else if ("reason" in next && !expected.startsWith("replace"))
      expect(next.reason).toBe(expected === "learn" && "reason" in before ? before.reason : expected.split(" ")[1]);
    if ("canRefresh" in before && "canRefresh" in next)
      expect(next.canRefresh).toBe(before.canRefresh || expected === "learn");
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
      type: fc.constantFrom("violation" as const, "aborted" as const, "revoked" as const),
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
          // Standing that is lost for good never comes back.
          if (before.phase === "closing") expect(["closing", "closed"]).toContain(next.phase);
          if (before.phase === "closed") expect(next).toBe(before);
          // It is replayed only to who is back, and only once for each time it was lost.
          if (before.phase === "detached") expect(["detached", "active", "closed"]).toContain(next.phase);
          // What lapsed comes back by a credential or a recheck alone.
          if (before.phase === "lapsed" && next.phase === "active")
            expect(["reauthenticated", "rechecked"]).toContain(event.type);
        }
        const kinds = done
          .filter((effect) => effect.do !== "replace")
          .map((effect) => effect.do)
          .join(" ");
        // A lapse may lapse again for another reason before it is over.
        expect(kinds).toMatch(/^(open (detach replay |(suspend )+restore )*(detach |(suspend )+)?)?(close )?release$/);
        const last = done.filter((effect) => effect.do === "close" || effect.do === "release");
        const reasonsGiven = last.map(({ reason }) => reason);
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
