import { createHash } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "./system-clock.js";
import { systemDigest, systemRandom } from "./system-crypto.js";

describe("the system clock", () => {
  afterEach(() => vi.useRealTimers());

  it("does not fire at once for a delay beyond what Node can count, but at the end of that", () => {
    vi.useFakeTimers();
    let fired = 0;
    systemClock.after(2 ** 40, () => fired++);
    systemClock.after(Infinity, () => fired++);
    vi.advanceTimersByTime(2 ** 31 - 2);
    expect(fired).toBe(0);
    vi.advanceTimersByTime(1);
    expect(fired).toBe(2);
  });

  it("fires once, and not when cancelled", () => {
    vi.useFakeTimers();
    const fired: string[] = [];
    systemClock.after(5, () => fired.push("kept"));
    systemClock.after(5, () => fired.push("cancelled")).cancel();
    systemClock.after(-5, () => fired.push("at once"));
    vi.advanceTimersByTime(100);
    expect(fired).toEqual(["at once", "kept"]);
  });

  it("keeps no process alive", () => {
    const timeouts = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timeouts();
    const timer = systemClock.after(60_000, () => undefined);
    expect(timeouts()).toBe(before);
    timer.cancel();
  });

  it("ends turns in the order asked, what is asked meanwhile in the next", async () => {
    const ran: string[] = [];
    await new Promise<void>((resolve) => {
      systemClock.endOfTurn(() => {
        ran.push("a");
        systemClock.endOfTurn(() => (ran.push("c"), resolve()));
      });
      systemClock.endOfTurn(() => ran.push("b"));
      ran.push("now");
    });
    expect(ran).toEqual(["now", "a", "b", "c"]);
  });

  it("has a monotonic clock that is not the wall clock", () => {
    vi.useFakeTimers({ now: 5_000, toFake: ["Date"] });
    const before = systemClock.monotonic();
    vi.setSystemTime(0);
    expect(systemClock.now()).toBe(0);
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before);
  });
});

describe("system randomness", () => {
  it("gives as many bytes as asked for, never the same, across the ends of its pool", () => {
    const sizes = [16, 32, 4_000, 100, 4_096, 4_097, 10_000, 16];
    const given = sizes.map((size) => Buffer.from(systemRandom.secret(size), "base64url"));
    expect(given.map(({ length }) => length)).toEqual(sizes);
    const heads = new Set(given.map((bytes) => Buffer.from(bytes.subarray(0, 16)).toString("hex")));
    expect(heads.size).toBe(sizes.length);
  });

  it("gives text of base64url, a thousand times another", () => {
    const ids = Array.from({ length: 1_000 }, () => systemRandom.secret(16));
    expect(new Set(ids).size).toBe(1_000);
    expect(ids.filter((id) => !/^[A-Za-z0-9_-]{22}$/.test(id))).toEqual([]);
  });

  it("spreads fractions over [0, 1)", () => {
    const fractions = Array.from({ length: 1_000 }, () => systemRandom.fraction());
    expect(fractions.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true);
    expect(new Set(fractions).size).toBeGreaterThan(990);
  });
});

describe("the system digest", () => {
  it.each(["", "hwt_x", "é\u{1f3e5}"])("is SHA-256 of the UTF-8 bytes as base64url: %j", (text) => {
    expect(systemDigest(text)).toBe(createHash("sha256").update(Buffer.from(text)).digest("base64url"));
  });
});
