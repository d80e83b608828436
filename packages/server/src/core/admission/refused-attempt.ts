/**
 * An attempt that comes to nothing, to connect or at one of the application's own routes: counted, and told with what
 * is known of who made it.
 */

import { HubwardError, type ReasonName } from "@hubward/wire";
import type { Authentication } from "../auth/authentication.js";
import { PolicyRefusal } from "../auth/policy.js";
import { LongLivedCredential, RevokedCredential } from "../auth/revocation-gate.js";
import type { HttpReply, HttpRequest } from "../http.js";
import type { ConnectionId } from "../ids.js";
import { LimitRefusal } from "../limits/limit-refusal.js";
import { principalFields, type Telemetry, type TelemetryEvent } from "../telemetry.js";
import { CookieRefused } from "./cookie.js";
import { countFailure, type FailedCredentials } from "./failed-credential.js";
import { CredentialConflict } from "./forwarded.js";
import { DpopRefused, MissingCredential, refusalReply } from "./refusal-reply.js";

/** A token in a query where none may stand. */
export class QueryTokenRefused extends HubwardError {}

/** Who knocks, as far as is known by now: for the log, whatever comes of it. */
export interface Applicant {
  authentication: Authentication | undefined;
  roles: readonly string[];
  connectionId?: ConnectionId | undefined;
}

const HINTS: Partial<Record<ReasonName, string>> = {
  origin_denied: "a page of this origin is not in allowedOrigins",
  try_again_later: "too many connect attempts are waiting",
};
const FAILURES_HINT = "too many failed attempts from this address: see limits.authentication, and trustedProxies";
const LONG_LIVED_HINT = "the token lives longer than revocations are remembered: see maxTokenAgeMs";
const QUERY_TOKEN_HINT = "a JWT stood in the query, and allowQueryToken is off";

type Asker = Pick<HttpRequest, "remoteAddress">;

export interface RefusalPorts {
  readonly telemetry: Telemetry;
  readonly failed: FailedCredentials;
}

/**
 * Counts and logs a refused attempt to connect and makes the answer. `hint`: a constant text for the operator. Those
 * that a limit turns away by the thousand are logged once a second.
 */
export function refuse(
  asker: Asker,
  { path }: { readonly path: string },
  { telemetry, failed }: RefusalPorts,
  error: HubwardError,
  applicant?: Applicant,
  hint?: string,
): HttpReply {
  const told = countRefusal(asker, failed, error, applicant, hint);
  if (told !== undefined)
    telemetry({ event: "connection.refused", connectionId: applicant?.connectionId, hub: path, ...told });
  return refusalReply(error);
}

/** The same for a request that is no attempt to connect. How it is answered is for the route. */
export function refuseRequest(
  asker: Asker,
  { telemetry, failed }: RefusalPorts,
  error: HubwardError,
  applicant: Applicant,
): void {
  const told = countRefusal(asker, failed, error, applicant);
  if (told !== undefined) telemetry({ event: "request.refused", ...told });
}

/** What is told of a refusal at every door; undefined where the like was told just now. */
function countRefusal(
  { remoteAddress }: Asker,
  failed: FailedCredentials,
  error: HubwardError,
  applicant: Applicant | undefined,
  hint: string | undefined = refusalHint(error),
): Omit<Extract<TelemetryEvent, { readonly event: "request.refused" }>, "event"> | undefined {
  const authentication =
    applicant?.authentication ?? (error instanceof RevokedCredential ? error.authentication : undefined);
  if (authentication === undefined) countFailure({ remoteAddress }, error, failed);
  if (error instanceof LimitRefusal && !error.isTold) return undefined;
  return {
    reason: error.reason,
    principal: authentication === undefined ? undefined : principalFields(authentication, applicant?.roles ?? []),
    policy: error instanceof PolicyRefusal ? error.policy : undefined,
    remoteAddress,
    hint,
  };
}

function refusalHint(error: HubwardError): string | undefined {
  if (error instanceof MissingCredential || error instanceof CredentialConflict) return error.detail;
  if (error instanceof CookieRefused || error instanceof DpopRefused) return error.detail;
  if (error instanceof LongLivedCredential) return LONG_LIVED_HINT;
  if (error instanceof LimitRefusal && error.reason === "rate_limited") return FAILURES_HINT;
  return error instanceof QueryTokenRefused ? QUERY_TOKEN_HINT : HINTS[error.reason];
}
