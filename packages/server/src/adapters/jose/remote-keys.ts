/**
 * The life of a key set that somebody else publishes: when it is fetched, how long it serves, and what is said while
 * it cannot be had. Knows no network; {@link jwks} and {@link discover} say what a fetch is.
 */

import { HubwardError } from "@hubward/wire";
import { readInstant, type Instant, type MonotonicMs, type Timer } from "../../core/clock.js";
import { createKeySet } from "./jwks.js";
import type { KeySource } from "./key-source.js";
import type { ResolvedRemoteKeyOptions } from "./remote-key-options.js";
import type { VerificationKey } from "./verification-key.js";

/** One fetch within the signal's time. A rejection is an outage, except {@link KeysWithdrawn}. */
export type LoadKeys = (signal: AbortSignal) => Promise<readonly VerificationKey[]>;

/**
 * The provider answered, and what it said takes the old keys away: none is left, or a private key lies open. Keys
 * fetched before serve no longer, although the answer is of no use either.
 */
export class KeysWithdrawn extends Error {
  override readonly name = "KeysWithdrawn";
}

/** Pause after a failed fetch; doubles with each further one. Milliseconds. */
const FIRST_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 30_000;

interface FetchedKeys {
  readonly source: KeySource;
  /** When they were asked for, not when they came: what changed meanwhile is not in them. */
  readonly askedAt: Instant;
}

/**
 * Serves what `load` fetched last.
 *
 * - Nothing is fetched before the first question. From then on a timer fetches at `maxAgeMs`, in the background.
 * - One fetch at a time; whoever needs its answer waits for that one.
 * - A key id the set does not have causes a fetch where the last answer is older than `cooldownMs`. A fresh answer
 *   without it is final: undefined.
 * - After a failure nothing is fetched for a pause of 1 s, doubling up to 30 s. Known keys serve on until they are
 *   `maxStaleMs` old; every other question is refused as `auth_unavailable`, with the rest of the pause to wait.
 */
export function createRemoteKeys(load: LoadKeys, options: ResolvedRemoteKeyOptions, issuer?: string): KeySource {
  const { clock, algorithms, maxAgeMs, maxStaleMs, cooldownMs, timeoutMs, onFailure } = options;
  let fetched: FetchedKeys | undefined;
  let flight: Promise<boolean> | undefined;
  let reload: Promise<boolean> | undefined;
  let timer: Timer | undefined;
  let failures = 0;
  let failure: unknown;
  let nextAttemptAt = -Infinity as MonotonicMs;

  function current(): KeySource | undefined {
    if (fetched === undefined) return undefined;
    const { now, monotonic } = readInstant(clock);
    // The wall clock may be stepped, the monotonic one stops while a machine sleeps.
    const ageMs = Math.max(now - fetched.askedAt.now, monotonic - fetched.askedAt.monotonic);
    return ageMs < maxStaleMs ? fetched.source : undefined;
  }

  function unavailable(): HubwardError {
    const waitMs = Math.max(FIRST_BACKOFF_MS, nextAttemptAt - clock.monotonic());
    return new HubwardError("auth_unavailable", { retryAfterSeconds: waitMs / 1000, cause: failure });
  }

  /** Whether it worked; never rejects. */
  function fetchNow(): Promise<boolean> {
    flight ??= attempt().finally(() => (flight = undefined));
    return flight;
  }

  async function attempt(): Promise<boolean> {
    timer?.cancel();
    const askedAt = readInstant(clock);
    const deadline = new AbortController();
    const limit = clock.after(timeoutMs, () => deadline.abort());
    try {
      const keys = (await load(deadline.signal)).filter(({ algorithm }) => algorithms.includes(algorithm));
      if (keys.length === 0) throw new KeysWithdrawn("the key set holds no key that could be used");
      fetched = { source: createKeySet(keys, algorithms), askedAt };
      failures = 0;
      failure = undefined;
      nextAttemptAt = (askedAt.monotonic + cooldownMs) as MonotonicMs;
      fetchAfter(maxAgeMs);
      return true;
    } catch (error) {
      if (error instanceof KeysWithdrawn) fetched = undefined;
      failure = error;
      const pauseMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failures);
      failures += 1;
      nextAttemptAt = (clock.monotonic() + pauseMs) as MonotonicMs;
      fetchAfter(pauseMs);
      report(error);
      return false;
    } finally {
      limit.cancel();
    }
  }

  function fetchAfter(delayMs: number): void {
    timer = clock.after(delayMs, () => void fetchNow());
  }

  function report(error: unknown): void {
    try {
      onFailure(error instanceof Error ? error : new Error("the keys could not be fetched", { cause: error }));
    } catch {
      // Whoever listens must not stop the next fetch.
    }
  }

  return Object.freeze({
    issuer,
    algorithms: Object.freeze([...algorithms]),
    find(selector) {
      const known = current();
      const key = known?.find(selector);
      if (key !== undefined) return key;
      if (flight === undefined && clock.monotonic() < nextAttemptAt) {
        if (failures > 0 || known === undefined) throw unavailable();
        return undefined;
      }
      return fetchNow().then((worked) => {
        const answer = worked ? current() : undefined;
        if (answer === undefined) throw unavailable();
        return answer.find(selector);
      });
    },
    holds: (key) => current()?.holds(key) ?? false,
    reload() {
      if (flight === undefined) return fetchNow();
      // The fetch under way may have been answered before there was a reason to call this.
      reload ??= flight.then(() => {
        reload = undefined;
        return fetchNow();
      });
      return reload;
    },
  } satisfies KeySource);
}
