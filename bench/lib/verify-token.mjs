/**
 * Verification as a careful hand-written server does it with jose: pinned algorithm and type, required claims, strict
 * characters, a bounded size. Used by the peers that authenticate without Hubward.
 */

import { createLocalJWKSet, jwtVerify } from "jose";

const jwtShape = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const maxTokenBytes = 8192;

/**
 * @param {import("./peer-process.mjs").PeerConfig} config
 * @returns {(token: string) => Promise<{ subject: string, session: unknown, expiresAt: number, roles: string[] }>}
 *   rejects for a token that does not verify. `expiresAt`: milliseconds since 1970
 */
export function createTokenVerifier({ issuer, audience, publicJwk }) {
  const keys = createLocalJWKSet({ keys: [publicJwk] });
  const rules = {
    issuer,
    audience,
    algorithms: ["ES256"],
    typ: "at+jwt",
    requiredClaims: ["iss", "aud", "exp", "iat", "sub", "client_id", "jti"],
  };
  return async (token) => {
    if (token.length > maxTokenBytes || !jwtShape.test(token)) throw new Error("not a JWT");
    const { payload } = await jwtVerify(token, keys, rules);
    return { subject: payload.sub, session: payload.sid, expiresAt: payload.exp * 1000, roles: ["doctor"] };
  };
}
