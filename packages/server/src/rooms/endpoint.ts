/** The rooms' side of an application: the requests under their paths, and the sockets that come of them. */

import { HubwardError } from "@hubward/wire";
import { answerPreflight, isPreflight, shareWith } from "../core/admission/cors.js";
import { textReply } from "../core/admission/refusal-reply.js";
import { refuse } from "../core/admission/refused-attempt.js";
import type { DpopVerifier } from "../core/auth/dpop.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import type { Connection } from "../core/connection/connection.js";
import type { Socket, SocketListener } from "../core/connection/socket.js";
import type { Dispatch } from "../core/dispatch/dispatcher.js";
import type { CallLimiter } from "../core/limits/call-limiter.js";
import type { Endpoint } from "../core/endpoint.js";
import { toldSeconds, type Reauthenticate } from "../core/supervision/reauthentication.js";
import { RoomsHandler } from "./handler.js";
import type { RoomsPlace } from "./place.js";
import type { Presence } from "./presence.js";
import { createGiveTicket, type TicketPorts } from "./ticket.js";
import { createRoomsUpgrade, type RoomsArrival, type RoomsUpgradePorts } from "./upgrade.js";

export interface RoomsPorts<P> extends Omit<RoomsUpgradePorts<P>, "open">, TicketPorts<P> {
  readonly dispatch: Dispatch<P>;
  readonly limiter: CallLimiter;
  readonly reauthenticate: Reauthenticate<P>;
  readonly presence: Presence<P>;
  /** Where proofs are checked here. */
  readonly dpop: DpopVerifier | undefined;
  readonly keepAliveMs: number;
  /** Makes the connection of somebody who was let in. */
  readonly connect: (arrival: RoomsArrival<P>, socket: Socket) => Connection<P>;
}

/** Behind a place's path. */
export const TICKET = "/ticket";
/** Query parameters in which a credential may stand: a ticket, or a token where that is switched on. */
const SECRETS: readonly string[] = ["ticket", "token"];
const NO_SECRETS: readonly string[] = [];

/** @param places by lower-cased path */
export function createRoomsEndpoint<P extends PrincipalBase>(
  places: ReadonlyMap<string, RoomsPlace<P>>,
  ports: RoomsPorts<P>,
): Endpoint {
  const giveTicket = createGiveTicket<P>(ports);
  const upgrade = createRoomsUpgrade<P>({ ...ports, open });
  const { allowedOrigins } = ports;
  const takesProofs = ports.dpop !== undefined;

  function open(arrival: RoomsArrival<P>, socket: Socket): SocketListener {
    const { place, dialect, id } = arrival;
    const connection = ports.connect(arrival, socket);
    const handler = new RoomsHandler<P>({
      connection,
      place,
      dialect,
      dispatch: ports.dispatch,
      reauthenticate: ports.reauthenticate,
      limiter: ports.limiter,
      clock: ports.clock,
      telemetry: ports.telemetry,
      presence: ports.presence,
      greeting: {
        expiresInSeconds: toldSeconds(connection.remainingMs, ports.random),
        heartbeatSeconds: Math.floor(ports.keepAliveMs / 1000),
      },
    });
    connection.speak(handler);
    handler.begin(id);
    // Accepted before the server began to go away, opened after.
    if (ports.isDraining()) connection.apply({ type: "drained" });
    return connection;
  }

  function find(path: string): { readonly place: RoomsPlace<P>; readonly isTicket: boolean } | undefined {
    const lower = path.toLowerCase();
    const asked = lower.length > 1 && lower.endsWith("/") ? lower.slice(0, -1) : lower;
    const exact = places.get(asked);
    if (exact !== undefined) return { place: exact, isTicket: false };
    const place = asked.endsWith(TICKET) ? places.get(asked.slice(0, -TICKET.length)) : undefined;
    return place && { place, isTicket: true };
  }

  return {
    owns: (path) => find(path) !== undefined,
    secrets: (path) => (find(path) === undefined ? NO_SECRETS : SECRETS),
    cookies(path) {
      const access = find(path)?.place.settings.cookie?.name;
      return access === undefined ? undefined : { access, binding: undefined };
    },
    async request(request) {
      const found = find(request.path);
      if (found === undefined) return textReply(404, "");
      // A WebSocket is all there is.
      if (!found.isTicket) return textReply(426, "", { upgrade: "websocket", connection: "Upgrade" });
      if (isPreflight(request)) {
        const answer = answerPreflight(request, allowedOrigins, takesProofs);
        const reply = answer instanceof HubwardError ? refuse(request, found.place, ports, answer) : answer;
        return shareWith(reply, request, allowedOrigins, takesProofs);
      }
      const answer = await giveTicket(request, found.place);
      const nonce = ports.dpop?.nonce();
      const told = nonce === undefined ? answer : { ...answer, headers: { "dpop-nonce": nonce, ...answer.headers } };
      return shareWith(told, request, allowedOrigins, takesProofs);
    },
    async upgrade(request) {
      const found = find(request.path);
      if (found === undefined || found.isTicket) return { accepted: false, reply: textReply(404, "") };
      return upgrade(request, found.place);
    },
  };
}
