/**
 * `POST {path}/ticket`: swaps a token for a ticket that opens one WebSocket, so that no token stands in a URL.
 *
 * @see docs/rooms-protocol.md, Coming in
 */

import { HubwardError } from "@hubward/wire";
import { bearerOf } from "../core/admission/admission.js";
import { judgeOrigin } from "../core/admission/origin.js";
import { textReply } from "../core/admission/refusal-reply.js";
import { refuse, type Applicant } from "../core/admission/refused-attempt.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import { isTicket } from "../core/auth/tickets.js";
import { asHubwardError } from "../core/errors.js";
import type { HttpReply, HttpRequest } from "../core/http.js";
import { identityKey } from "../core/ids.js";
import type { Telemetry } from "../core/telemetry.js";
import { identify, missing, type RoomsDoorPorts } from "./door.js";
import type { RoomsPlace } from "./place.js";

export interface TicketPorts<P> extends RoomsDoorPorts<P> {
  readonly telemetry: Telemetry;
  readonly isDraining: () => boolean;
  /** How long a ticket waits for its WebSocket. Milliseconds. */
  readonly attachMs: number;
}

export type GiveTicket<P> = (request: HttpRequest, place: RoomsPlace<P>) => Promise<HttpReply>;

const COOKIE_DETAIL = "a cookie goes along by itself, it is not exchanged for a ticket";

export function createGiveTicket<P extends PrincipalBase>(ports: TicketPorts<P>): GiveTicket<P> {
  async function give(request: HttpRequest, place: RoomsPlace<P>, applicant: Applicant): Promise<HttpReply> {
    const bearer = bearerOf(request);
    // Who could read it in a URL shall not get another one for it.
    if (bearer !== undefined && isTicket(bearer.token)) throw new HubwardError("invalid_token");
    if (bearer?.source === "query") throw new HubwardError("invalid_request");
    const admitted = await identify(request, place, applicant, ports);
    if (admitted === undefined) throw missing(ports);
    if (bearer === undefined && request.forwarded === undefined)
      throw new HubwardError("invalid_request", { detail: COOKIE_DETAIL });
    if (ports.isDraining()) throw new HubwardError("service_restart", { retryAfterSeconds: 2 });
    const { admission } = admitted;
    const issued = ports.tickets.issue(place.path, admission, identityKey(admission.authentication));
    if (issued === undefined) throw new HubwardError("try_again_later", { retryAfterSeconds: 5 });
    const body = { ticket: issued.secret.reveal(), expires_in: Math.floor(ports.attachMs / 1000) };
    return {
      status: 200,
      headers: { "content-type": "application/json", "cache-control": "no-store" },
      body: JSON.stringify(body),
    };
  }

  return async (request, place) => {
    if (request.method !== "POST") return textReply(405, "", { allow: "POST" });
    const originRefusal = judgeOrigin(request, ports.allowedOrigins);
    if (originRefusal !== undefined) return refuse(request, place, ports, originRefusal);
    const applicant: Applicant = { authentication: undefined, roles: [] };
    try {
      return await give(request, place, applicant);
    } catch (error) {
      return refuse(request, place, ports, asHubwardError(error), applicant);
    }
  };
}
