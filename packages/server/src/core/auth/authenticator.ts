/** Port: turns a bearer token into an Authentication, or refuses it. */

import type { Authentication } from "./authentication.js";
import type { BearerCredential } from "./credential.js";

export interface Authenticator {
  /** The issuer, where there is only one: what a subject alone is addressed with. */
  readonly issuer?: string | undefined;
  /**
   * Verifies one token completely (signature, issuer, audience, lifetime, type). May answer at once when it
   * has verified the same token before. Never returns an Authentication whose `expiresAt` has passed.
   * @throws HubwardError (or rejects with one): `invalid_token`, `token_expired`, or `auth_unavailable` when the
   * answer could not be had; the last one must never be told to a client as 401.
   */
  authenticate(credential: BearerCredential): Authentication | Promise<Authentication>;
}
