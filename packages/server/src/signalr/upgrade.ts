/**
 * `GET {hub}?id=…` as a WebSocket: an attempt made by negotiate is claimed with its ticket or with a JWT of the
 * same identity. Without an id (skipNegotiation) the JWT in the header is all there is; a cookie is not enough, because
 * the id is what only a page of ours can have read.
 */

import { HubwardError } from "@hubward/wire";
import { assertWorthConnecting } from "../core/admission/admission.js";
import { CookieRefused } from "../core/admission/cookie.js";
import { judgeOrigin } from "../core/admission/origin.js";
import { textReply } from "../core/admission/refusal-reply.js";
import type { Authentication } from "../core/auth/authentication.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import type { Resumption } from "../core/connection/resumption.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { UpgradeAnswer } from "../core/endpoint.js";
import type { HttpReply, HttpRequest } from "../core/http.js";
import type { ConnectionId } from "../core/ids.js";
import type { Attempt, Holder } from "./attempts.js";
import {
  admit,
  arrive,
  claim,
  identify,
  isCookieOver,
  refusalHints,
  refusalTexts,
  takeLater,
  type Arrival,
  type Known,
  type OpenSocket,
} from "./claim.js";
import { clientKind } from "./client.js";
import { isCookie, type DoorPorts } from "./door.js";
import { asHubwardError } from "../core/errors.js";
import { refuse, type Applicant } from "../core/admission/refused-attempt.js";
import { switchedOff } from "./transports/switched-off.js";

export type Upgrade<P> = (request: HttpRequest, hub: Hub<P>) => Promise<UpgradeAnswer>;

const UNKNOWN_ID = textReply(404, refusalTexts.unknownId);
const HAS_TRANSPORT = textReply(409, refusalTexts.hasTransport);
const OTHER_TRANSPORT = textReply(400, refusalTexts.otherTransport);
const NOT_NEGOTIATED = "a cookie opens no connection that was not negotiated";
const NOT_RESUMABLE_HINT = "the connection has ended, or its replay holds what may no longer be seen";
const KEY_HINT = "the connection is bound to a key, and only its ticket was shown";

export function createUpgrade<P extends PrincipalBase>(ports: DoorPorts<P>, open: OpenSocket<P>): Upgrade<P> {
  async function withoutNegotiate(
    authentication: Authentication,
    applicant: Applicant,
    hub: Hub<P>,
  ): Promise<Holder<P>> {
    assertWorthConnecting(authentication, ports.clock);
    const delayMs = ports.holdBack.delayMs(authentication);
    if (delayMs > 0) throw new HubwardError("try_again_later", { retryAfterSeconds: delayMs / 1000 });
    return admit(authentication, applicant, hub, ports);
  }

  function accept(arrival: Arrival<P>, request: HttpRequest): UpgradeAnswer {
    return {
      accepted: true,
      closesAsNormal: clientKind(request).takesCodeForFailure,
      open: (socket) => open(arrival, socket),
      abandon: () => arrival.abandon(),
    };
  }

  /** Brings a connection its next transport. Nothing has changed before this, and nothing does when it says no. */
  async function resume(
    resumption: Resumption,
    request: HttpRequest,
    hub: Hub<P>,
    applicant: Applicant,
  ): Promise<UpgradeAnswer> {
    const outcome = await resumption.reclaim();
    if (outcome === "busy") {
      refuse(request, hub, ports, new HubwardError("superseded"), applicant, refusalHints.hasTransport);
      return no(HAS_TRANSPORT);
    }
    if (outcome === "refused") {
      refuse(request, hub, ports, new HubwardError("not_found"), applicant, NOT_RESUMABLE_HINT);
      return no(UNKNOWN_ID);
    }
    return {
      accepted: true,
      closesAsNormal: clientKind(request).takesCodeForFailure,
      open: (socket) => resumption.attach(socket, request.remoteAddress),
      abandon: () => resumption.abandon(),
    };
  }

  async function answer(request: HttpRequest, hub: Hub<P>, applicant: Applicant): Promise<UpgradeAnswer> {
    const known = await identify(request, hub, applicant, ports);
    const off = switchedOff("WebSockets", hub);
    if (off !== undefined) return no(off);
    if (ports.isDraining()) throw new HubwardError("service_restart", { retryAfterSeconds: 2 });
    const id = request.query.get("id");
    if (id === undefined) {
      if (known.presented.kind === "ticket") throw new HubwardError("ticket_invalid");
      if (isCookie(known.presented)) throw new CookieRefused("invalid_request", { detail: NOT_NEGOTIATED });
      const holder = await withoutNegotiate(known.authentication, applicant, hub);
      const connectionId = ports.random.secret(16) as ConnectionId;
      const { remoteAddress } = request;
      const arrival: Arrival<P> = {
        hub,
        holder,
        connectionId,
        transport: "WebSockets",
        remoteAddress,
        isResumable: false,
        keep: ignore,
        bind: () => true,
        end: ignore,
        abandon: ignore,
      };
      return accept(arrival, request);
    }
    const claimed = await claim(known, id, hub, applicant, ports);
    if (claimed === undefined) {
      refuse(request, hub, ports, new HubwardError("not_found"), applicant, refusalHints.unknownId);
      return no(UNKNOWN_ID);
    }
    const { connection } = claimed.attempt;
    const resumption = connection?.resumption;
    if (connection !== undefined && resumption !== undefined) {
      const refusal = ports.admitter.refusal(connection.authentication, connection.id);
      if (refusal !== undefined) throw refusal;
      if (!holdsKey(known, claimed.attempt, connection.authentication)) {
        refuse(request, hub, ports, new HubwardError("not_found"), applicant, KEY_HINT);
        return no(UNKNOWN_ID);
      }
      await takeLater(known, claimed.attempt, hub, ports.reauthenticate);
      return resume(resumption, request, hub, applicant);
    }
    if (!ports.attempts.attach(claimed.attempt, "WebSockets")) {
      refuse(request, hub, ports, new HubwardError("superseded"), applicant, refusalHints.hasTransport);
      return no(claimed.attempt.transport === "WebSockets" ? HAS_TRANSPORT : OTHER_TRANSPORT);
    }
    return accept(arrive(claimed, "WebSockets", request, hub, ports), request);
  }

  return async (request, hub) => {
    const originRefusal = judgeOrigin(request, ports.allowedOrigins);
    if (originRefusal !== undefined) return no(refuse(request, hub, ports, originRefusal));
    const applicant: Applicant = { authentication: undefined, roles: [] };
    try {
      return await answer(request, hub, applicant);
    } catch (error) {
      const reply = refuse(request, hub, ports, asHubwardError(error), applicant);
      return no(isCookieOver(request, hub, reply.status) ? UNKNOWN_ID : reply);
    }
  };
}

/**
 * Who comes back to a connection that is bound to a key shows more than a ticket that may have been read in a URL: a
 * proof of that key beside its token, or that it is the same browser.
 */
function holdsKey<P>({ presented }: Known<P>, { binding }: Attempt<P>, { keyThumbprint }: Authentication): boolean {
  return keyThumbprint === undefined || presented.kind === "token" || binding?.isShown === true;
}

function ignore(): void {
  // Nothing was negotiated, so nothing is to be given back.
}

function no(reply: HttpReply): UpgradeAnswer {
  return { accepted: false, reply };
}
