/** Options of {@link jwks} and {@link discover}, checked and filled in. */

import type { Clock } from "../../core/clock.js";
import { systemClock } from "../../platform/system-clock.js";
import { isAlgorithm, type Algorithm } from "./algorithms.js";

export interface RemoteKeyOptions {
  /**
   * What the keys may be used for; keys of other algorithms in the set are left out. Default RS256, ES256 and EdDSA.
   * HS256 is refused: a published key is no secret.
   */
  readonly algorithms?: readonly Algorithm[] | undefined;
  /** Age at which the keys are fetched anew in the background. Milliseconds, default 600,000 (10 minutes). */
  readonly maxAgeMs?: number | undefined;
  /**
   * Age at which keys that could not be fetched anew no longer serve. Milliseconds, at least `maxAgeMs`, default
   * 3,600,000 (1 hour). No longer than the issuer's tokens live.
   */
  readonly maxStaleMs?: number | undefined;
  /** How long an answer counts as fresh: unknown key ids cause no fetch meanwhile. Milliseconds, default 30,000. */
  readonly cooldownMs?: number | undefined;
  /** Total time of one fetch, discovery and keys together. Milliseconds, default 3000. */
  readonly timeoutMs?: number | undefined;
  /** Longest body of an answer, in bytes, default 524,288. */
  readonly maxBytes?: number | undefined;
  /** Keys in one set, usable or not. Count, default 100. */
  readonly maxKeys?: number | undefined;
  /** Certificate authorities in PEM for an internal provider; they replace the system's. Default: the system's. */
  readonly ca?: string | readonly string[] | undefined;
  /** Whether http is good enough for `localhost`, 127.0.0.0/8 and ::1. For tests and development; default false. */
  readonly allowLoopbackHttp?: boolean | undefined;
  /**
   * Told of each fetch that failed, so that an outage is seen while the old keys still serve. The error quotes
   * nothing of the answer.
   */
  readonly onFailure?: ((error: Error) => void) | undefined;
  /** Time and timers. Default: the system's. */
  readonly clock?: Clock | undefined;
}

export interface RemoteKeyDefaults {
  readonly algorithms: readonly Algorithm[];
  readonly maxAgeMs: number;
  readonly maxStaleMs: number;
  readonly cooldownMs: number;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxKeys: number;
  readonly allowLoopbackHttp: boolean;
}

export const remoteKeyDefaults: RemoteKeyDefaults = Object.freeze({
  algorithms: Object.freeze(["RS256", "ES256", "EdDSA"] as const),
  maxAgeMs: 600_000,
  maxStaleMs: 3_600_000,
  cooldownMs: 30_000,
  timeoutMs: 3000,
  maxBytes: 512 * 1024,
  maxKeys: 100,
  allowLoopbackHttp: false,
});

export interface ResolvedRemoteKeyOptions extends RemoteKeyDefaults {
  readonly ca: readonly string[] | undefined;
  readonly onFailure: (error: Error) => void;
  readonly clock: Clock;
}

/** @throws TypeError, RangeError */
export function resolveRemoteKeyOptions(options: RemoteKeyOptions = {}): ResolvedRemoteKeyOptions {
  const { algorithms = remoteKeyDefaults.algorithms, onFailure, clock = systemClock } = options;
  const allowLoopbackHttp = options.allowLoopbackHttp ?? remoteKeyDefaults.allowLoopbackHttp;
  const ca = readCertificates("keys.ca", options.ca);
  if (algorithms.length === 0) throw new RangeError("keys.algorithms: at least one algorithm");
  for (const algorithm of algorithms) {
    if (!isAlgorithm(algorithm) || algorithm === "HS256") {
      throw new RangeError("keys.algorithms: of published keys only RS256, ES256 and EdDSA are supported");
    }
  }
  if (typeof allowLoopbackHttp !== "boolean") throw new TypeError("keys.allowLoopbackHttp: true or false");
  if (onFailure !== undefined && typeof onFailure !== "function") throw new TypeError("keys.onFailure: a function");
  const maxAgeMs = readNumber(options, "maxAgeMs", 1000, 86_400_000);
  return {
    algorithms: [...algorithms],
    maxAgeMs,
    maxStaleMs: readNumber(options, "maxStaleMs", maxAgeMs, 7 * 86_400_000),
    cooldownMs: readNumber(options, "cooldownMs", 1000, 3_600_000),
    timeoutMs: readNumber(options, "timeoutMs", 100, 60_000),
    maxBytes: readNumber(options, "maxBytes", 1024, 16 * 1024 * 1024),
    maxKeys: readNumber(options, "maxKeys", 1, 10_000),
    allowLoopbackHttp,
    ca,
    onFailure: onFailure ?? (() => undefined),
    clock,
  };
}

/** @throws TypeError */
export function readCertificates(
  option: string,
  ca: string | readonly string[] | undefined,
): readonly string[] | undefined {
  const list = typeof ca === "string" ? [ca] : ca;
  if (list !== undefined && !(list.length > 0 && list.every((pem) => typeof pem === "string"))) {
    throw new TypeError(`${option}: PEM text`);
  }
  return list;
}

type NumberOption = "maxAgeMs" | "maxStaleMs" | "cooldownMs" | "timeoutMs" | "maxBytes" | "maxKeys";

function readNumber(options: RemoteKeyOptions, name: NumberOption, min: number, max: number): number {
  // A short-lived default must not contradict a longer age somebody asked for.
  const value = options[name] ?? Math.max(min, remoteKeyDefaults[name]);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`keys.${name}: a whole number from ${min} to ${max}`);
  }
  return value;
}
