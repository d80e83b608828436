/** Which refused attempts were credentials that were none, and who may try another one. For every door. */

import type { HubwardError } from "@hubward/wire";
import { LongLivedCredential } from "../auth/revocation-gate.js";
import type { HttpRequest } from "../http.js";
import type { FailedAttempts } from "../limits/failed-attempts.js";
import { MissingCredential } from "./refusal-reply.js";

export interface FailedCredentials {
  /** What did not verify: bearers, those out of cookies, what a gateway forwards. */
  readonly tokens: FailedAttempts;
  /** What names nothing. By themselves: after a restart no ticket does, and everybody has to come with a token. */
  readonly tickets: FailedAttempts;
}

type Asker = Pick<HttpRequest, "remoteAddress">;

/** To be asked before anything is verified. @throws LimitRefusal rate_limited */
export function assertMayTry({ remoteAddress }: Asker, failures: FailedAttempts): void {
  const refusal = failures.refusal(remoteAddress);
  if (refusal !== undefined) throw refusal;
}

/**
 * Counts a refusal that says of a credential that it is none. What verifies does not count, though it is over, revoked
 * or unwelcome; nor does no credential at all, which is what a browser's first request presents.
 */
export function countFailure({ remoteAddress }: Asker, error: HubwardError, failed: FailedCredentials): void {
  if (error instanceof MissingCredential || error instanceof LongLivedCredential) return;
  if (error.reason === "ticket_invalid") failed.tickets.failed(remoteAddress);
  if (error.reason === "invalid_token" || error.reason === "invalid_dpop_proof") failed.tokens.failed(remoteAddress);
}
