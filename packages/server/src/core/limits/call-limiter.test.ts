import { createFakeClock, type FakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import type { IdentityKey } from "../ids.js";
import { createCallLimiter, type Caller, type CallLimiter, type LimitedAction } from "./call-limiter.js";
import { resolveLimits, type LimitOptions } from "./limit-options.js";
import type { Rate } from "./token-bucket.js";

const LARGE: Rate = { burst: 1_000, perSecond: 1_000 };

interface Bench {
  readonly clock: FakeClock;
  readonly limiter: CallLimiter;
}

function createBench(options: LimitOptions | false = {}): Bench {
  const clock = createFakeClock();
  return { clock, limiter: createCallLimiter({ clock, limits: resolveLimits("test", options) }) };
}

function callerOf({
  subject = "nurse-7",
  tenant,
  remoteAddress,
}: { subject?: string; tenant?: string; remoteAddress?: string } = {}): Caller & { readonly ends: string[] } {
  const ends: string[] = [];
  const apply: Caller["apply"] = (event) => void ends.push(`${event.type} ${"reason" in event ? event.reason : ""}`);
  return { identity: `${tenant} ${subject}` as IdentityKey, tenant, remoteAddress, apply, ends };
}

/** How many of so many calls at once are let in. */
function passes(
  { limiter }: Bench,
  caller: Caller,
  tries: number,
  rate: Rate | undefined,
  action?: LimitedAction,
): number {
  let passed = 0;
  for (let count = 0; count < tries; count++) if (limiter.take(caller, rate, action) === undefined) passed++;
  return passed;
}

describe("the limits on calls", () => {
  it("are each connection's own", () => {
    const bench = createBench();
    const [one, other] = [callerOf(), callerOf()];
    const rate = { burst: 50, perSecond: 10 };
    expect([passes(bench, one, 60, rate), passes(bench, other, 60, rate)]).toEqual([50, 50]);
    bench.clock.advance(1_000);
    expect(passes(bench, one, 60, rate)).toBe(10);
  });

  it.each<[string, LimitOptions, Parameters<typeof callerOf>[0], Parameters<typeof callerOf>[0]]>([
    ["principal", { principal: { burst: 3, perSecond: 1 } }, {}, { subject: "else" }],
    ["tenant", { tenant: { burst: 3, perSecond: 1 } }, { tenant: "a", subject: "1" }, { tenant: "b" }],
    [
      "remote address, IPv6 by its network",
      { address: { burst: 3, perSecond: 1 } },
      { remoteAddress: "2001:db8::1" },
      { remoteAddress: "2001:db8:1::1" },
    ],
  ])("are counted over all connections of one %s", (_name, options, one, other) => {
    const bench = createBench(options);
    const taken = passes(bench, callerOf(one), 2, LARGE) + passes(bench, callerOf(one), 5, LARGE);
    expect([taken, passes(bench, callerOf(other), 5, LARGE)]).toEqual([3, 3]);
  });

  it("leave those alone who have no tenant, or no address", () => {
    const bench = createBench({ tenant: { burst: 1, perSecond: 1 }, address: { burst: 1, perSecond: 1 } });
    expect(passes(bench, callerOf({ remoteAddress: "unix" }), 9, LARGE)).toBe(9);
  });

  it("of a method are each principal's, and no other method's", () => {
    const bench = createBench();
    const [order, look] = [{ limit: { burst: 2, perSecond: 0.1 } }, {}];
    const caller = callerOf();
    expect([
      passes(bench, caller, 5, LARGE, order),
      passes(bench, callerOf(), 5, LARGE, order),
      passes(bench, callerOf({ subject: "else" }), 5, LARGE, order),
      passes(bench, caller, 5, LARGE, look),
      passes(bench, caller, 5, LARGE),
    ]).toEqual([2, 0, 2, 5, 5]);
  });

  it("refuse without taking anything from the other buckets, and say when all will have one", () => {
    const bench = createBench({ principal: { burst: 3, perSecond: 1 } });
    const caller = callerOf();
    const order = { limit: { burst: 1, perSecond: 0.1 } };
    expect(passes(bench, caller, 10, LARGE, order)).toBe(1);
    const refusal = bench.limiter.take(caller, LARGE, order);
    expect(refusal?.message).toBe("rate_limited;action=retry-after;retry_after=10");
    // Nine refusals took nothing of the principal's three.
    expect(passes(bench, caller, 5, LARGE)).toBe(2);
    expect(bench.limiter.take(caller, LARGE, undefined)?.retryAfterSeconds).toBe(1);
    expect(bench.limiter.take(caller, LARGE, order)?.retryAfterSeconds).toBe(10);
  });

  it("let pass again when the time is over that they said", () => {
    const bench = createBench();
    const caller = callerOf();
    const rate = { burst: 2, perSecond: 0.5 };
    passes(bench, caller, 2, rate);
    const seconds = bench.limiter.take(caller, rate, undefined)?.retryAfterSeconds ?? 0;
    bench.clock.advance(seconds * 1_000 - 1);
    expect(passes(bench, caller, 1, rate)).toBe(0);
    bench.clock.advance(1);
    expect(passes(bench, caller, 1, rate)).toBe(1);
  });

  it("end who goes on calling while refused, after 200 refusals", () => {
    const bench = createBench();
    const caller = callerOf();
    const rate = { burst: 1, perSecond: 1 };
    expect(passes(bench, caller, 201, rate)).toBe(1);
    expect(caller.ends).toEqual([]);
    bench.limiter.take(caller, rate, undefined);
    expect(caller.ends).toEqual(["violation rate_limited"]);
  });

  it("do not end who calls a little too often, for hours", () => {
    const bench = createBench();
    const caller = callerOf();
    let passed = 0;
    for (let count = 0; count < 72_000; count++) {
      bench.clock.advance(50);
      passed += passes(bench, caller, 1, { burst: 50, perSecond: 10 });
    }
    expect(caller.ends).toEqual([]);
    expect(passed).toBeGreaterThanOrEqual(36_000);
    expect(passed).toBeLessThanOrEqual(36_050);
  });

  it("end who has other answers without end, also where they never call", () => {
    const bench = createBench();
    const caller = callerOf();
    for (let count = 0; count < 200; count++) bench.limiter.tolerate(caller);
    expect(caller.ends).toEqual([]);
    bench.limiter.tolerate(caller);
    expect(caller.ends).toEqual(["violation rate_limited"]);
  });

  it("that are switched off refuse nobody and end nobody", () => {
    const bench = createBench(false);
    const caller = callerOf();
    expect(passes(bench, caller, 10_000, undefined)).toBe(10_000);
    for (let count = 0; count < 1_000; count++) bench.limiter.tolerate(caller);
    expect(caller.ends).toEqual([]);
  });

  it("of a method hold also where all others are off", () => {
    const bench = createBench(false);
    expect(passes(bench, callerOf(), 10, undefined, { limit: { burst: 4, perSecond: 1 } })).toBe(4);
  });
});
