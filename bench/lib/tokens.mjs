/**
 * Access tokens for the benches: ES256, `at+jwt` (RFC 9068), each one distinct, signed before anything is measured.
 */

import { exportJWK, generateKeyPair, SignJWT } from "jose";

export const issuer = "https://issuer.bench.invalid";
export const audience = "hubward-bench";

/** Nothing expires during a run. */
const lifetimeSeconds = 3600;

/**
 * @returns {Promise<{ config: import("./peer-process.mjs").PeerConfig, sign: (count: number) => Promise<string[]> }>}
 *   `sign` never makes the same token twice
 */
export async function createTokenSource() {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const publicJwk = { ...(await exportJWK(publicKey)), kid: "bench-1", alg: "ES256", use: "sig" };
  let issued = 0;

  const signOne = (serial, issuedAt) =>
    new SignJWT({ client_id: "bench", sid: `session-${serial}`, jti: `token-${serial}` })
      .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: publicJwk.kid })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(`staff-${serial}`)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + lifetimeSeconds)
      .sign(privateKey);

  const sign = async (count) => {
    const issuedAt = Math.floor(Date.now() / 1000);
    const tokens = [];
    while (tokens.length < count) {
      const batch = Math.min(100, count - tokens.length);
      tokens.push(...(await Promise.all(Array.from({ length: batch }, () => signOne(++issued, issuedAt)))));
    }
    return tokens;
  };
  return { config: { issuer, audience, publicJwk }, sign };
}

/** For the reference server of `conformance/reference`, which reads the claims and checks no signature. */
export function unsignedToken(subject) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + lifetimeSeconds;
  return `${encode({ alg: "none" })}.${encode({ sub: subject, roles: [], exp })}.unsigned`;
}
