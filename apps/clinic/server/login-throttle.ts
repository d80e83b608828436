/**
 * Slows down guessing: failed sign-ins are counted per name and per address. Only failures count, so people who know
 * their password are never refused for signing in often; where the next failure would be one too many, they wait for
 * the attempts that are under way instead.
 */

import { createFailureCounter } from "./failure-counter.js";

export interface LoginThrottleOptions {
  /** Default 10. */
  readonly maxFailuresPerName?: number | undefined;
  /** Default 100. */
  readonly maxFailuresPerAddress?: number | undefined;
  /** Default 60,000. */
  readonly windowMs?: number | undefined;
  /** Names, and as many addresses, remembered. Default 10,000. */
  readonly maxKeys?: number | undefined;
  /** Sign-ins under way or waiting; more are told to come back in a second. Default 256. */
  readonly maxPending?: number | undefined;
  /** Milliseconds on a clock that never steps back. Default: the process's. */
  readonly now?: (() => number) | undefined;
}

export const loginThrottleDefaults = {
  maxFailuresPerName: 10,
  maxFailuresPerAddress: 100,
  windowMs: 60_000,
  maxKeys: 10_000,
  maxPending: 256,
} as const;

export type ThrottledResult<T> =
  | { readonly allowed: true; readonly value: T | undefined }
  | { readonly allowed: false; readonly retryAfterSeconds: number };

export interface LoginThrottle {
  /** Runs a check, which resolves to undefined for a failure, unless too many have failed. A rejection is no failure. */
  attempt<T>(name: string, address: string, check: () => Promise<T | undefined>): Promise<ThrottledResult<T>>;
}

/** Longer names belong to nobody; what follows need not be remembered. */
const maxNameLength = 65;

export function createLoginThrottle(options: LoginThrottleOptions = {}): LoginThrottle {
  const settings = { ...loginThrottleDefaults, now: () => performance.now(), ...definedOnly(options) };
  const { windowMs, maxKeys, maxPending, now } = settings;
  const names = createFailureCounter({ maxFailures: settings.maxFailuresPerName, windowMs, maxKeys, now });
  const addresses = createFailureCounter({ maxFailures: settings.maxFailuresPerAddress, windowMs, maxKeys, now });
  let pending = 0;
  let waiting: (() => void)[] = [];

  function wake(): void {
    const woken = waiting;
    waiting = [];
    for (const resolve of woken) resolve();
  }

  async function run<T>(
    name: string,
    address: string,
    check: () => Promise<T | undefined>,
  ): Promise<ThrottledResult<T>> {
    for (;;) {
      const blockedMs = Math.max(names.blockedMs(name), addresses.blockedMs(address));
      if (blockedMs > 0) return { allowed: false, retryAfterSeconds: Math.ceil(blockedMs / 1000) };
      if (names.hasRoom(name) && addresses.hasRoom(address)) break;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    const attempts = [names.begin(name), addresses.begin(address)];
    let isFailure = false;
    try {
      const value = await check();
      isFailure = value === undefined;
      return { allowed: true, value };
    } finally {
      for (const attempt of attempts) attempt.settle(isFailure);
      wake();
    }
  }

  return {
    async attempt(name, address, check) {
      if (pending >= maxPending) return { allowed: false, retryAfterSeconds: 1 };
      pending++;
      try {
        return await run(name.slice(0, maxNameLength), address, check);
      } finally {
        pending--;
      }
    },
  };
}

function definedOnly<T extends object>(options: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const defined = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}
