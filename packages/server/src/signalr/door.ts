/** Who stands at the door: what negotiate and upgrade have in common in reading a request. */

import { HubwardError } from "@hubward/wire";
import { type Admitter, bearerOf } from "../core/admission/admission.js";
import { cookieBeside, cookieOf } from "../core/admission/cookie.js";
import { assertSameIdentity, believe, joinCredentials } from "../core/admission/forwarded.js";
import { assertMayTry, type FailedCredentials } from "../core/admission/failed-credential.js";
import type { HoldBack } from "../core/admission/hold-back.js";
import { MissingCredential } from "../core/admission/refusal-reply.js";
import { QueryTokenRefused } from "../core/admission/refused-attempt.js";
import type { Credential } from "../core/auth/credential.js";
import { isTicket, type Ticket, type Tickets } from "../core/auth/tickets.js";
import type { Clock } from "../core/clock.js";
import type { Digest } from "../core/digest.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { HttpRequest } from "../core/http.js";
import type { PrincipalConnections } from "../core/limits/principal-connections.js";
import type { Random } from "../core/random.js";
import type { Reauthenticate } from "../core/supervision/reauthentication.js";
import type { Telemetry } from "../core/telemetry.js";
import { authenticationOf, type Attempts, type Holder } from "./attempts.js";
import type { Bindings } from "./binding.js";

export interface DoorPorts<P> {
  readonly admitter: Admitter<P>;
  readonly attempts: Attempts<P>;
  readonly tickets: Tickets<Holder<P>>;
  readonly holdBack: HoldBack;
  readonly failed: FailedCredentials;
  /** How many connections each principal may have. */
  readonly places: PrincipalConnections;
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
    if (headers !== undefined) assertMayTry(request, ports.failed.tokens);
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
      assertMayTry(request, ports.failed.tokens);
      return { kind: "token", credential: inItsPlace };
    }
    if (ticket === undefined) assertMayTry(request, ports.failed.tickets);
    throw new HubwardError(ticket === undefined ? "ticket_invalid" : "token_expired");
  }
  const credential = joinCredentials(bearer, request.forwarded) ?? cookieOf(request, cookie, ports.allowedOrigins);
  if (credential === undefined) throw new MissingCredential(undefined, ports.admitter.challenge);
  if (bearer?.source === "query" && !ports.allowQueryToken) throw new QueryTokenRefused("invalid_token");
  assertMayTry(request, ports.failed.tokens);
  return { kind: "token", credential };
}

/** Whether the browser alone presented it, and not the page's own doing. */
export function isCookie<P>(presented: Presented<P>): boolean {
  const credential = presented.kind === "token" ? presented.credential : undefined;
  return credential?.kind === "bearer" && credential.source === "cookie";
}
