/** Credentials as if an authenticator had verified them. */

import type { Authentication, EpochMs } from "@hubward/server/ports";

export interface TestAuthenticationOptions {
  /** Default `nurse-7`. */
  readonly subject?: string | undefined;
  /** Default `https://issuer.example`. */
  readonly issuer?: string | undefined;
  /** Default none. */
  readonly tenant?: string | undefined;
  readonly clientId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly tokenId?: string | undefined;
  readonly keyId?: string | undefined;
  /** Of the key that the token is bound to. Default none. */
  readonly keyThumbprint?: string | undefined;
  /** Milliseconds since 1970. Default unknown. */
  readonly issuedAt?: number | undefined;
  /** Milliseconds since 1970. Default in the year 2100. */
  readonly expiresAt?: number | undefined;
  /** Plain data; a deeply frozen copy is kept. Default none. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

const FAR_AHEAD = Date.UTC(2100, 0, 1);

/** Makes a deeply frozen Authentication. Nothing is checked: also one that has expired can be made. */
export function testAuthentication({
  subject = "nurse-7",
  issuer = "https://issuer.example",
  expiresAt = FAR_AHEAD,
  issuedAt,
  claims = {},
  tenant,
  clientId,
  sessionId,
  tokenId,
  keyId,
  keyThumbprint,
}: TestAuthenticationOptions = {}): Authentication {
  return deepFreeze({
    subject,
    issuer,
    tenant,
    clientId,
    sessionId,
    tokenId,
    keyId,
    ...(keyThumbprint === undefined ? undefined : { keyThumbprint }),
    issuedAt: issuedAt as EpochMs | undefined,
    expiresAt: expiresAt as EpochMs,
    claims: structuredClone(claims),
  });
}

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === "object" && member !== null) deepFreeze(member);
  return Object.freeze(value);
}
