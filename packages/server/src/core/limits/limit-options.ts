/** Which limits may be set, and what holds when none is. How each one works is told in docs/limits.md. */

import { refillMs, type Rate } from "./token-bucket.js";

/** What may be limited for each hub. */
export interface HubLimitOptions {
  /** Calls of one connection. Default 50 at once, 10 a second. `false`: as many as it likes. */
  readonly connection?: Rate | false | undefined;
}

/** What may be limited for a scope. Each `false` is no limit. */
export interface LimitOptions extends HubLimitOptions {
  /** Calls of one principal, on all its connections together. Default 200 at once, 40 a second. */
  readonly principal?: Rate | false | undefined;
  /** Calls of one tenant's principals together; those without a tenant are none. Default no limit. */
  readonly tenant?: Rate | false | undefined;
  /** Calls of all connections from one remote address, IPv6 by /64. Default no limit: a hospital may be one address. */
  readonly address?: Rate | false | undefined;
  /**
   * Attempts to authenticate that failed, from one remote address, IPv6 by /64; those that succeed do not count. Behind
   * a proxy, the adapter's `trustedProxies` must say so, or all of its clients are one address. Default 100 at once, 10
   * a second.
   */
  readonly authentication?: Rate | false | undefined;
  /** Open connections of one principal, those that wait for their client to come back included. Default 100. */
  readonly maxConnectionsPerPrincipal?: number | false | undefined;
  /** Requests whose credential is verified, mapped or judged at the same time. Default 1000. */
  readonly maxPendingAdmissions?: number | false | undefined;
}

/** All but the calls of one connection, which are each hub's own. */
export interface ResolvedLimits {
  readonly principal: Rate | undefined;
  readonly tenant: Rate | undefined;
  readonly address: Rate | undefined;
  readonly authentication: Rate | undefined;
  /** What one connection is answered that is no call of its rate, until it ends. */
  readonly tolerance: Rate | undefined;
  /** What one person's sessions may lose together, soon after they began, before they are held back. */
  readonly endings: Rate | undefined;
  readonly maxConnectionsPerPrincipal: number;
  readonly maxPendingAdmissions: number;
}

/**
 * Answers that one connection gets beside its rate, refused calls above all: 200 at once, 10 a second. Who goes on
 * beyond has not listened, and ends.
 */
const toleranceRate: Rate = Object.freeze({ burst: 200, perSecond: 10 });

/**
 * A client that signs in anew each time has a new session for each ending. Much more than one session has, so that a
 * device that loops does not hold up the person's others at once.
 */
const endingsRate: Rate = Object.freeze({ burst: 20, perSecond: 1 / 3 });

export const limitDefaults: ResolvedLimits & { readonly connection: Rate } = Object.freeze({
  connection: Object.freeze({ burst: 50, perSecond: 10 }),
  principal: Object.freeze({ burst: 200, perSecond: 40 }),
  tenant: undefined,
  address: undefined,
  authentication: Object.freeze({ burst: 100, perSecond: 10 }),
  tolerance: toleranceRate,
  endings: endingsRate,
  maxConnectionsPerPrincipal: 100,
  maxPendingAdmissions: 1000,
});

const NO_RATES = {
  principal: undefined,
  tenant: undefined,
  address: undefined,
  authentication: undefined,
  tolerance: undefined,
  endings: undefined,
} as const;

/** A bucket that takes longer to fill would be remembered for longer. Milliseconds: a day. */
const MAX_REFILL_MS = 86_400_000;

/** A rate that can be meant, as a value of its own. @throws RangeError */
export function resolveRate(where: string, { burst, perSecond }: Rate): Rate {
  if (!Number.isInteger(burst) || burst < 1) throw new RangeError(`${where}.burst: a whole number of at least 1`);
  if (!Number.isFinite(perSecond) || perSecond <= 0) throw new RangeError(`${where}.perSecond: a number above 0`);
  const rate = Object.freeze({ burst, perSecond });
  if (refillMs(rate) > MAX_REFILL_MS) throw new RangeError(`${where}: a rate that fills its burst within a day`);
  return rate;
}

/** What one connection of a hub may call; undefined for as much as it likes. @throws RangeError */
export function resolveConnectionRate(
  where: string,
  limits: HubLimitOptions | false | undefined,
  fallback: Rate | undefined,
): Rate | undefined {
  return limits === false ? undefined : rateOf(`${where}.limits.connection`, limits?.connection, fallback);
}

/** @throws RangeError. `false` switches rates off; the two counts stay, which cost nothing. */
export function resolveLimits(
  where: string,
  options: LimitOptions | false | undefined,
  fallback: ResolvedLimits = limitDefaults,
): ResolvedLimits {
  if (options === false) {
    const { maxConnectionsPerPrincipal, maxPendingAdmissions } = fallback;
    return Object.freeze({ ...NO_RATES, maxConnectionsPerPrincipal, maxPendingAdmissions });
  }
  const rate = (name: "principal" | "tenant" | "address" | "authentication"): Rate | undefined =>
    rateOf(`${where}.limits.${name}`, options?.[name], fallback[name]);
  const count = (name: "maxConnectionsPerPrincipal" | "maxPendingAdmissions"): number => {
    const value = options?.[name] ?? fallback[name];
    if (value === false || value === Infinity) return Infinity;
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`${where}.limits.${name}: a whole number of at least 1`);
    return value;
  };
  return Object.freeze({
    principal: rate("principal"),
    tenant: rate("tenant"),
    address: rate("address"),
    authentication: rate("authentication"),
    tolerance: options === undefined ? fallback.tolerance : toleranceRate,
    endings: options === undefined ? fallback.endings : endingsRate,
    maxConnectionsPerPrincipal: count("maxConnectionsPerPrincipal"),
    maxPendingAdmissions: count("maxPendingAdmissions"),
  });
}

function rateOf(where: string, rate: Rate | false | undefined, fallback: Rate | undefined): Rate | undefined {
  if (rate === undefined) return fallback;
  return rate === false ? undefined : resolveRate(where, rate);
}
