/** Port: turns a credential into an Authentication, or refuses it. */

import type { Authentication } from "./authentication.js";
import type { BearerCredential, ForwardedCredential } from "./credential.js";

export interface Authenticator {
  /** The issuer, where there is only one: what a subject alone is addressed with. */
  readonly issuer?: string | undefined;
  /**
   * Verifies one token completely (signature, issuer, audience, lifetime, type). May answer at once when it
   * has verified the same token before. Never returns an Authentication whose `expiresAt` has passed. What it returns is
   * frozen.
   * @throws HubwardError (or rejects with one): `invalid_token`, `token_expired`, or `auth_unavailable` when the
   * answer could not be had; the last one must never be told to a client as 401.
   */
  authenticate(credential: BearerCredential): Authentication | Promise<Authentication>;
  /** For applications behind a gateway that says who asks. Default: no header but `Authorization` counts. */
  readonly forwarded?: ForwardedAuthenticator | undefined;
}

/** What an authenticator makes of the headers in which a gateway says who asks. */
export interface ForwardedAuthenticator {
  /** Their names, lower-cased. Adapters cut them out of every request, whoever answers it. */
  readonly headers: readonly string[];
  /** Whether they count from trusted proxies only. False only for what proves itself, as a signed assertion does. */
  readonly trustedOnly: boolean;
  /**
   * What a bearer token (not a ticket) beside them means. `refused`: nobody could verify it, the gateway alone
   * decides. `required`: both must be there and name the same identity. `optional`: one of the two is enough; both
   * must agree.
   */
  readonly bearer: "refused" | "required" | "optional";
  /**
   * Reads the headers; a bearer beside them is not its business. Promises and errors as
   * {@link Authenticator.authenticate}; `expiresAt` is bounded here, too.
   */
  authenticate(headers: ForwardedCredential["headers"]): Authentication | Promise<Authentication>;
}
