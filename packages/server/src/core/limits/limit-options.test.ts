import { describe, expect, it } from "vitest";
import {
  limitDefaults,
  resolveConnectionRate,
  resolveLimits,
  resolveRate,
  type LimitOptions,
} from "./limit-options.js";

describe("limits", () => {
  it("hold without being set", () => {
    expect(resolveLimits("hubward", undefined)).toMatchObject({
      principal: { burst: 200, perSecond: 40 },
      tenant: undefined,
      address: undefined,
      authentication: { burst: 100, perSecond: 10 },
      maxConnectionsPerPrincipal: 100,
      maxPendingAdmissions: 1000,
    });
    expect(resolveConnectionRate("hubward", undefined, limitDefaults.connection)).toEqual({ burst: 50, perSecond: 10 });
  });

  it("are set one by one, the others stay as they were", () => {
    const app = resolveLimits("hubward", { tenant: { burst: 9, perSecond: 3 }, principal: false });
    const scope = resolveLimits("scope", { address: { burst: 1, perSecond: 0.5 }, maxPendingAdmissions: 5 }, app);
    expect(scope).toMatchObject({
      principal: undefined,
      tenant: { burst: 9, perSecond: 3 },
      address: { burst: 1, perSecond: 0.5 },
      maxPendingAdmissions: 5,
      maxConnectionsPerPrincipal: 100,
    });
  });

  it("are a copy: what the caller changes afterwards changes nothing", () => {
    const rate = { burst: 5, perSecond: 5 };
    const { tenant } = resolveLimits("hubward", { tenant: rate });
    rate.burst = 1_000;
    expect([tenant, Object.isFrozen(tenant)]).toEqual([{ burst: 5, perSecond: 5 }, true]);
  });

  it("are no rates at all with false, and the two counts stay", () => {
    const none = { principal: undefined, tenant: undefined, address: undefined, authentication: undefined };
    expect(resolveLimits("hubward", false)).toEqual({
      ...none,
      tolerance: undefined,
      endings: undefined,
      maxConnectionsPerPrincipal: 100,
      maxPendingAdmissions: 1000,
    });
    expect(resolveConnectionRate("hubward", false, limitDefaults.connection)).toBeUndefined();
    expect(resolveConnectionRate("hub", { connection: false }, limitDefaults.connection)).toBeUndefined();
  });

  it("count for a hub as for its scope where it says nothing else", () => {
    const rate = { burst: 3, perSecond: 1 };
    expect(resolveConnectionRate("hub", {}, rate)).toBe(rate);
    expect(resolveConnectionRate("hub", { connection: { burst: 1, perSecond: 1 } }, rate)).toEqual({
      burst: 1,
      perSecond: 1,
    });
  });

  it.each([
    [{ burst: 0, perSecond: 1 }, "r.burst"],
    [{ burst: 1.5, perSecond: 1 }, "r.burst"],
    [{ burst: Infinity, perSecond: 1 }, "r.burst"],
    [{ burst: 1, perSecond: 0 }, "r.perSecond"],
    [{ burst: 1, perSecond: -1 }, "r.perSecond"],
    [{ burst: 1, perSecond: Infinity }, "r.perSecond"],
    [{ burst: 1, perSecond: Number.NaN }, "r.perSecond"],
    [{ burst: 100_000, perSecond: 1 }, "within a day"],
  ])("refuse the rate %j", (rate, text) => {
    expect(() => resolveRate("r", rate)).toThrow(RangeError);
    expect(() => resolveRate("r", rate)).toThrow(text);
  });

  it.each<[LimitOptions, string]>([
    [{ maxConnectionsPerPrincipal: 0 }, "hubward.limits.maxConnectionsPerPrincipal"],
    [{ maxPendingAdmissions: 1.5 }, "hubward.limits.maxPendingAdmissions"],
    [{ authentication: { burst: 0, perSecond: 1 } }, "hubward.limits.authentication.burst"],
  ])("refuse %j and say where", (options, text) => {
    expect(() => resolveLimits("hubward", options)).toThrow(RangeError);
    expect(() => resolveLimits("hubward", options)).toThrow(text);
  });
});
