import { createFakeClock, idempotencyStoreSuite } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import type { CommandStart } from "../core/dispatch/idempotency-store.js";
import { createMemoryIdempotencyStore, memoryIdempotencyDefaults } from "./idempotency-store.js";

describe("the memory store for commands", () => {
  it.each(idempotencyStoreSuite)("$name", (each) => each.run(createMemoryIdempotencyStore));

  it("remembers 100,000 commands for 24 hours by default", () => {
    expect(memoryIdempotencyDefaults).toEqual({
      keepMs: 86_400_000,
      maxCommands: 100_000,
      maxCommandsPerOwner: 10_000,
    });
    const clock = createFakeClock();
    const store = createMemoryIdempotencyStore({ clock });
    const start = store.start("key", "digest", "owner");
    if (start instanceof Promise || start.state !== "started") throw new TypeError("not started");
    void start.finish({ kind: "hidden" });
    clock.advance(86_399_999);
    expect(store.start("key", "digest", "owner")).toMatchObject({ state: "known", outcome: { kind: "hidden" } });
    clock.advance(1);
    expect(store.start("key", "digest", "owner")).toMatchObject({ state: "started" });
  });

  it("refuses an owner that has used up its share, and says when there is room, while others go on", () => {
    const clock = createFakeClock();
    const store = createMemoryIdempotencyStore({ clock, maxCommandsPerOwner: 2, keepMs: 60_000 });
    const begin = (key: string, owner: string): CommandStart => {
      const start = store.start(key, "digest", owner);
      if (start instanceof Promise) throw new TypeError("not at once");
      if (start.state === "started" && key !== "given-up") void start.finish({ kind: "hidden" });
      return start;
    };
    const givenUp = begin("given-up", "mallory");
    if (givenUp.state === "started") void givenUp.abandon();
    expect([begin("1", "mallory").state, begin("2", "mallory").state]).toEqual(["started", "started"]);
    clock.advance(20_000);
    expect(begin("3", "mallory")).toEqual({ state: "full", retryAfterMs: 40_000 });
    expect([begin("1", "mallory").state, begin("4", "alice").state]).toEqual(["known", "started"]);
    clock.advance(40_000);
    expect(begin("3", "mallory").state).toBe("started");
  });

  it("counts by the clock that never steps", () => {
    const clock = createFakeClock();
    const store = createMemoryIdempotencyStore({ clock, keepMs: 1_000 });
    const start = store.start("key", "digest", "owner");
    if (start instanceof Promise || start.state !== "started") throw new TypeError("not started");
    void start.finish({ kind: "hidden" });
    clock.stepWallClock(86_400_000);
    expect(store.start("key", "digest", "owner")).toMatchObject({ state: "known" });
  });

  it.each([
    { keepMs: 0 },
    { keepMs: -1 },
    { keepMs: Number.NaN },
    { maxCommands: 0 },
    { maxCommands: 1.5 },
    { maxCommandsPerOwner: 0 },
  ])("refuses %o", (options) => {
    expect(() => createMemoryIdempotencyStore({ clock: createFakeClock(), ...options })).toThrow(RangeError);
  });
});
