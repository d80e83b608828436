import { createFakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createFailedAttempts } from "./failed-attempts.js";

const RATE = { burst: 3, perSecond: 1 };

describe("failed attempts", () => {
  it("are counted by address, IPv6 by /64, and say how long to wait", () => {
    const clock = createFakeClock();
    const attempts = createFailedAttempts(clock, RATE);
    for (let count = 0; count < 3; count++) {
      expect(attempts.refusal("2001:db8::1")).toBeUndefined();
      attempts.failed(`2001:db8::${count}`);
    }
    expect(attempts.refusal("2001:db8::ffff")?.message).toBe("rate_limited;action=retry-after;retry_after=1");
    expect(attempts.refusal("2001:db8:1::1")).toBeUndefined();
    clock.advance(1_000);
    expect(attempts.refusal("2001:db8::1")).toBeUndefined();
  });

  it("that were under way together do not make the wait longer than one refill", () => {
    const attempts = createFailedAttempts(createFakeClock(), RATE);
    for (let count = 0; count < 1_000; count++) attempts.failed("192.0.2.1");
    expect(attempts.refusal("192.0.2.1")?.retryAfterSeconds).toBe(1);
  });

  it("are told of once a second for each address", () => {
    const clock = createFakeClock();
    const attempts = createFailedAttempts(clock, { burst: 1, perSecond: 0.01 });
    const told = (address: string): boolean | undefined => attempts.refusal(address)?.isTold;
    attempts.failed("192.0.2.1");
    attempts.failed("192.0.2.2");
    expect([told("192.0.2.1"), told("192.0.2.1"), told("192.0.2.2")]).toEqual([true, false, true]);
    clock.advance(1_000);
    expect([told("192.0.2.1"), told("192.0.2.1")]).toEqual([true, false]);
  });

  it("count for nobody without an address, and for nobody where they are not limited", () => {
    const clock = createFakeClock();
    for (const [rate, address] of [
      [RATE, undefined],
      [RATE, "unix"],
      [undefined, "192.0.2.1"],
    ] as const) {
      const attempts = createFailedAttempts(clock, rate);
      for (let count = 0; count < 10; count++) attempts.failed(address);
      expect(attempts.refusal(address)).toBeUndefined();
    }
  });
});
