/** SignalR's side of an application: the requests under a hub's path, and the sockets that come of them. */

import { decodeLimitDefaults, HubwardError, type DecodeLimits } from "@hubward/wire";
import { textReply } from "../core/admission/refusal-reply.js";
import type { DpopVerifier } from "../core/auth/dpop.js";
import type { Admission } from "../core/auth/policy.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import type { Connection } from "../core/connection/connection.js";
import type { Socket } from "../core/connection/socket.js";
import type { Dispatch } from "../core/dispatch/dispatcher.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { Endpoint } from "../core/endpoint.js";
import type { HttpAnswer, HttpReply, HttpRequest } from "../core/http.js";
import { answerPreflight, isPreflight, shareWith } from "../core/admission/cors.js";
import { refusalAtBirth } from "../core/admission/birth.js";
import type { CallLimiter } from "../core/limits/call-limiter.js";
import type { Arrival, OpenSocket } from "./claim.js";
import { bindingCookieName } from "./binding.js";
import type { DoorPorts } from "./door.js";
import { refuse } from "../core/admission/refused-attempt.js";
import type { Visitors } from "../core/connection/visitors.js";
import { openDoomed, type DoomedConnection } from "./doomed.js";
import { SignalRHandler } from "./handler.js";
import { createControlCalls } from "./control-calls.js";
import { createNegotiate } from "./negotiate.js";
import { createRefresh } from "./refresh.js";
import { transportDialects } from "./transports/dialects.js";
import { createTransportRequests, type AnswerRequest } from "./transports/requests.js";
import { createUpgrade } from "./upgrade.js";

/** Sockets that exist only to be told why not. */
const MAX_DOOMED = 1_000;
/** Behind a hub's path. */
const NEGOTIATE = "/negotiate";
const REFRESH = "/refresh";
/** They get less time than welcome ones. Milliseconds. */
const MAX_DOOMED_MS = 5_000;

/** What is asked under a hub's path. */
type Rest = "" | typeof NEGOTIATE | typeof REFRESH;

export interface SignalRPorts<P> extends DoorPorts<P> {
  /** Where doomed connections are kept until their socket is gone. */
  readonly visitors: Visitors;
  readonly dispatch: Dispatch<P>;
  readonly limiter: CallLimiter;
  /** Where proofs are checked here. */
  readonly dpop?: DpopVerifier | undefined;
  readonly handshakeTimeoutMs: number;
  readonly connect: (arrival: Arrival<P>, admission: Admission<P>, socket: Socket) => Connection<P>;
}

/** Hubs are found by lower-cased path: ASP.NET's routes ignore case and its clients rely on it. */
export function createSignalREndpoint<P extends PrincipalBase>(
  hubs: ReadonlyMap<string, Hub<P>>,
  ports: SignalRPorts<P>,
): Endpoint {
  const limits = new WeakMap<Hub<P>, DecodeLimits>();
  const negotiate = createNegotiate(ports);
  let doomedCount = 0;

  function doom(arrival: Arrival<P>, socket: Socket, refusal: HubwardError): DoomedConnection {
    const doomed = openDoomed({
      socket,
      clock: ports.clock,
      refusal,
      dialects: transportDialects[arrival.transport],
      timeoutMs: Math.min(ports.handshakeTimeoutMs, MAX_DOOMED_MS),
      onClosed() {
        arrival.end();
        doomedCount--;
        ports.visitors.delete(doomed);
      },
    });
    doomedCount++;
    ports.visitors.add(doomed);
    if (ports.isDraining()) doomed.drain();
    else if (doomedCount > MAX_DOOMED) socket.reset();
    return doomed;
  }

  const open: OpenSocket<P> = (arrival, socket) => {
    const { holder, hub, connectionId, remoteAddress } = arrival;
    if (holder.kind === "doomed") return doom(arrival, socket, holder.refusal);
    // Every connection is born here: what was revoked between its door and now never becomes one.
    const refusal = refusalAtBirth(holder.admission, { connectionId, path: hub.path, remoteAddress }, ports);
    if (refusal !== undefined) return doom(arrival, socket, refusal);
    const connection = ports.connect(arrival, holder.admission, socket);
    const { clock, dispatch, limiter, telemetry } = ports;
    connection.speak(
      new SignalRHandler({
        connection,
        hub,
        dispatch,
        limiter,
        clock,
        telemetry,
        decodeLimits: decodeLimitsOf(hub),
        dialects: transportDialects[arrival.transport],
        isResumable: arrival.isResumable,
        control: hub.settings.hasAuthenticationRefresh
          ? createControlCalls(connection, ports.reauthenticate)
          : undefined,
        bind: () => arrival.bind(),
      }),
    );
    arrival.keep(connection);
    // Accepted before the server began to go away, opened after.
    if (ports.isDraining()) connection.apply({ type: "drained" });
    return connection;
  };
  const upgrade = createUpgrade<P>(ports, open);
  const answerRequest = createTransportRequests<P>(ports, open);
  const refresh = createRefresh<P>(ports);
  const answerAs: Readonly<Record<Rest, AnswerRequest<P>>> = {
    "": answerRequest,
    [NEGOTIATE]: (request, _body, hub) => negotiate(request, hub),
    [REFRESH]: (request, _body, hub) => refresh(request, hub),
  };

  function decodeLimitsOf(hub: Hub<P>): DecodeLimits {
    const known = limits.get(hub);
    if (known !== undefined) return known;
    const made: DecodeLimits = { ...decodeLimitDefaults, maxBytes: hub.settings.maxMessageBytes };
    limits.set(hub, made);
    return made;
  }

  function find(path: string): { readonly hub: Hub<P>; readonly rest: Rest } | undefined {
    // A hub URL configured with a slash at its end is the same hub.
    const lower = path.toLowerCase();
    const asked = lower.length > 1 && lower.endsWith("/") ? lower.slice(0, -1) : lower;
    const exact = hubs.get(asked);
    if (exact !== undefined) return { hub: exact, rest: "" };
    const rest = asked.endsWith(NEGOTIATE) ? NEGOTIATE : asked.endsWith(REFRESH) ? REFRESH : undefined;
    if (rest === undefined) return undefined;
    const hub = hubs.get(asked.slice(0, -rest.length));
    const isThere = hub !== undefined && (rest === NEGOTIATE || hub.settings.hasAuthenticationRefresh);
    return isThere ? { hub, rest } : undefined;
  }

  /** Before any authentication: a browser asks it without a credential. */
  function preflight(request: HttpRequest, hub: Hub<P>): HttpReply {
    const answer = answerPreflight(request, ports.allowedOrigins, ports.dpop !== undefined);
    return answer instanceof HubwardError ? refuse(request, hub, ports, answer) : answer;
  }

  /** The next proof's nonce, ahead of the need (RFC 9449 8.2). */
  function withNonce(answer: HttpAnswer): HttpAnswer {
    const nonce = ports.dpop?.nonce();
    return nonce === undefined ? answer : { ...answer, headers: { "dpop-nonce": nonce, ...answer.headers } };
  }

  return {
    owns: (path) => find(path) !== undefined,
    cookies(path) {
      const hub = find(path)?.hub;
      return hub && { access: hub.settings.cookie?.name, binding: bindingCookieName(hub.path) };
    },
    async request(request, body) {
      const found = find(request.path);
      if (found === undefined) return textReply(404, "");
      const { hub, rest } = found;
      const takesProofs = ports.dpop !== undefined;
      if (isPreflight(request)) return shareWith(preflight(request, hub), request, ports.allowedOrigins, takesProofs);
      const answer = await answerAs[rest](request, body, hub);
      const told = rest === "" ? answer : withNonce(answer);
      return shareWith(told, request, ports.allowedOrigins, takesProofs);
    },
    async upgrade(request) {
      const found = find(request.path);
      if (found === undefined || found.rest !== "") return { accepted: false, reply: textReply(404, "") };
      return upgrade(request, found.hub);
    },
  };
}
