/** What a verified credential says: who, until when, and by which token and session. Immutable. */

import type { EpochMs } from "../clock.js";
import { identityKey, joinKey, sameIdentity, type Identity } from "../ids.js";

export interface Authentication extends Identity {
  /** OAuth client the token was issued to (`client_id`, else `azp`). */
  readonly clientId: string | undefined;
  /** Login session (`sid`). */
  readonly sessionId: string | undefined;
  /** Token id (`jti`). */
  readonly tokenId: string | undefined;
  /** Key that signed it (`kid`). */
  readonly keyId: string | undefined;
  /** Thumbprint of the key its bearer must hold (`cnf.jkt`: RFC 9449 6.1), where the token is bound to one. */
  readonly keyThumbprint?: string | undefined;
  readonly issuedAt: EpochMs | undefined;
  /** The claim itself, without leeway: no action and no delivery from this instant on. */
  readonly expiresAt: EpochMs;
  /** The verified claims, deeply frozen. For the application's principal mapping, never for logs. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * Whether `next` may take the place of `current` on a live connection: the same person through the same client, with
 * the same key where there is one already. One without a key may get one, and never loses it again.
 */
export function sameIdentityAndClient(next: Authentication, current: Authentication): boolean {
  const isSameKey = current.keyThumbprint === undefined || next.keyThumbprint === current.keyThumbprint;
  return isSameKey && sameIdentity(next, current) && next.clientId === current.clientId;
}

/** One login session for counting, or the person where tokens name no session. */
export function sessionKey(authentication: Authentication): string {
  return joinKey([identityKey(authentication), authentication.sessionId]);
}
