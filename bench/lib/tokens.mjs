/**
 * Access tokens for the benches: ES256, `at+jwt` (RFC 9068), each one distinct, signed before anything is measured.
 */

import { exportJWK, generateKeyPair, SignJWT } from "jose";

export const issuer = "https://issuer.bench.invalid";
export const audience = "hubward-bench";

/** Nothing expires during a run, unless it is meant to. */
const lifetimeSeconds = 3600;

/**
 * @typedef {object} TokenSource
 * @property {import("./peer-process.mjs").PeerConfig} config
 * @property {(count: number, options?: { expiresAt?: number, tenant?: string }) => Promise<string[]>} sign never makes
 *   the same token twice. `expiresAt`: seconds since 1970; `tenant`: its claim `tid`
 * @property {(count: number, times: number) => Promise<string[][]>} signSeries for each of so many people as many
 *   tokens, each of which ends a second after the one before
 *
 * @returns {Promise<TokenSource>}
 */
export async function createTokenSource() {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const publicJwk = { ...(await exportJWK(publicKey)), kid: "bench-1", alg: "ES256", use: "sig" };
  let issued = 0;

  const signOne = (serial, issuedAt, { expiresAt = issuedAt + lifetimeSeconds, tenant } = {}) =>
    new SignJWT({ client_id: "bench", sid: `session-${serial}`, jti: `token-${serial}-${expiresAt}`, tid: tenant })
      .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: publicJwk.kid })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(`staff-${serial}`)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .sign(privateKey);

  const sign = async (count, options) => {
    const issuedAt = Math.floor(Date.now() / 1000);
    const tokens = [];
    while (tokens.length < count) {
      const batch = Math.min(100, count - tokens.length);
      tokens.push(...(await Promise.all(Array.from({ length: batch }, () => signOne(++issued, issuedAt, options)))));
    }
    return tokens;
  };
  const signSeries = async (count, times) => {
    const issuedAt = Math.floor(Date.now() / 1000);
    const series = [];
    for (let person = 0; person < count; person++) {
      const serial = ++issued;
      const ends = Array.from({ length: times }, (_, at) => issuedAt + lifetimeSeconds + at);
      series.push(await Promise.all(ends.map((expiresAt) => signOne(serial, issuedAt, { expiresAt }))));
    }
    return series;
  };
  return { config: { issuer, audience, publicJwk }, sign, signSeries };
}

/** For the reference server of `conformance/reference`, which reads the claims and checks no signature. */
export function unsignedToken(subject) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + lifetimeSeconds;
  return `${encode({ alg: "none" })}.${encode({ sub: subject, roles: [], exp })}.unsigned`;
}
