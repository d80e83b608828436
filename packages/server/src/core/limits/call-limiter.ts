/**
 * Who may call how often: asked by the gate once for each call, before any rule of the application. Five buckets hold:
 * the connection's, its principal's, its tenant's, its remote address's, and the method's for this principal.
 */

import { HubwardError } from "@hubward/wire";
import type { Clock, MonotonicMs } from "../clock.js";
import type { LifecycleEvent } from "../connection/lifecycle.js";
import type { IdentityKey } from "../ids.js";
import { addressKey } from "./address-key.js";
import { KeyedBuckets } from "./keyed-buckets.js";
import type { ResolvedLimits } from "./limit-options.js";
import { TokenBucket, type Rate } from "./token-bucket.js";

/** A connection, as far as its calls are counted. */
export interface Caller {
  readonly identity: IdentityKey;
  readonly tenant: string | undefined;
  readonly remoteAddress: string | undefined;
  apply(event: LifecycleEvent): void;
}

/** Something that is called, by the object that it is declared with. */
export interface LimitedAction {
  /** For one principal. Default as often as its connection may. */
  readonly limit?: Rate | undefined;
}

export interface CallLimiter {
  /**
   * Takes one call out of every bucket, or out of none when one of them is empty: then `rate_limited`, with the seconds
   * until all of them have one. Called for what is no call, too: a frame that cannot be read, a name nobody declared.
   * @param rate of this connection by itself
   * @param action what was called; undefined for what does not exist
   * @param now where it was read already: asking the clock is a good part of what this costs. Milliseconds
   */
  take(
    caller: Caller,
    rate: Rate | undefined,
    action: LimitedAction | undefined,
    now?: MonotonicMs,
  ): HubwardError | undefined;
  /**
   * Counts what is answered and taken out of no bucket, as `take` does with its own refusals: calls that others refuse
   * first, calls of the protocol's own. Too many of them end the connection, with `rate_limited`.
   */
  tolerate(caller: Caller): void;
}

export interface CallLimiterPorts {
  readonly clock: Pick<Clock, "monotonic">;
  readonly limits: Pick<ResolvedLimits, "principal" | "tenant" | "address" | "tolerance">;
}

/** What is kept for one connection, from its first call on. */
interface Account {
  readonly calls: TokenBucket;
  /** Who goes on calling while it is refused costs a decoding and an answer each time. */
  readonly tolerated: TokenBucket;
  readonly address: string | undefined;
}

export function createCallLimiter({ clock, limits }: CallLimiterPorts): CallLimiter {
  const accounts = new WeakMap<Caller, Account>();
  const principals = limits.principal && new KeyedBuckets(limits.principal);
  const tenants = limits.tenant && new KeyedBuckets(limits.tenant);
  const addresses = limits.address && new KeyedBuckets(limits.address);
  const actions = new WeakMap<LimitedAction, KeyedBuckets>();

  function accountOf(caller: Caller): Account {
    const known = accounts.get(caller);
    if (known !== undefined) return known;
    const address = addresses === undefined ? undefined : addressKey(caller.remoteAddress);
    const account = { calls: new TokenBucket(), tolerated: new TokenBucket(), address };
    accounts.set(caller, account);
    return account;
  }

  function bucketsOf(action: LimitedAction | undefined): KeyedBuckets | undefined {
    if (action?.limit === undefined) return undefined;
    const known = actions.get(action);
    if (known !== undefined) return known;
    const made = new KeyedBuckets(action.limit);
    actions.set(action, made);
    return made;
  }

  function tolerate(caller: Caller, { tolerated }: Account, now: number): void {
    const rate = limits.tolerance;
    if (rate === undefined) return;
    if (tolerated.waitMs(rate, now) > 0) return caller.apply({ type: "violation", reason: "rate_limited" });
    tolerated.take(rate, now);
  }

  return {
    take(caller, rate, action, now = clock.monotonic()) {
      const account = accountOf(caller);
      const { calls, address } = account;
      const { identity, tenant } = caller;
      const methods = bucketsOf(action);
      const waitMs = Math.max(
        rate === undefined ? 0 : calls.waitMs(rate, now),
        principals === undefined ? 0 : principals.waitMs(identity, now),
        tenants === undefined || tenant === undefined ? 0 : tenants.waitMs(tenant, now),
        addresses === undefined || address === undefined ? 0 : addresses.waitMs(address, now),
        methods === undefined ? 0 : methods.waitMs(identity, now),
      );
      if (waitMs > 0) {
        tolerate(caller, account, now);
        return new HubwardError("rate_limited", { retryAfterSeconds: waitMs / 1000 });
      }
      if (rate !== undefined) calls.take(rate, now);
      principals?.take(identity, now);
      if (tenant !== undefined) tenants?.take(tenant, now);
      if (address !== undefined) addresses?.take(address, now);
      methods?.take(identity, now);
      return undefined;
    },
    tolerate: (caller) => tolerate(caller, accountOf(caller), clock.monotonic()),
  };
}
