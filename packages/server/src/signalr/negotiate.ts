/**
 * `POST {hub}/negotiate`: verifies and admits once, and answers with what the client connects with.
 * A stock client gets a ticket in place of its JWT, so that no JWT ever stands in a URL.
 *
 * @see TransportProtocols.md, `POST [endpoint-base]/negotiate`
 */

import {
  allTransports,
  HubwardError,
  negotiateBody,
  parseNegotiateVersion,
  reasons,
  type AvailableTransport,
  type NegotiateVersion,
} from "@hubward/wire";
import { assertWorthConnecting } from "../core/admission/admission.js";
import { judgeOrigin } from "../core/admission/origin.js";
import { textReply } from "../core/admission/refusal-reply.js";
import type { Authentication } from "../core/auth/authentication.js";
import type { Credential } from "../core/auth/credential.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import { RevokedCredential } from "../core/auth/revocation-gate.js";
import type { Ticket } from "../core/auth/tickets.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { HubSettings } from "../core/dispatch/hub-settings.js";
import type { HttpReply, HttpRequest } from "../core/http.js";
import { identityKey, type ConnectionId } from "../core/ids.js";
import { TooManyConnections } from "../core/limits/principal-connections.js";
import { toldSeconds } from "../core/supervision/reauthentication.js";
import { authenticationOf, type Holder } from "./attempts.js";
import type { Binding } from "./binding.js";
import { clientKind } from "./client.js";
import { isCookie, readCredential, type DoorPorts } from "./door.js";
import { asHubwardError } from "../core/errors.js";
import { refuse, type Applicant } from "../core/admission/refused-attempt.js";

/** Negotiates that wait in a hold-back at the same time; more are turned away. */
const MAX_HELD_BACK = 1_000;
const ID_BYTES = 16;
const VERSION_HINT = "negotiateVersion is none that is spoken here";

export type Negotiate<P> = (request: HttpRequest, hub: Hub<P>) => Promise<HttpReply>;

export function createNegotiate<P extends PrincipalBase>(ports: DoorPorts<P>): Negotiate<P> {
  let heldBack = 0;
  const offered = new WeakMap<HubSettings, readonly AvailableTransport[]>();

  /** One list for all connections of a hub. */
  function transportsOf(settings: HubSettings): readonly AvailableTransport[] {
    const known = offered.get(settings);
    if (known !== undefined) return known;
    const made = Object.freeze(allTransports.filter(({ transport }) => settings.transports.has(transport)));
    offered.set(settings, made);
    return made;
  }

  async function holdBack(authentication: Authentication, delayMs: number): Promise<void> {
    if (heldBack >= MAX_HELD_BACK) throw new HubwardError("try_again_later", { retryAfterSeconds: 10 });
    heldBack++;
    await new Promise<void>((resolve) => ports.clock.after(delayMs, resolve));
    heldBack--;
    assertWorthConnecting(authentication, ports.clock);
  }

  /** Who it is, also where that is revoked. @throws HubwardError as `Admitter.authenticate`, but RevokedCredential */
  async function verify(
    credential: Credential,
  ): Promise<{ readonly authentication: Authentication; readonly revoked: HubwardError | undefined }> {
    try {
      return { authentication: await ports.admitter.authenticate(credential), revoked: undefined };
    } catch (error) {
      if (!(error instanceof RevokedCredential)) throw error;
      return { authentication: error.authentication, revoked: error };
    }
  }

  /** @throws HubwardError why this person may not even be told in the client's own way. */
  async function admit(
    credential: Credential,
    applicant: Applicant,
    hub: Hub<P>,
    isStock: boolean,
  ): Promise<Holder<P>> {
    const { authentication, revoked } = await verify(credential);
    applicant.authentication = authentication;
    assertWorthConnecting(authentication, ports.clock);
    const delayMs = ports.holdBack.delayMs(authentication);
    if (delayMs > 0) await holdBack(authentication, delayMs);
    const full = revoked === undefined ? ports.places.refusal(identityKey(authentication)) : undefined;
    if (full !== undefined) throw full;
    try {
      if (revoked !== undefined) throw revoked;
      const admission = await ports.admitter.identify(authentication);
      applicant.roles = admission.principal.roles;
      await ports.admitter.authorize(admission, hub.requirements, []);
      return { kind: "admitted", admission };
    } catch (error) {
      const refusal = asHubwardError(error);
      // A status would lose the reason in a stock client's retries; a condition that passes is told by status.
      if (!isStock || !isLasting(refusal)) throw refusal;
      // The upgrade would present the revoked cookie once more, and no ticket that says what it is for.
      if (revoked !== undefined && credential.kind === "bearer" && credential.source === "cookie") throw refusal;
      return { kind: "doomed", authentication, roles: applicant.roles, refusal };
    }
  }

  function promise(
    hub: Hub<P>,
    holder: Holder<P>,
    version: NegotiateVersion,
    given: Ticket<Holder<P>> | undefined,
    {
      wantsTicket,
      isResumable,
      binding,
    }: {
      readonly wantsTicket: boolean;
      readonly isResumable: boolean;
      readonly binding: Binding | undefined;
    },
  ): { readonly body: string; readonly connectionId: ConnectionId } {
    const connectionToken = ports.random.secret(ID_BYTES);
    const connectionId = ports.random.secret(ID_BYTES) as ConnectionId;
    const owner = identityKey(authenticationOf(holder));
    const issued = given === undefined && wantsTicket ? ports.tickets.issue(hub.path, holder, owner) : undefined;
    const ticket = given ?? issued?.ticket;
    if (ticket === undefined && wantsTicket) throw tooManyWaiting();
    if (ticket !== undefined && !ports.tickets.own(ticket, connectionToken)) throw new HubwardError("ticket_invalid");
    const added = ports.attempts.add({
      connectionToken,
      connectionId,
      hub: hub.path,
      holder,
      ticket,
      isResumable,
      binding,
      negotiateVersion: version,
    });
    if (added !== "added") {
      if (issued !== undefined) ports.tickets.end(issued.ticket);
      throw added === "full" ? tooManyWaiting() : new HubwardError("connection_limit", { retryAfterSeconds: 30 });
    }
    const accessToken = issued?.secret.reveal();
    const availableTransports = transportsOf(hub.settings);
    // To a client that did not ask for it, it is an error.
    const common = {
      kind: "connection",
      availableTransports,
      accessToken,
      tokenLifetimeSeconds: lifetimeOf(hub, holder),
      useStatefulReconnect: isResumable,
    } as const;
    // Version 0 knows one id only, so there the id is the secret one.
    const body = negotiateBody(
      version === 0
        ? { ...common, negotiateVersion: 0, connectionId: connectionToken }
        : { ...common, negotiateVersion: 1, connectionId, connectionToken },
    );
    return { body, connectionId };
  }

  /** Only where the client may bring a later one. */
  function lifetimeOf(hub: Hub<P>, holder: Holder<P>): number | undefined {
    if (!hub.settings.hasAuthenticationRefresh || holder.kind !== "admitted") return undefined;
    return toldSeconds(authenticationOf(holder).expiresAt - ports.clock.now(), ports.random);
  }

  return async (request, hub) => {
    if (request.method !== "POST") return textReply(405, "", { allow: "POST" });
    const originRefusal = judgeOrigin(request, ports.allowedOrigins);
    if (originRefusal !== undefined) return refuse(request, hub, ports, originRefusal);
    const applicant: Applicant = { authentication: undefined, roles: [] };
    try {
      const presented = await readCredential(request, hub, ports, true);
      if (ports.isDraining()) throw new HubwardError("service_restart", { retryAfterSeconds: 2 });
      const client = clientKind(request);
      let holder: Holder<P>;
      if (presented.kind === "ticket") {
        holder = presented.ticket.holder;
        applicant.authentication = authenticationOf(holder);
        applicant.roles = rolesOf(holder);
      } else {
        holder = await admit(presented.credential, applicant, hub, client.isStock);
      }
      const asked = parseNegotiateVersion(request.query.get("negotiateversion"));
      if (!asked.ok) {
        refuse(request, hub, ports, new HubwardError("bad_request"), applicant, VERSION_HINT);
        return json(negotiateBody({ kind: "error", error: asked.error }));
      }
      const given = presented.kind === "ticket" ? presented.ticket : undefined;
      // A cookie goes along by itself: nothing has to stand in a URL.
      const wantsTicket = !client.sendsHeadersOnly && !isCookie(presented);
      const hasTicket = given !== undefined || wantsTicket;
      const identity = identityKey(authenticationOf(holder));
      // Who shows a ticket may have read it in a URL: that alone gets nobody a cookie.
      const mayIssue = given === undefined;
      const bound = hasTicket ? ports.bindings.bind(request, hub.path, identity, mayIssue) : undefined;
      const { body, connectionId } = promise(hub, holder, asked.version, given, {
        wantsTicket,
        binding: bound?.binding,
        isResumable: holder.kind === "admitted" && mayResume(request, hub),
      });
      if (holder.kind === "doomed") {
        refuse(request, hub, ports, holder.refusal, { ...applicant, connectionId });
        ports.holdBack.ended(authenticationOf(holder), 0);
      }
      return json(body, bound?.setCookie);
    } catch (error) {
      const reply = refuse(request, hub, ports, asHubwardError(error), applicant);
      if (!(error instanceof TooManyConnections) || !clientKind(request).isStock) return reply;
      // A status it would only name; a Close that lets it come again, it talks over while it starts.
      return json(negotiateBody({ kind: "error", error: error.message }));
    }
  };
}

function rolesOf<P extends PrincipalBase>(holder: Holder<P>): readonly string[] {
  return holder.kind === "admitted" ? holder.admission.principal.roles : holder.roles;
}

/** Whether the client asks for stateful reconnect, and the hub has it. It is one of WebSockets alone. */
function mayResume<P>({ query }: HttpRequest, { settings }: Hub<P>): boolean {
  const isAsked = query.get("usestatefulreconnect")?.toLowerCase() === "true";
  return isAsked && settings.hasStatefulReconnect && settings.transports.has("WebSockets");
}

/**
 * Reasons that no retry changes, nor a new token of the same session. Only those: a stock client whose Close lets it
 * come back has forgotten the reason by the time its start() fails.
 */
function isLasting({ reason }: HubwardError): boolean {
  return reason !== "auth_unavailable" && reason !== "internal_error" && reasons[reason].action !== "refresh";
}

function tooManyWaiting(): HubwardError {
  return new HubwardError("try_again_later", { retryAfterSeconds: 5 });
}

function json(body: string, setCookie?: string): HttpReply {
  return {
    status: 200,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      ...(setCookie === undefined ? undefined : { "set-cookie": setCookie }),
    },
    body,
  };
}
