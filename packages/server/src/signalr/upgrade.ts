/**
 * `GET {hub}?id=…` as a WebSocket: an attempt made by negotiate is claimed with its ticket or with a JWT of the
 * same identity. Without an id (skipNegotiation) the JWT in the header is all there is.
 */

import { HubwardError } from "@hubward/wire";
import { assertWorthConnecting } from "../core/admission/admission.js";
import { judgeOrigin } from "../core/admission/origin.js";
import { textReply } from "../core/admission/refusal-reply.js";
import { sameIdentityAndClient, type Authentication } from "../core/auth/authentication.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import type { Connection } from "../core/connection/connection.js";
import type { Resumption } from "../core/connection/resumption.js";
import type { Socket, SocketListener } from "../core/connection/socket.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { UpgradeAnswer } from "../core/endpoint.js";
import type { HttpReply, HttpRequest } from "../core/http.js";
import type { ConnectionId } from "../core/ids.js";
import { authenticationOf, type Attempt, type Holder } from "./attempts.js";
import { asHubwardError, readCredential, refuse, sessionKey, type Applicant, type DoorPorts } from "./door.js";

/** One accepted upgrade, on its way to become a connection. */
export interface Arrival<P> {
  readonly hub: Hub<P>;
  readonly holder: Holder<P>;
  readonly connectionId: ConnectionId;
  readonly remoteAddress: string | undefined;
  /** Whether stateful reconnect was negotiated. */
  readonly isResumable: boolean;
  /** Says what the upgrade became, so that its client finds it again. */
  keep(connection: Connection<P>): void;
  /** The handshake is done: claims the ticket for good. False when another attempt of it was faster. */
  bind(): boolean;
  /** The socket is gone, or never came: the attempt is over. */
  end(): void;
  /** The transport was refused after all: the attempt may be claimed again. */
  abandon(): void;
}

export type OpenSocket<P> = (arrival: Arrival<P>, socket: Socket) => SocketListener;
export type Upgrade<P> = (request: HttpRequest, hub: Hub<P>) => Promise<UpgradeAnswer>;

const UNKNOWN_ID = textReply(404, "No Connection with that ID");
const HAS_TRANSPORT = textReply(409, "Connection already has a transport");
const UNKNOWN_ID_HINT = "nothing with this id waits for a transport, or it is somebody else's";
const HAS_TRANSPORT_HINT = "the connection has its transport already";
const NOT_RESUMABLE_HINT = "the connection has ended, or its replay holds what may no longer be seen";

export function createUpgrade<P extends PrincipalBase>(ports: DoorPorts<P>, open: OpenSocket<P>): Upgrade<P> {
  /** By connection token: connections that their client may bring a new transport. */
  const kept = new Map<string, Connection<P>>();

  /** Verifies, maps and asks the hub's policies, for a credential that no negotiate has seen. */
  async function admit(authentication: Authentication, applicant: Applicant, hub: Hub<P>): Promise<Holder<P>> {
    const admission = await ports.admitter.identify(authentication);
    applicant.roles = admission.principal.roles;
    await ports.admitter.authorize(admission, hub.requirements, []);
    return { kind: "admitted", admission };
  }

  /** The attempt with this id if it belongs to who asks. Foreign and unknown ids look alike. */
  async function claim(
    authentication: Authentication,
    applicant: Applicant,
    id: string,
    hub: Hub<P>,
  ): Promise<Claim<P> | undefined> {
    const attempt = ports.attempts.find(id, hub.path);
    if (attempt === undefined) return undefined;
    const negotiated = authenticationOf(attempt.holder);
    if (!sameIdentityAndClient(authentication, negotiated)) return undefined;
    // The client asks its token factory again for the socket: a later token is who it is now.
    const isLater = authentication.expiresAt > negotiated.expiresAt;
    if (!isLater || attempt.isAttached || attempt.holder.kind !== "admitted")
      return { attempt, holder: attempt.holder };
    return { attempt, holder: await admit(authentication, applicant, hub) };
  }

  async function withoutNegotiate(
    authentication: Authentication,
    applicant: Applicant,
    hub: Hub<P>,
  ): Promise<Holder<P>> {
    assertWorthConnecting(authentication, ports.clock);
    const delayMs = ports.holdBack.delayMs(sessionKey(authentication));
    if (delayMs > 0) throw new HubwardError("try_again_later", { retryAfterSeconds: delayMs / 1000 });
    return admit(authentication, applicant, hub);
  }

  function arrive(attempt: Attempt<P>, holder: Holder<P>, request: HttpRequest, hub: Hub<P>): Arrival<P> {
    const { ticket, connectionToken, connectionId, isResumable = false } = attempt;
    let isBound = false;
    return {
      hub,
      holder,
      connectionId,
      remoteAddress: request.remoteAddress,
      isResumable,
      keep(connection) {
        if (isResumable) kept.set(connectionToken, connection);
      },
      bind() {
        if (ticket === undefined) return true;
        const siblings = ports.tickets.bind(ticket, connectionToken);
        for (const sibling of siblings ?? []) ports.attempts.end(sibling);
        isBound = siblings !== undefined;
        return isBound;
      },
      end() {
        kept.delete(connectionToken);
        ports.attempts.end(connectionToken);
        if (isBound && ticket !== undefined) ports.tickets.end(ticket);
      },
      abandon: () => ports.attempts.detach(connectionToken),
    };
  }

  function accept(arrival: Arrival<P>): UpgradeAnswer {
    return { accepted: true, open: (socket) => open(arrival, socket), abandon: () => arrival.abandon() };
  }

  /** Brings a connection its next transport. Nothing has changed before this, and nothing does when it says no. */
  async function resume(
    resumption: Resumption,
    request: HttpRequest,
    hub: Hub<P>,
    applicant: Applicant,
  ): Promise<UpgradeAnswer> {
    const outcome = await resumption.reclaim();
    if (outcome === "busy") return no(hasTransport(request, hub, applicant));
    if (outcome === "refused") {
      refuse(request, hub, ports, new HubwardError("not_found"), applicant, NOT_RESUMABLE_HINT);
      return no(UNKNOWN_ID);
    }
    return {
      accepted: true,
      open: (socket) => resumption.attach(socket, request.remoteAddress),
      abandon: () => resumption.abandon(),
    };
  }

  function hasTransport(request: HttpRequest, hub: Hub<P>, applicant: Applicant): HttpReply {
    refuse(request, hub, ports, new HubwardError("superseded"), applicant, HAS_TRANSPORT_HINT);
    return HAS_TRANSPORT;
  }

  async function answer(request: HttpRequest, hub: Hub<P>, applicant: Applicant): Promise<UpgradeAnswer> {
    const presented = await readCredential(request, hub, ports);
    const authentication =
      presented.kind === "ticket"
        ? authenticationOf(presented.ticket.holder)
        : await ports.admitter.authenticate(presented.credential);
    applicant.authentication = authentication;
    if (ports.isDraining()) throw new HubwardError("service_restart", { retryAfterSeconds: 2 });
    const id = request.query.get("id");
    if (id === undefined) {
      if (presented.kind === "ticket") throw new HubwardError("ticket_invalid");
      const holder = await withoutNegotiate(authentication, applicant, hub);
      const connectionId = ports.random.secret(16) as ConnectionId;
      const { remoteAddress } = request;
      const nothing = { isResumable: false, keep: ignore, bind: () => true, end: ignore, abandon: ignore };
      return accept({ hub, holder, connectionId, remoteAddress, ...nothing });
    }
    const claimed =
      presented.kind === "ticket"
        ? ownAttempt(ports.attempts.find(id, hub.path), presented.ticket)
        : await claim(authentication, applicant, id, hub);
    if (claimed === undefined) {
      refuse(request, hub, ports, new HubwardError("not_found"), applicant, UNKNOWN_ID_HINT);
      return no(UNKNOWN_ID);
    }
    const resumption = kept.get(claimed.attempt.connectionToken)?.resumption;
    if (resumption !== undefined) return resume(resumption, request, hub, applicant);
    if (!ports.attempts.attach(claimed.attempt)) return no(hasTransport(request, hub, applicant));
    return accept(arrive(claimed.attempt, claimed.holder, request, hub));
  }

  return async (request, hub) => {
    const originRefusal = judgeOrigin(request, ports.allowedOrigins);
    if (originRefusal !== undefined) return no(refuse(request, hub, ports, originRefusal));
    const applicant: Applicant = { authentication: undefined, roles: [] };
    try {
      return await answer(request, hub, applicant);
    } catch (error) {
      return no(refuse(request, hub, ports, asHubwardError(error), applicant));
    }
  };
}

interface Claim<P> {
  readonly attempt: Attempt<P>;
  readonly holder: Holder<P>;
}

function ownAttempt<P>(attempt: Attempt<P> | undefined, ticket: Attempt<P>["ticket"]): Claim<P> | undefined {
  return attempt !== undefined && attempt.ticket === ticket ? { attempt, holder: attempt.holder } : undefined;
}

function ignore(): void {
  // Nothing was negotiated, so nothing is to be given back.
}

function no(reply: HttpReply): UpgradeAnswer {
  return { accepted: false, reply };
}
