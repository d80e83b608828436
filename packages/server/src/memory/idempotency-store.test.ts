import { createFakeClock, idempotencyStoreSuite } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createMemoryIdempotencyStore, memoryIdempotencyDefaults } from "./idempotency-store.js";

describe("the memory store for commands", () => {
  it.each(idempotencyStoreSuite)("$name", (each) => each.run(createMemoryIdempotencyStore));

  it("remembers 100,000 commands for 24 hours by default", () => {
    expect(memoryIdempotencyDefaults).toEqual({ keepMs: 86_400_000, maxCommands: 100_000 });
    const clock = createFakeClock();
    const store = createMemoryIdempotencyStore({ clock });
    const start = store.start("key", "digest");
    if (start instanceof Promise || start.state !== "started") throw new TypeError("not started");
    void start.finish({ kind: "hidden" });
    clock.advance(86_399_999);
    expect(store.start("key", "digest")).toMatchObject({ state: "known", outcome: { kind: "hidden" } });
    clock.advance(1);
    expect(store.start("key", "digest")).toMatchObject({ state: "started" });
  });

  it("counts by the clock that never steps", () => {
    const clock = createFakeClock();
    const store = createMemoryIdempotencyStore({ clock, keepMs: 1_000 });
    const start = store.start("key", "digest");
    if (start instanceof Promise || start.state !== "started") throw new TypeError("not started");
    void start.finish({ kind: "hidden" });
    clock.stepWallClock(86_400_000);
    expect(store.start("key", "digest")).toMatchObject({ state: "known" });
  });

  it.each([{ keepMs: 0 }, { keepMs: -1 }, { keepMs: Number.NaN }, { maxCommands: 0 }, { maxCommands: 1.5 }])(
    "refuses %o",
    (options) => {
      expect(() => createMemoryIdempotencyStore({ clock: createFakeClock(), ...options })).toThrow(RangeError);
    },
  );
});
