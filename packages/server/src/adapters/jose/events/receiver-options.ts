/** Options that the receivers of an issuer's messages have in common, checked and filled in. */

import type { Clock } from "../../../core/clock.js";
import { systemClock } from "../../../platform/system-clock.js";
import { assertAlgorithms, type Algorithm } from "../algorithms.js";
import { claimKeys } from "../key-owner.js";
import type { KeySource } from "../key-source.js";
import { assertKeySource, assertRange, assertText, assertTexts } from "../option-checks.js";

export interface ReceiverOptions {
  /** The `iss` every message must carry, compared character by character. */
  readonly issuer: string;
  /** Our own name or names, of which `aud` must contain at least one. */
  readonly audience: string | readonly string[];
  /** Where the issuer's keys are. May be the very source that `jwt()` has, where the issuer is the same. */
  readonly keys: KeySource;
  /** How far the issuer's clock may be off. Seconds, 0 to 300, default 60. */
  readonly clockSkewSeconds?: number | undefined;
  /** Messages remembered by their `jti`; beyond them the oldest is forgotten. Count, default 10,000. */
  readonly maxRememberedIds?: number | undefined;
  /**
   * Told why a message was refused, or could not be handled. The error holds no token and no claim; one that a
   * callback of yours threw is passed on as it is.
   */
  readonly onFailure?: ((error: Error) => void) | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

export const receiverDefaults = { clockSkewSeconds: 60, maxRememberedIds: 10_000 } as const;

export interface ResolvedReceiverOptions {
  readonly issuer: string;
  readonly audience: ReadonlySet<string>;
  readonly keys: KeySource;
  readonly algorithms: ReadonlySet<Algorithm>;
  readonly clockSkewMs: number;
  readonly maxRememberedIds: number;
  readonly onFailure: ((error: Error) => void) | undefined;
  readonly clock: Clock;
}

/** @throws TypeError, RangeError */
export function resolveReceiverOptions(where: string, options: ReceiverOptions): ResolvedReceiverOptions {
  const { issuer, keys, onFailure, clock = systemClock } = options;
  const { clockSkewSeconds = receiverDefaults.clockSkewSeconds } = options;
  const { maxRememberedIds = receiverDefaults.maxRememberedIds } = options;
  assertText(`${where}.issuer`, issuer);
  const names = typeof options.audience === "string" ? [options.audience] : options.audience;
  assertTexts(`${where}.audience`, names);
  assertKeySource(`${where}.keys`, keys);
  const algorithms: readonly string[] = keys.algorithms;
  assertAlgorithms(algorithms);
  assertRange(`${where}.clockSkewSeconds`, clockSkewSeconds, 0, 300);
  assertRange(`${where}.maxRememberedIds`, maxRememberedIds, 1, 10_000_000);
  assertListener(`${where}.onFailure`, onFailure);
  claimKeys(keys, issuer);
  return {
    issuer,
    audience: new Set(names),
    keys,
    algorithms: new Set(algorithms),
    clockSkewMs: clockSkewSeconds * 1000,
    maxRememberedIds,
    onFailure,
    clock,
  };
}

/** @throws TypeError */
export function assertListener(option: string, listener: unknown): void {
  if (listener !== undefined && typeof listener !== "function") throw new TypeError(`${option}: a function`);
}
