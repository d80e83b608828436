/** Access tokens of login sessions: JWTs as RFC 9068 has them, signed with ES256. */

import { randomBytes } from "node:crypto";
import { SignJWT } from "jose";
import type { Claims, StoredSession } from "./session-store.js";
import type { SigningKey } from "./signing-key.js";

export interface AccessTokenIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly signingKey: SigningKey;
}

/** What this package says itself, or what would change what a token means to a verifier. */
const reservedClaims: ReadonlySet<string> = new Set(
  "iss aud sub exp nbf iat jti client_id azp sid tenant cnf act may_act".split(" "),
);
const maxClaimsLength = 2048;

/** Seconds a token issued at `now` lives: the configured lifetime, but not beyond the end of its session. */
export function accessTokenSeconds(lifetimeSeconds: number, sessionEndsAt: number, now: number): number {
  return Math.max(1, Math.min(lifetimeSeconds, Math.floor(sessionEndsAt / 1000) - Math.floor(now / 1000)));
}

/** Signs one token, with a `jti` of its own (128 random bits). */
export async function signAccessToken(
  { issuer, audience, signingKey }: AccessTokenIssuer,
  { sessionId, subject, tenant, clientId }: StoredSession,
  claims: Claims,
  now: number,
  seconds: number,
): Promise<string> {
  const issuedAt = Math.floor(now / 1000);
  return await new SignJWT({
    ...claims,
    iss: issuer,
    aud: audience,
    sub: subject,
    client_id: clientId,
    iat: issuedAt,
    exp: issuedAt + seconds,
    jti: randomBytes(16).toString("base64url"),
    sid: sessionId,
    ...(tenant === undefined ? {} : { tenant }),
  })
    .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: signingKey.keyId })
    .sign(signingKey.privateKey);
}

/**
 * Checks an application's own claims and copies them as JSON.
 * @throws TypeError for a name that is not the application's to set, or values that JSON cannot hold; RangeError
 * when they take more than 2048 characters: claims are few, and every connection carries them.
 */
export function copyClaims(claims: Claims): Claims {
  for (const name of Object.keys(claims)) {
    if (reservedClaims.has(name)) throw new TypeError(`claims: ${name} is not for applications to set`);
  }
  const text = toJson(claims);
  if (text.length > maxClaimsLength) throw new RangeError("claims: at most 2048 characters as JSON");
  const copy: unknown = JSON.parse(text);
  if (typeof copy !== "object" || copy === null || Array.isArray(copy)) throw new TypeError("claims: an object");
  return { ...copy };
}

function toJson(claims: Claims): string {
  try {
    return JSON.stringify(claims);
  } catch {
    throw new TypeError("claims: only what JSON can hold"); // no cause: its message can quote the claims
  }
}
