/** Remembers verified tokens, so that the same bearer on the next request costs a hash instead of a signature. */

import { hash } from "node:crypto";
import type { Authentication } from "../../core/auth/authentication.js";
import type { EpochMs } from "../../core/clock.js";
import type { VerificationKey } from "./verification-key.js";

export interface VerifiedToken {
  readonly authentication: Authentication;
  /** The key whose signature was checked. */
  readonly key: VerificationKey;
}

export type VerifyToken = (token: string) => VerifiedToken | Promise<VerifiedToken>;

export interface VerifiedTokenCacheOptions {
  /** Count; 0 remembers none. */
  readonly maxTokens: number;
  readonly now: () => EpochMs;
  /** Whether this key still counts; asked on every hit. */
  readonly holds: (key: VerificationKey) => boolean;
}

export interface VerifiedTokenCache {
  /**
   * Answers at once for a token that verified before, whose expiry has not come and whose key still counts; otherwise
   * calls `verify`. Callers that bring the same token while that takes its time share the one call. Failures are not
   * remembered. Throws what `verify` throws.
   */
  resolve(token: string, verify: VerifyToken): Authentication | Promise<Authentication>;
  /** Starts a new generation: nothing verified, or on its way to be verified, before this call is served from memory. */
  clear(): void;
  /** Tokens held at present, lapsed ones that nobody has asked for since included. */
  readonly size: number;
}

interface Entry extends VerifiedToken {
  readonly generation: number;
}

/**
 * Keyed by SHA-256 of the token, so that the cache holds no token as text. The raw spelling is good enough for
 * remembering, where another spelling is merely a miss. It identifies no token for revocation: anyone can respell
 * an ES256 signature, so that goes by issuer and `tokenId`.
 */
export function createVerifiedTokenCache({ maxTokens, now, holds }: VerifiedTokenCacheOptions): VerifiedTokenCache {
  const entries = new Map<string, Entry>(); // least recently used first
  const flights = new Map<string, Promise<Authentication>>();
  let generation = 0;

  const isCurrent = (entry: Entry): boolean =>
    entry.generation === generation && now() < entry.authentication.expiresAt && holds(entry.key);

  const remember = (digest: string, entry: Entry): void => {
    if (maxTokens === 0 || !isCurrent(entry)) return;
    entries.set(digest, entry);
    if (entries.size <= maxTokens) return;
    const [oldest] = entries.keys();
    if (oldest !== undefined) entries.delete(oldest);
  };

  const verifyAnew = (digest: string, token: string, verify: VerifyToken): Authentication | Promise<Authentication> => {
    const flight = flights.get(digest);
    if (flight !== undefined) return flight;
    const verified = verify(token);
    return verified instanceof Promise ? startFlight(digest, verified) : keep(digest, verified, generation);
  };

  const keep = (digest: string, { authentication, key }: VerifiedToken, startedIn: number): Authentication => {
    remember(digest, { authentication, key, generation: startedIn });
    return authentication;
  };

  const startFlight = (digest: string, verifying: Promise<VerifiedToken>): Promise<Authentication> => {
    const startedIn = generation;
    const flight = verifying
      .then((verified) => keep(digest, verified, startedIn))
      .finally(() => {
        if (flights.get(digest) === flight) flights.delete(digest);
      });
    flights.set(digest, flight);
    return flight;
  };

  return {
    resolve(token, verify) {
      const digest = hash("sha256", token, "base64url");
      const entry = entries.get(digest);
      if (entry === undefined) return verifyAnew(digest, token, verify);
      entries.delete(digest);
      if (!isCurrent(entry)) return verifyAnew(digest, token, verify);
      entries.set(digest, entry);
      return entry.authentication;
    },
    clear() {
      generation += 1;
      entries.clear();
      flights.clear();
    },
    get size() {
      return entries.size;
    },
  };
}
