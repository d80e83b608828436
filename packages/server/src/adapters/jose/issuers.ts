/** Several issuers side by side, each with its own keys and rules. */

import type { Authentication } from "../../core/auth/authentication.js";
import { decodeBase64url } from "./base64url.js";
import type { JwtAuthenticator, TokenAuthenticator } from "./jwt.js";
import { refuseToken } from "./refuse-token.js";
import { ownMember, parseStrictObject } from "./strict-json.js";

/** No authenticator takes a longer token (`maxTokenBytes`). */
const MAX_TOKEN_BYTES = 65_536;

/**
 * One authenticator for tokens of several issuers:
 *
 * ```ts
 * const authenticator = issuers(
 *   jwt({ issuer: staff, audience, keys: discover(staff) }),
 *   jwt({ issuer: partners, audience, keys: discover(partners) }),
 * );
 * ```
 *
 * A token goes to the one whose issuer equals its `iss` character by character; that one verifies it completely, as
 * if it stood alone. A token of any other issuer is `invalid_token` and asks nobody for keys. While one issuer's keys
 * cannot be had, the tokens of the others are not affected.
 *
 * It has no `issuer` of its own: a subject alone addresses nobody, address principals by issuer and subject.
 * @throws TypeError when none is given, one is not made by `jwt`, or two are of the same issuer
 */
export function issuers(...authenticators: readonly JwtAuthenticator[]): TokenAuthenticator {
  const byIssuer = new Map(authenticators.map((authenticator) => [authenticator.issuer, authenticator]));
  if (authenticators.length === 0) throw new TypeError("issuers: at least one jwt() is needed");
  if (authenticators.some(({ issuer }) => typeof issuer !== "string")) {
    throw new TypeError("issuers: each must be a jwt() of one issuer");
  }
  if (byIssuer.size !== authenticators.length) throw new TypeError("issuers: two are of the same issuer");
  return {
    authenticate(credential): Authentication | Promise<Authentication> {
      const { token } = credential;
      const issuer = token.length > MAX_TOKEN_BYTES ? undefined : readUnverifiedIssuer(token.reveal());
      const authenticator = byIssuer.get(issuer ?? "");
      return authenticator?.authenticate(credential) ?? Promise.reject(refuseToken("the issuer is none of ours"));
    },
    forgetVerifiedTokens() {
      for (const authenticator of authenticators) authenticator.forgetVerifiedTokens();
    },
    async reloadKeys() {
      const outcomes = await Promise.all(authenticators.map((authenticator) => authenticator.reloadKeys()));
      return outcomes.every((worked) => worked);
    },
  };
}

/** What the token says of its issuer. It chooses who judges the token, and nothing else. */
function readUnverifiedIssuer(token: string): string | undefined {
  const payload = decodeBase64url(token.split(".", 3)[1] ?? "");
  const claims = payload === undefined ? undefined : parseStrictObject(payload);
  const issuer = claims === undefined ? undefined : ownMember(claims, "iss");
  return typeof issuer === "string" ? issuer : undefined;
}
