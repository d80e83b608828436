/** The authenticator for JSON Web Tokens. */

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
import { createTokenReader, type TokenHeader, type TokenParts, type TokenReader } from "./token-header.js";
import { createVerifiedTokenCache, type VerifiedToken } from "./verified-token-cache.js";
import { VerificationKey } from "./verification-key.js";

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

function findKey(keys: KeySource, header: TokenHeader): VerificationKey | Promise<VerificationKey> {
  let found: ReturnType<KeySource["find"]>;
  try {
    found = keys.find(header);
  } catch (cause) {
    throw keysUnavailable(cause);
  }
  if (!isThenable(found)) return assertKey(found);
  return Promise.resolve(found).then(assertKey, (cause: unknown) => {
    throw keysUnavailable(cause);
  });
}

/** A source of the application's own may hand out anything. */
function assertKey(key: VerificationKey | undefined): VerificationKey {
  if (!(key instanceof VerificationKey)) throw refuseToken("no key of the issuer fits");
  return key;
}

function keysUnavailable(cause: unknown): HubwardError {
  if (cause instanceof HubwardError && cause.reason === "auth_unavailable") return cause;
  return new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause });
}

/** The claims, once their signature holds: nothing of them is read before. */
function readClaims({ header, payload, signature, signed }: TokenParts, key: VerificationKey): Record<string, unknown> {
  // One algorithm per key, even if a source hands out the wrong one.
  if (header.algorithm !== key.algorithm) throw refuseToken("the algorithm is not the key's");
  // Strict base64url, all of it: its characters are their own bytes.
  if (!key.verifies(Buffer.from(signed, "latin1"), Buffer.from(signature, "base64url"))) {
    throw refuseToken("the signature is wrong");
  }
  const claims = parseStrictObject(Buffer.from(payload, "base64url"));
  if (claims === undefined) throw refuseToken("the claims are not a JSON object with unique members");
  return claims;
}

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
}
