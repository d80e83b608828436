/** Who stands at the door: what negotiate and upgrade have in common in reading a request. */

import { HubwardError, type ReasonName } from "@hubward/wire";
import type { Admitter } from "../core/admission/admission.js";
import { bearerOf } from "../core/admission/admission.js";
import { cookieBeside, cookieOf, CookieRefused } from "../core/admission/cookie.js";
import { assertSameIdentity, believe, CredentialConflict, joinCredentials } from "../core/admission/forwarded.js";
import type { HoldBack } from "../core/admission/hold-back.js";
import { DpopRefused, MissingCredential, refusalReply } from "../core/admission/refusal-reply.js";
import type { Authentication } from "../core/auth/authentication.js";
import type { Credential } from "../core/auth/credential.js";
import { PolicyRefusal } from "../core/auth/policy.js";
import { LongLivedCredential, RevokedCredential } from "../core/auth/revocation-gate.js";
import { isTicket, type Ticket, type Tickets } from "../core/auth/tickets.js";
import type { Clock } from "../core/clock.js";
import type { Digest } from "../core/digest.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { HttpReply, HttpRequest } from "../core/http.js";
import { identityKey, joinKey, type ConnectionId } from "../core/ids.js";
import type { FailedAttempts } from "../core/limits/failed-attempts.js";
import { LimitRefusal } from "../core/limits/limit-refusal.js";
import type { PrincipalConnections } from "../core/limits/principal-connections.js";
import type { Random } from "../core/random.js";
import type { Reauthenticate } from "../core/supervision/reauthentication.js";
import { principalFields, type Telemetry } from "../core/telemetry.js";
import { authenticationOf, type Attempts, type Holder } from "./attempts.js";
import type { Bindings } from "./binding.js";

export interface DoorPorts<P> {
  readonly admitter: Admitter<P>;
  readonly attempts: Attempts<P>;
  readonly tickets: Tickets<Holder<P>>;
  readonly holdBack: HoldBack;
  /** Credentials that did not verify. */
  readonly failedTokens: FailedAttempts;
  /** Tickets that name nothing. By themselves: after a restart nobody's does, and everybody has to come with a token. */
  readonly failedTickets: FailedAttempts;
  readonly connections: PrincipalConnections;
  readonly clock: Clock;
  readonly random: Random;
  readonly digest: Digest;
  readonly bindings: Bindings;
  readonly telemetry: Telemetry;
  readonly reauthenticate: Reauthenticate<P>;
  readonly allowedOrigins: ReadonlySet<string>;
  /** Whether a JWT may stand in the query of hub paths. */
  readonly allowQueryToken: boolean;
  /** Whether new connections are refused because the server goes away. */
  readonly isDraining: () => boolean;
}

/** What a request presented, told apart before anything is believed. */
export type Presented<P> =
  | { readonly kind: "ticket"; readonly ticket: Ticket<Holder<P>> }
  | { readonly kind: "token"; readonly credential: Credential };

/**
 * A gateway goes on saying who asks when the client shows its ticket already: then both must mean the same.
 * `orCookie`: whether a ticket that is over gives way to a cookie, where the hub takes one.
 * @throws (rejects with) HubwardError MissingCredential | invalid_request | ticket_invalid | token_expired |
 * invalid_token | origin_denied | a revocation's reason, and what an authenticator says of a gateway's headers;
 * rate_limited in the place of what would have to be verified, where too much of that failed
 */
export async function readCredential<P>(
  request: HttpRequest,
  hub: Hub<P>,
  ports: DoorPorts<P>,
  orCookie = false,
): Promise<Presented<P>> {
  const { cookie } = hub.settings;
  const bearer = bearerOf(request);
  if (bearer !== undefined && isTicket(bearer.token)) {
    const headers = believe(request.forwarded);
    if (headers !== undefined) assertMayTry(request, ports.failedTokens);
    const edge = headers === undefined ? undefined : await ports.admitter.authenticateForwarded(headers);
    const ticket = ports.tickets.find(bearer.token, hub.path);
    const authentication = ticket === undefined ? undefined : authenticationOf(ticket.holder);
    if (edge !== undefined && authentication !== undefined) assertSameIdentity(edge, authentication);
    // What it became ends at its own time and says why: no status of a request's does.
    const isCurrent = authentication !== undefined && authentication.expiresAt > ports.clock.now();
    const isAlive = isCurrent || ticket?.isBound === true;
    if (ticket !== undefined && isAlive) {
      // What it became is shut by itself and says why; so does one that exists to be told.
      const mustStand = !ticket.isBound && ticket.holder.kind === "admitted" && authentication !== undefined;
      const refusal = mustStand ? ports.admitter.refusal(authentication) : undefined;
      if (refusal !== undefined) throw refusal;
      return { kind: "ticket", ticket };
    }
    const inItsPlace = orCookie && edge === undefined ? cookieBeside(request, cookie, ports.allowedOrigins) : undefined;
    if (inItsPlace !== undefined) {
      assertMayTry(request, ports.failedTokens);
      return { kind: "token", credential: inItsPlace };
    }
    if (ticket === undefined) assertMayTry(request, ports.failedTickets);
    throw new HubwardError(ticket === undefined ? "ticket_invalid" : "token_expired");
  }
  const credential = joinCredentials(bearer, request.forwarded) ?? cookieOf(request, cookie, ports.allowedOrigins);
  if (credential === undefined) throw new MissingCredential(undefined, ports.admitter.challenge);
  if (bearer?.source === "query" && !ports.allowQueryToken) throw new QueryTokenRefused("invalid_token");
  assertMayTry(request, ports.failedTokens);
  return { kind: "token", credential };
}

/** @throws LimitRefusal rate_limited */
function assertMayTry({ remoteAddress }: HttpRequest, failures: FailedAttempts): void {
  const refusal = failures.refusal(remoteAddress);
  if (refusal !== undefined) throw refusal;
}

/**
 * Counts a credential that was none. What verified does not count, though it is over, revoked or unwelcome; nothing at
 * all is what a browser's first request presents.
 */
export function countFailure<P>(
  { remoteAddress }: HttpRequest,
  error: HubwardError,
  { failedTokens, failedTickets }: Pick<DoorPorts<P>, "failedTokens" | "failedTickets">,
): void {
  if (error instanceof MissingCredential || error instanceof LongLivedCredential) return;
  if (error.reason === "ticket_invalid") failedTickets.failed(remoteAddress);
  if (error.reason === "invalid_token" || error.reason === "invalid_dpop_proof") failedTokens.failed(remoteAddress);
}

/** Whether the browser alone presented it, and not the page's own doing. */
export function isCookie<P>(presented: Presented<P>): boolean {
  const credential = presented.kind === "token" ? presented.credential : undefined;
  return credential?.kind === "bearer" && credential.source === "cookie";
}

class QueryTokenRefused extends HubwardError {}

/** One login session for counting, or the person where tokens name no session. */
export function sessionKey(authentication: Authentication): string {
  return joinKey([identityKey(authentication), authentication.sessionId]);
}

const HINTS: Partial<Record<ReasonName, string>> = {
  origin_denied: "a page of this origin is not in allowedOrigins",
  try_again_later: "too many connect attempts are waiting",
};
const FAILURES_HINT = "too many failed attempts from this address: see limits.authentication, and trustedProxies";
const LONG_LIVED_HINT = "the token lives longer than revocations are remembered: see maxTokenAgeMs";
const QUERY_TOKEN_HINT = "a JWT stood in the query, and allowQueryToken is off";

/** Who knocks, as far as is known by now: for the log, whatever comes of it. */
export interface Applicant {
  authentication: Authentication | undefined;
  roles: readonly string[];
  connectionId?: ConnectionId | undefined;
}

/** Logs and counts a refused attempt and makes the answer. `hint`: a constant text for the operator. */
export function refuse<P>(
  request: HttpRequest,
  hub: Hub<P>,
  ports: Pick<DoorPorts<P>, "telemetry" | "failedTokens" | "failedTickets">,
  error: HubwardError,
  applicant?: Applicant,
  hint: string | undefined = refusalHint(error),
): HttpReply {
  const authentication =
    applicant?.authentication ?? (error instanceof RevokedCredential ? error.authentication : undefined);
  if (authentication === undefined) countFailure(request, error, ports);
  if (error instanceof LimitRefusal && !error.isTold) return refusalReply(error);
  ports.telemetry({
    event: "connection.refused",
    connectionId: applicant?.connectionId,
    hub: hub.path,
    reason: error.reason,
    principal: authentication === undefined ? undefined : principalFields(authentication, applicant?.roles ?? []),
    policy: error instanceof PolicyRefusal ? error.policy : undefined,
    remoteAddress: request.remoteAddress,
    hint,
  });
  return refusalReply(error);
}

function refusalHint(error: HubwardError): string | undefined {
  if (error instanceof MissingCredential || error instanceof CredentialConflict) return error.detail;
  if (error instanceof CookieRefused || error instanceof DpopRefused) return error.detail;
  if (error instanceof LongLivedCredential) return LONG_LIVED_HINT;
  if (error instanceof LimitRefusal && error.reason === "rate_limited") return FAILURES_HINT;
  return error instanceof QueryTokenRefused ? QUERY_TOKEN_HINT : HINTS[error.reason];
}

export function asHubwardError(error: unknown): HubwardError {
  return error instanceof HubwardError ? error : new HubwardError("internal_error", { cause: error });
}
