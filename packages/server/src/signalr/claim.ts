/** How a transport gets the connect attempt it asks for: by the attempt's ticket, or by a JWT of the same identity. */

import type { TransportName } from "@hubward/wire";
import { sameIdentityAndClient, type Authentication } from "../core/auth/authentication.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import type { Connection } from "../core/connection/connection.js";
import type { Socket, SocketListener } from "../core/connection/socket.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { HttpRequest } from "../core/http.js";
import type { ConnectionId } from "../core/ids.js";
import type { Reauthenticate } from "../core/supervision/reauthentication.js";
import { authenticationOf, holderOf, type Attempt, type Holder } from "./attempts.js";
import { readCredential, type DoorPorts, type Presented } from "./door.js";
import type { Applicant } from "../core/admission/refused-attempt.js";

/** One accepted transport, on its way to become a connection. */
export interface Arrival<P> {
  readonly hub: Hub<P>;
  readonly holder: Holder<P>;
  readonly connectionId: ConnectionId;
  readonly transport: TransportName;
  readonly remoteAddress: string | undefined;
  /** Whether stateful reconnect was negotiated. */
  readonly isResumable: boolean;
  /** Says what the attempt became, so that its client finds it again. */
  keep(connection: Connection<P>): void;
  /** The handshake is done: claims the ticket for good. False when another attempt of it was faster. */
  bind(): boolean;
  /** The socket is gone, or never came: the attempt is over. */
  end(): void;
  /** The transport was refused after all: the attempt may be claimed again. */
  abandon(): void;
}

export type OpenSocket<P> = (arrival: Arrival<P>, socket: Socket) => SocketListener;

/** Who asks: verified, and by what. */
export interface Known<P> {
  readonly presented: Presented<P>;
  readonly authentication: Authentication;
  readonly request: HttpRequest;
}

export interface Claim<P> {
  readonly attempt: Attempt<P>;
  readonly holder: Holder<P>;
}

/** Texts and log hints of the transport's own refusals; the texts are .NET's. */
export const refusalTexts = {
  unknownId: "No Connection with that ID",
  hasTransport: "Connection already has a transport",
  otherTransport: "Cannot change transports mid-connection",
} as const;
export const refusalHints = {
  unknownId: "nothing with this id waits for a transport, or it is somebody else's",
  hasTransport: "the connection has its transport already",
} as const;

/** @throws (rejects with) HubwardError as `readCredential` and `Admitter.authenticate` */
export async function identify<P>(
  request: HttpRequest,
  hub: Hub<P>,
  applicant: Applicant,
  ports: DoorPorts<P>,
): Promise<Known<P>> {
  const presented = await readCredential(request, hub, ports);
  const authentication =
    presented.kind === "ticket"
      ? authenticationOf(presented.ticket.holder)
      : await ports.admitter.authenticate(presented.credential);
  applicant.authentication = authentication;
  return { presented, authentication, request };
}

/** Whether an attempt, attached or not, is of who asks. Changes nothing but what is known of its browser. */
export function isOwner<P>(
  { presented, authentication, request }: Known<P>,
  attempt: Attempt<P>,
  { bindings }: Pick<DoorPorts<P>, "bindings">,
): boolean {
  const isTheirs =
    presented.kind === "ticket"
      ? attempt.ticket === presented.ticket
      : sameIdentityAndClient(authentication, authenticationOf(attempt.holder));
  return isTheirs && bindings.allows(attempt.binding, request);
}

/**
 * Where cookies count, one that aged or went names no connection, instead of a 401: a live connection ends at its own
 * expiry and says why. The same for every id, so that none can be told from another.
 */
export function isCookieOver<P>({ query, bearers }: HttpRequest, { settings }: Hub<P>, status: number): boolean {
  return status === 401 && settings.cookie !== undefined && bearers.length === 0 && (query.get("id") ?? "") !== "";
}

/** Maps and asks the hub's policies, for a credential that no negotiate has seen. @throws HubwardError */
export async function admit<P extends PrincipalBase>(
  authentication: Authentication,
  applicant: Applicant,
  hub: Hub<P>,
  ports: DoorPorts<P>,
): Promise<Holder<P>> {
  const admission = await ports.admitter.identify(authentication);
  applicant.roles = admission.principal.roles;
  await ports.admitter.authorize(admission, hub.requirements, []);
  return { kind: "admitted", admission };
}

/**
 * The attempt with this id if it belongs to who asks. Foreign and unknown ids look alike.
 * @throws (rejects with) HubwardError when a later credential is not welcome
 */
export async function claim<P extends PrincipalBase>(
  known: Known<P>,
  id: string,
  hub: Hub<P>,
  applicant: Applicant,
  ports: DoorPorts<P>,
): Promise<Claim<P> | undefined> {
  const attempt = ports.attempts.find(id, hub.path);
  if (attempt === undefined || !isOwner(known, attempt, ports)) return undefined;
  const { presented, authentication } = known;
  // The client asks its token factory again for the transport: a later token is who it is now.
  const isLater = presented.kind === "token" && authentication.expiresAt > authenticationOf(attempt.holder).expiresAt;
  if (!isLater || attempt.isAttached || attempt.holder.kind !== "admitted") return { attempt, holder: attempt.holder };
  return { attempt, holder: await admit(authentication, applicant, hub, ports) };
}

/**
 * A later credential than the connection's, shown on any request of its own, is a new one for the connection. One that
 * is not welcome changes nothing, the request's answer neither.
 */
export async function takeLater<P>(
  { presented, authentication }: Known<P>,
  { connection }: Attempt<P>,
  { settings }: Hub<P>,
  reauthenticate: Reauthenticate<P>,
): Promise<void> {
  if (presented.kind !== "token" || connection === undefined || !settings.hasAuthenticationRefresh) return;
  if (authentication.expiresAt <= connection.authentication.expiresAt) return;
  await reauthenticate(connection, presented.credential).catch(() => undefined);
}

/** What becomes of a claimed attempt. */
export function arrive<P>(
  { attempt, holder }: Claim<P>,
  transport: TransportName,
  { remoteAddress }: HttpRequest,
  hub: Hub<P>,
  { attempts, tickets }: Pick<DoorPorts<P>, "attempts" | "tickets">,
): Arrival<P> {
  const { ticket, connectionToken, connectionId } = attempt;
  let isBound = false;
  let became: Connection<P> | undefined;
  return {
    hub,
    holder,
    connectionId,
    transport,
    remoteAddress,
    isResumable: transport === "WebSockets" && attempt.isResumable === true,
    keep(connection) {
      became = connection;
      attempts.keep(connectionToken, connection);
    },
    bind() {
      if (ticket === undefined) return true;
      const siblings = tickets.bind(ticket, connectionToken);
      for (const sibling of siblings ?? []) attempts.end(sibling);
      isBound = siblings !== undefined;
      if (isBound && became !== undefined) tickets.follow(ticket, holderOf(became));
      return isBound;
    },
    end() {
      attempts.end(connectionToken);
      if (isBound && ticket !== undefined) tickets.end(ticket);
    },
    abandon: () => attempts.detach(connectionToken),
  };
}
