/** Who stands at the door of rooms: what a request presents, verified and judged before anything is opened. */

import { HubwardError } from "@hubward/wire";
import { assertWorthConnecting, bearerOf, type Admitter } from "../core/admission/admission.js";
import { cookieOf } from "../core/admission/cookie.js";
import { assertMayTry, type FailedCredentials } from "../core/admission/failed-credential.js";
import { assertSameIdentity, believe, joinCredentials } from "../core/admission/forwarded.js";
import type { HoldBack } from "../core/admission/hold-back.js";
import { MissingCredential } from "../core/admission/refusal-reply.js";
import { QueryTokenRefused, type Applicant } from "../core/admission/refused-attempt.js";
import type { Credential } from "../core/auth/credential.js";
import type { Admission } from "../core/auth/policy.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import { RevokedCredential } from "../core/auth/revocation-gate.js";
import { isTicket, type Ticket, type Tickets } from "../core/auth/tickets.js";
import type { Clock } from "../core/clock.js";
import type { HttpRequest } from "../core/http.js";
import type { RoomsPlace } from "./place.js";

export interface RoomsDoorPorts<P> {
  readonly admitter: Admitter<P>;
  readonly tickets: Tickets<Admission<P>>;
  readonly holdBack: HoldBack;
  readonly failed: FailedCredentials;
  readonly clock: Clock;
  readonly allowedOrigins: ReadonlySet<string>;
}

/** Who came in, and by which ticket, if by one. */
export interface Admitted<P> {
  readonly admission: Admission<P>;
  readonly ticket: Ticket<Admission<P>> | undefined;
}

/**
 * Who a request says it is from. Undefined where it presents nothing.
 * @throws (rejects with) HubwardError as {@link Admitter.authenticate} and {@link Admitter.authorize}, and
 * invalid_request | ticket_invalid | token_expired | origin_denied | try_again_later; rate_limited in the place of what
 * would have to be verified, where too much of that failed
 */
export async function identify<P extends PrincipalBase>(
  request: HttpRequest,
  place: RoomsPlace<P>,
  applicant: Applicant,
  ports: RoomsDoorPorts<P>,
): Promise<Admitted<P> | undefined> {
  const bearer = bearerOf(request);
  if (bearer !== undefined && isTicket(bearer.token)) {
    const headers = believe(request.forwarded);
    if (headers !== undefined) assertMayTry(request, ports.failed.tokens);
    const edge = headers === undefined ? undefined : await ports.admitter.authenticateForwarded(headers);
    const ticket = ports.tickets.find(bearer.token, place.path);
    if (ticket === undefined) {
      assertMayTry(request, ports.failed.tickets);
      throw new HubwardError("ticket_invalid");
    }
    const { authentication, principal } = ticket.holder;
    if (edge !== undefined) assertSameIdentity(edge, authentication);
    applicant.authentication = authentication;
    applicant.roles = principal.roles;
    if (authentication.expiresAt <= ports.clock.now()) throw new HubwardError("token_expired");
    const refusal = ports.admitter.refusal(authentication);
    if (refusal !== undefined) throw refusal;
    return { admission: ticket.holder, ticket };
  }
  if (bearer?.source === "query" && !place.settings.allowQueryToken) throw new QueryTokenRefused("invalid_token");
  const credential =
    joinCredentials(bearer, request.forwarded) ?? cookieOf(request, place.settings.cookie, ports.allowedOrigins);
  if (credential === undefined) return undefined;
  assertMayTry(request, ports.failed.tokens);
  return { admission: await admit(credential, place, applicant, ports), ticket: undefined };
}

/** Verifies, maps, and asks who may come here. @throws (rejects with) HubwardError as {@link identify} */
export async function admit<P extends PrincipalBase>(
  credential: Credential,
  place: RoomsPlace<P>,
  applicant: Applicant,
  { admitter, clock, holdBack }: RoomsDoorPorts<P>,
): Promise<Admission<P>> {
  // Whoever verifies tokens may be somebody else's server, and has no use for a ticket.
  if (credential.kind === "bearer" && isTicket(credential.token)) throw new HubwardError("invalid_token");
  try {
    const authentication = await admitter.authenticate(credential);
    applicant.authentication = authentication;
    assertWorthConnecting(authentication, clock);
    const delayMs = holdBack.delayMs(authentication);
    if (delayMs > 0) throw new HubwardError("try_again_later", { retryAfterSeconds: delayMs / 1000 });
    const admission = await admitter.identify(authentication);
    applicant.roles = admission.principal.roles;
    await admitter.authorize(admission, place.hub.requirements, []);
    return admission;
  } catch (error) {
    if (error instanceof RevokedCredential) applicant.authentication = error.authentication;
    throw error;
  }
}

/** @throws HubwardError MissingCredential */
export function missing<P>({ admitter }: RoomsDoorPorts<P>): HubwardError {
  return new MissingCredential(undefined, admitter.challenge);
}
