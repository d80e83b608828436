/** The authenticator for JSON Web Tokens. */

import { compactVerify, errors } from "jose";
import { HubwardError } from "@hubward/wire";
import type { Authentication } from "../../core/auth/authentication.js";
import type { Authenticator } from "../../core/auth/authenticator.js";
import type { BearerCredential } from "../../core/auth/credential.js";
import { authenticateClaims } from "./claims.js";
import { claimKeys } from "./key-owner.js";
import type { KeySource } from "./key-source.js";
import { resolveJwtOptions, type JwtOptions, type ResolvedJwtOptions } from "./options.js";
import { refuseToken } from "./refuse-token.js";
import { parseStrictObject } from "./strict-json.js";
import { readTokenHeader, type TokenHeader } from "./token-header.js";
import { createVerifiedTokenCache, type VerifiedToken } from "./verified-token-cache.js";
import { VerificationKey } from "./verification-key.js";

/** What {@link jwt} and `issuers` have in common. */
export interface TokenAuthenticator extends Authenticator {
  /** An Authentication at once for a token it remembers, else a promise. Refusals always arrive as rejections. */
  authenticate(credential: BearerCredential): Authentication | Promise<Authentication>;
  /** Forgets every token verified so far; the next use of each is verified anew. */
  forgetVerifiedTokens(): void;
  /**
   * Fetches the keys anew, now: after an issuer withdrew one. Resolves when the answer is in use, with true: tokens of
   * a key that is gone are refused from then on, remembered ones included. Resolves with false when an answer could not
   * be had within the time of two fetches; what was known then serves on within its bounds, unless the answer itself
   * took it away. Keys that the application holds itself do not change: true.
   */
  reloadKeys(): Promise<boolean>;
}

/** The authenticator of one issuer. */
export interface JwtAuthenticator extends TokenAuthenticator {
  readonly issuer: string;
}

/**
 * Authenticates the access tokens of one issuer.
 *
 * ```ts
 * const authenticator = jwt({
 *   issuer: "https://login.example.com/",
 *   audience: "https://hub.example.com",
 *   keys: jwks("https://login.example.com/jwks.json"),
 * });
 * ```
 *
 * A token passes when it is a signed JWT of strict characters and bounded size, of an allowed `typ` and algorithm,
 * signed by a key of this issuer, with our issuer and audience, a subject, and an `exp` that has not come (RFC 7519,
 * RFC 8725, RFC 9068 4). `expiresAt` is the claim itself. Identify a token by issuer and `tokenId`, never by its
 * text: one token can be spelled in more than one way.
 *
 * Refusals are `token_expired` when nothing but the expiry is wrong, `auth_unavailable` when the keys could not be
 * had, `invalid_token` for all else.
 * @throws TypeError, RangeError for options that could not be safe.
 */
export function jwt(options: JwtOptions): JwtAuthenticator {
  const rules = resolveJwtOptions(options);
  claimKeys(rules.keys, options.issuer);
  const { keys, maxTokenBytes, maxCachedTokens: maxTokens, now } = rules;
  const cache = createVerifiedTokenCache({ maxTokens, now, holds: (key) => keys.holds(key) });
  const verify = (token: string): Promise<VerifiedToken> => verifyToken(token, rules);
  return {
    issuer: options.issuer,
    authenticate({ token }) {
      if (token.length > maxTokenBytes) return Promise.reject(refuseToken("the token is too long"));
      return cache.resolve(token.reveal(), verify);
    },
    forgetVerifiedTokens: () => cache.clear(),
    reloadKeys: async () => (await keys.reload?.()) ?? true,
  };
}

async function verifyToken(token: string, rules: ResolvedJwtOptions): Promise<VerifiedToken> {
  const header = readTokenHeader(token, rules.header);
  const key = await findKey(rules.keys, header);
  const claims = parseStrictObject(await verifySignature(token, key));
  if (claims === undefined) throw refuseToken("the claims are not a JSON object with unique members");
  const authentication = authenticateClaims(claims, key.keyId ?? header.keyId, rules.claims, rules.now());
  // A reload may have withdrawn the key while the signature was checked.
  if (!rules.keys.holds(key) && (await findKey(rules.keys, header)).fingerprint !== key.fingerprint) {
    throw refuseToken("the key was withdrawn");
  }
  return { authentication, key };
}

async function findKey(keys: KeySource, { algorithm, keyId }: TokenHeader): Promise<VerificationKey> {
  let key: VerificationKey | undefined;
  try {
    key = await keys.find({ algorithm, keyId });
  } catch (cause) {
    if (cause instanceof HubwardError && cause.reason === "auth_unavailable") throw cause;
    throw new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause });
  }
  if (!(key instanceof VerificationKey)) throw refuseToken("no key of the issuer fits");
  return key;
}

async function verifySignature(token: string, key: VerificationKey): Promise<Uint8Array> {
  try {
    // The key's own algorithm, not the header's: one algorithm per key, even if a source hands out the wrong one.
    const { payload } = await compactVerify(token, await key.cryptoKey(), { algorithms: [key.algorithm] });
    return payload;
  } catch (cause) {
    // Other messages of jose may quote the header, so they are not passed on.
    if (cause instanceof errors.JWSSignatureVerificationFailed) throw refuseToken("the signature is wrong", cause);
    if (cause instanceof errors.JOSEError) throw refuseToken("the token is malformed");
    throw new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause });
  }
}
