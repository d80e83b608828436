/**
 * `GET {path}` as a WebSocket. Who presents a credential is judged before it is accepted; who presents none is asked in
 * the socket. A page cannot read an HTTP status here, so what it is refused for is told in a socket that is good for
 * nothing else.
 */

import { chooseSubprotocol, formatReason, HubwardError, type RoomsCodec, type RequestId } from "@hubward/wire";
import { refusalAtBirth } from "../core/admission/birth.js";
import { assertMayTry } from "../core/admission/failed-credential.js";
import { isFromBrowser, judgeOrigin } from "../core/admission/origin.js";
import { refuse, type Applicant } from "../core/admission/refused-attempt.js";
import type { Admission } from "../core/auth/policy.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import type { Ticket } from "../core/auth/tickets.js";
import type { Socket, SocketListener } from "../core/connection/socket.js";
import type { Visitors } from "../core/connection/visitors.js";
import type { UpgradeAnswer } from "../core/endpoint.js";
import { asHubwardError } from "../core/errors.js";
import type { HttpReply, HttpRequest } from "../core/http.js";
import type { ConnectionId } from "../core/ids.js";
import type { PrincipalConnections } from "../core/limits/principal-connections.js";
import type { Random } from "../core/random.js";
import type { Telemetry } from "../core/telemetry.js";
import { createCrowd, type Crowd } from "./crowd.js";
import { dialectOf, type RoomsDialect } from "./dialect.js";
import { admit, identify, missing, type Admitted, type RoomsDoorPorts } from "./door.js";
import type { RoomsPlace } from "./place.js";
import { askWho, turnAway, type Visiting, type VisitorSetup } from "./visitor.js";

/** Somebody who was let in. */
export interface RoomsArrival<P> {
  readonly place: RoomsPlace<P>;
  readonly admission: Admission<P>;
  readonly connectionId: ConnectionId;
  readonly remoteAddress: string | undefined;
  readonly dialect: RoomsDialect;
  /** Of the frame that asked for it. */
  readonly id: RequestId | undefined;
}

export interface RoomsUpgradePorts<P> extends RoomsDoorPorts<P> {
  readonly random: Random;
  readonly telemetry: Telemetry;
  readonly visitors: Visitors;
  /** How many connections each principal may have. */
  readonly places: PrincipalConnections;
  readonly isDraining: () => boolean;
  readonly open: (arrival: RoomsArrival<P>, socket: Socket) => SocketListener;
}

export type RoomsUpgrade<P> = (request: HttpRequest, place: RoomsPlace<P>) => Promise<UpgradeAnswer>;

const UNSUPPORTED: HttpReply = {
  status: 400,
  headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" },
  body: JSON.stringify({ error: formatReason("protocol_not_supported") }),
};
const CROWDED_HINT = "too many sockets have not said who they are";
const SUBPROTOCOL_HINT = "none of the subprotocols is spoken here";

export function createRoomsUpgrade<P extends PrincipalBase>(ports: RoomsUpgradePorts<P>): RoomsUpgrade<P> {
  const crowds = new WeakMap<RoomsPlace<P>, Crowd>();

  function crowdOf(place: RoomsPlace<P>): Crowd {
    const known = crowds.get(place);
    if (known !== undefined) return known;
    const made = createCrowd(place.settings.maxUnauthenticated, place.settings.maxUnauthenticatedPerAddress);
    crowds.set(place, made);
    return made;
  }

  /** Accepts a socket that is no connection, as long as there is room for such. */
  function receive(
    request: HttpRequest,
    place: RoomsPlace<P>,
    codec: RoomsCodec,
    visit: (setup: VisitorSetup) => Visiting,
  ): UpgradeAnswer | undefined {
    const leave = crowdOf(place).enter(request.remoteAddress);
    if (leave === undefined) return undefined;
    return {
      accepted: true,
      subprotocol: codec.subprotocol,
      open(socket) {
        const onClosed = (): void => {
          leave();
          ports.visitors.delete(visiting);
        };
        const visiting = visit({ socket, clock: ports.clock, dialect: dialectOf(codec), onClosed });
        ports.visitors.add(visiting);
        if (ports.isDraining()) visiting.drain();
        return visiting;
      },
      abandon: leave,
    };
  }

  /** The reason is logged already. */
  function tell(
    request: HttpRequest,
    place: RoomsPlace<P>,
    codec: RoomsCodec,
    error: HubwardError,
    reply: HttpReply,
  ): UpgradeAnswer {
    const told = isFromBrowser(request) ? receive(request, place, codec, (setup) => turnAway(setup, error)) : undefined;
    return told ?? { accepted: false, reply };
  }

  function ask(request: HttpRequest, place: RoomsPlace<P>, codec: RoomsCodec): UpgradeAnswer {
    const applicant: Applicant = { authentication: undefined, roles: [] };
    const answer = receive(request, place, codec, (setup) =>
      askWho({
        ...setup,
        path: place.path,
        timeoutMs: place.settings.authTimeoutMs,
        limits: place.limits,
        async admit(credential, id) {
          assertMayTry(request, ports.failed.tokens);
          const admission = await admit(credential, place, applicant, ports);
          return () => enter({ admission, ticket: undefined }, request, place, codec, setup.socket, id);
        },
        onRefused: (error) => void refuse(request, place, ports, error, applicant),
      }),
    );
    if (answer !== undefined) return answer;
    const crowded = new HubwardError("try_again_later", { retryAfterSeconds: 5 });
    return { accepted: false, reply: refuse(request, place, ports, crowded, undefined, CROWDED_HINT) };
  }

  /** Of those who come with one ticket, the first whose socket opens has it; then it is good for nothing. */
  function claim(ticket: Ticket<Admission<P>>, connectionId: ConnectionId): boolean {
    const isFirst = ports.tickets.own(ticket, connectionId) && ports.tickets.bind(ticket, connectionId) !== undefined;
    if (isFirst) ports.tickets.end(ticket);
    return isFirst;
  }

  /** Why somebody who was admitted is not let in after all. Logged. */
  function refusalOf(
    { admission, ticket }: Admitted<P>,
    request: HttpRequest,
    { path }: RoomsPlace<P>,
    connectionId: ConnectionId,
  ): HubwardError | undefined {
    const { remoteAddress } = request;
    if (ticket === undefined || claim(ticket, connectionId))
      return refusalAtBirth(admission, { connectionId, path, remoteAddress }, ports);
    const { authentication, principal } = admission;
    const taken = new HubwardError("ticket_invalid");
    refuse(request, { path }, ports, taken, { authentication, roles: principal.roles, connectionId });
    return taken;
  }

  /** The socket is open: every connection is born here. What was revoked since its door never becomes one. */
  function enter(
    admitted: Admitted<P>,
    request: HttpRequest,
    place: RoomsPlace<P>,
    codec: RoomsCodec,
    socket: Socket,
    id: RequestId | undefined,
  ): SocketListener {
    const connectionId = ports.random.secret(16) as ConnectionId;
    const dialect = dialectOf(codec);
    const refusal = refusalOf(admitted, request, place, connectionId);
    if (refusal === undefined) {
      const { admission } = admitted;
      const { remoteAddress } = request;
      return ports.open({ place, admission, connectionId, remoteAddress, dialect, id }, socket);
    }
    const visiting = turnAway(
      { socket, clock: ports.clock, dialect, onClosed: () => ports.visitors.delete(visiting) },
      refusal,
    );
    ports.visitors.add(visiting);
    return visiting;
  }

  async function answer(
    request: HttpRequest,
    place: RoomsPlace<P>,
    codec: RoomsCodec,
    applicant: Applicant,
  ): Promise<UpgradeAnswer> {
    if (ports.isDraining()) throw new HubwardError("service_restart", { retryAfterSeconds: 2 });
    const admitted = await identify(request, place, applicant, ports);
    if (admitted === undefined) {
      if (!place.settings.hasFirstFrame || codec.name === "chat") throw missing(ports);
      return ask(request, place, codec);
    }
    return {
      accepted: true,
      subprotocol: codec.subprotocol,
      open: (socket) => enter(admitted, request, place, codec, socket, undefined),
      // Nothing is used up before the socket is open.
      abandon: () => undefined,
    };
  }

  return async (request, place) => {
    const originRefusal = judgeOrigin(request, ports.allowedOrigins);
    if (originRefusal !== undefined) return no(refuse(request, place, ports, originRefusal));
    const offered = request.header("sec-websocket-protocol");
    const codec = chooseSubprotocol(offered, place.settings.hasChatDialect);
    if (codec === "unsupported") {
      refuse(request, place, ports, new HubwardError("protocol_not_supported"), undefined, SUBPROTOCOL_HINT);
      return no(UNSUPPORTED);
    }
    const applicant: Applicant = { authentication: undefined, roles: [] };
    try {
      return await answer(request, place, codec, applicant);
    } catch (error) {
      const refusal = asHubwardError(error);
      return tell(request, place, codec, refusal, refuse(request, place, ports, refusal, applicant));
    }
  };
}

function no(reply: HttpReply): UpgradeAnswer {
  return { accepted: false, reply };
}
