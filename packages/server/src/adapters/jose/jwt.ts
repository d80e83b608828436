/** The authenticator for JSON Web Tokens. */

import type { Authentication } from "../../core/auth/authentication.js";
import type { Authenticator } from "../../core/auth/authenticator.js";
import type { BearerCredential } from "../../core/auth/credential.js";
import { authenticateClaims } from "./claims.js";
import { claimKeys } from "./key-owner.js";
import { resolveJwtOptions, type JwtOptions, type ResolvedJwtOptions } from "./options.js";
import { refuseToken } from "./refuse-token.js";
import { findKey, readClaims } from "./signed-token.js";
import { createTokenReader, type TokenReader } from "./token-header.js";
import { createVerifiedTokenCache, type VerifiedToken } from "./verified-token-cache.js";
import type { VerificationKey } from "./verification-key.js";

/** What {@link jwt} and `issuers` have in common. */
export interface TokenAuthenticator extends Authenticator {
  /** An Authentication at once where the keys are at hand, else a promise. Refusals always arrive as rejections. */
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
  const read = createTokenReader(rules.header);
  const verify = (token: string): VerifiedToken | Promise<VerifiedToken> => verifyToken(token, read, rules);
  return {
    issuer: options.issuer,
    authenticate({ token }) {
      if (token.length > maxTokenBytes) return Promise.reject(refuseToken("the token is too long"));
      try {
        return cache.resolve(token.reveal(), verify);
      } catch (refusal) {
        return Promise.reject(refusal as Error);
      }
    },
    forgetVerifiedTokens: () => cache.clear(),
    reloadKeys: async () => (await keys.reload?.()) ?? true,
  };
}

/** At once where the key is at hand. @throws (or rejects with) HubwardError */
function verifyToken(
  token: string,
  read: TokenReader,
  { keys, claims, now }: ResolvedJwtOptions,
): VerifiedToken | Promise<VerifiedToken> {
  const parts = read(token);
  const authenticate = (key: VerificationKey): VerifiedToken => ({
    authentication: authenticateClaims(readClaims(parts, key), key.keyId ?? parts.header.keyId, claims, now()),
    key,
  });
  const key = findKey(keys, parts.header);
  if (!(key instanceof Promise)) return authenticate(key);
  return key.then(async (found) => {
    const verified = authenticate(found);
    // A reload may have withdrawn the key between its being found and now.
    if (!keys.holds(found) && (await findKey(keys, parts.header)).fingerprint !== found.fingerprint) {
      throw refuseToken("the key was withdrawn");
    }
    return verified;
  });
}
