/**
 * `{hub}?id=…` over plain HTTP: the requests that Server-Sent Events and long polling are made of. Each one says
 * anew who asks, and reaches a connection only if that is the connection's own identity; to everybody else every id
 * is unknown, and nothing is touched.
 *
 * @see TransportProtocols.md; statuses and texts are those of .NET's HttpConnectionDispatcher
 */

import { HubwardError, type TransportName } from "@hubward/wire";
import { createShares } from "../../core/admission/shares.js";
import { cookieOf } from "../../core/admission/cookie.js";
import { judgeOrigin, judgeReadingOrigin } from "../../core/admission/origin.js";
import { refusalReply, textReply } from "../../core/admission/refusal-reply.js";
import { isTicket } from "../../core/auth/tickets.js";
import type { PrincipalBase } from "../../core/auth/principal.js";
import type { Hub } from "../../core/dispatch/hub.js";
import type { HttpAnswer, HttpReply, HttpRequest, RequestBody } from "../../core/http.js";
import { createHeartbeat, type Beating } from "../../core/supervision/heartbeat.js";
import { identityKey } from "../../core/ids.js";
import { authenticationOf, type Attempt } from "../attempts.js";
import {
  arrive,
  claim,
  identify,
  isCookieOver,
  isOwner,
  refusalHints,
  refusalTexts,
  takeLater,
  type Arrival,
  type Known,
  type OpenSocket,
} from "../claim.js";
import type { DoorPorts } from "../door.js";
import { asHubwardError } from "../../core/errors.js";
import { refuse, type Applicant } from "../../core/admission/refused-attempt.js";
import { fingerprintOf, KnownCredentials } from "./credentials.js";
import { maxBodyBytes, type SendOutcome } from "./inbox.js";
import { LongPollingSocket } from "./long-polling.js";
import type { RequestSocket, RequestSocketSetup } from "./request-socket.js";
import { ServerSentEventsSocket } from "./server-sent-events.js";
import { switchedOff } from "./switched-off.js";

export type AnswerRequest<P> = (request: HttpRequest, body: RequestBody, hub: Hub<P>) => Promise<HttpAnswer>;

/** Of one identity at a time. Unlike a WebSocket, such a connection costs its peer nothing: one TCP connection carries all. */
const MAX_CONNECTIONS_PER_IDENTITY = 100;

const METHODS = "GET, POST, DELETE";
const NO_ID = textReply(400, "Connection ID required");
const UNKNOWN_ID = textReply(404, refusalTexts.unknownId);
const OTHER_TRANSPORT = textReply(400, refusalTexts.otherTransport);
const HAS_STREAM = textReply(409, "");
const NO_TRANSPORT_YET = textReply(400, "The connection has no transport yet.");
const NOT_BY_POST = textReply(405, "POST requests are not allowed for WebSocket connections.", { allow: "GET" });
const NOT_BY_DELETE = textReply(400, "Cannot terminate this connection using the DELETE endpoint.");
const DELETED = textReply(202, "");
const CROWDED_HINT = "too many sends of one connection wait";

/** What is answered to a POST. */
const sent: Readonly<Record<Exclude<SendOutcome, "crowded">, HttpReply>> = {
  taken: textReply(200, ""),
  "too-large": refusalReply(new HubwardError("message_too_big")),
  broken: textReply(400, ""),
  late: textReply(408, ""),
  ended: UNKNOWN_ID,
};

export function createTransportRequests<P extends PrincipalBase>(
  ports: DoorPorts<P>,
  open: OpenSocket<P>,
): AnswerRequest<P> {
  const heartbeat = createHeartbeat<Beating>(ports.clock);
  const shares = createShares(MAX_CONNECTIONS_PER_IDENTITY);
  /** By the attempt they came of, which goes when they do. */
  const sockets = new WeakMap<Attempt<P>, RequestSocket>();

  async function answer(
    request: HttpRequest,
    body: RequestBody,
    hub: Hub<P>,
    applicant: Applicant,
  ): Promise<HttpAnswer> {
    const { method, query } = request;
    const id = query.get("id");
    // Looked at each time: a cookie goes along with whatever page asks.
    const cookie = cookieOf(request, hub.settings.cookie, ports.allowedOrigins);
    const fingerprint = fingerprintOf(request, ports.digest, cookie);
    const live = id === undefined ? undefined : ports.attempts.find(id, hub.path);
    const socket = live === undefined ? undefined : sockets.get(live);
    // It has shown this very credential before, and need not be asked again.
    if (live !== undefined && socket?.credentials.has(fingerprint) === true && !isOutgrown(request, live)) {
      if (!ports.bindings.allows(live.binding, request)) throw new UnknownId("not_found");
      return serve(request, body, live);
    }

    const known = await identify(request, hub, applicant, ports);
    const transport = method === "GET" ? wishedTransport(request) : undefined;
    const off = transport === undefined ? undefined : switchedOff(transport, hub);
    if (off !== undefined) return off;
    if (id === undefined || id === "") return NO_ID;
    const attempt = ports.attempts.find(id, hub.path);
    if (attempt === undefined || !isOwner(known, attempt, ports)) throw new UnknownId("not_found");
    if (transport === undefined || attempt.isAttached) {
      // An older one is good for this request and replaces nothing.
      await takeLater(known, attempt, hub, ports.reauthenticate);
      sockets.get(attempt)?.credentials.add(fingerprint);
      return serve(request, body, attempt);
    }
    return begin(known, attempt, transport, request, hub, applicant, fingerprint);
  }

  /** The first request of a transport. */
  async function begin(
    known: Known<P>,
    attempt: Attempt<P>,
    transport: "ServerSentEvents" | "LongPolling",
    request: HttpRequest,
    hub: Hub<P>,
    applicant: Applicant,
    fingerprint: string | undefined,
  ): Promise<HttpAnswer> {
    if (ports.isDraining()) throw new HubwardError("service_restart", { retryAfterSeconds: 2 });
    const claimed = await claim(known, attempt.connectionToken, hub, applicant, ports);
    if (claimed === undefined) throw new UnknownId("not_found");
    const owner = identityKey(authenticationOf(claimed.holder));
    if (!shares.take(owner)) throw new HubwardError("connection_limit", { retryAfterSeconds: 30 });
    if (!ports.attempts.attach(claimed.attempt, transport)) {
      shares.give(owner);
      return get(request, claimed.attempt);
    }
    const arrival = counted(arrive(claimed, transport, request, hub, ports), () => shares.give(owner));
    const setup: RequestSocketSetup = {
      clock: ports.clock,
      heartbeat,
      maxBodyBytes: maxBodyBytes(hub.settings),
      credentials: new KnownCredentials(fingerprint),
    };
    if (transport === "ServerSentEvents") {
      const socket = new ServerSentEventsSocket(setup);
      sockets.set(attempt, socket);
      return socket.stream(() => open(arrival, socket));
    }
    const socket = new LongPollingSocket(setup);
    sockets.set(attempt, socket);
    return socket.start(() => open(arrival, socket));
  }

  /** One more request of a connection, by its owner. */
  function serve(request: HttpRequest, body: RequestBody, attempt: Attempt<P>): HttpAnswer | Promise<HttpAnswer> {
    if (request.method === "GET") return get(request, attempt);
    return request.method === "POST" ? post(body, attempt) : remove(attempt);
  }

  function get(request: HttpRequest, attempt: Attempt<P>): HttpAnswer {
    if (attempt.transport !== wishedTransport(request)) return OTHER_TRANSPORT;
    const socket = sockets.get(attempt);
    return socket instanceof LongPollingSocket ? socket.poll() : HAS_STREAM;
  }

  async function post(body: RequestBody, attempt: Attempt<P>): Promise<HttpAnswer> {
    if (attempt.transport === "WebSockets") return NOT_BY_POST;
    const socket = sockets.get(attempt);
    if (socket === undefined) return NO_TRANSPORT_YET;
    const outcome = await socket.inbox.take(body);
    if (outcome === "crowded") throw new Crowded("rate_limited", { retryAfterSeconds: 1 });
    return sent[outcome];
  }

  function remove(attempt: Attempt<P>): HttpAnswer {
    const socket = sockets.get(attempt);
    if (!(socket instanceof LongPollingSocket)) return NOT_BY_DELETE;
    socket.remove();
    return DELETED;
  }

  return async (request, body, hub) => {
    const { method } = request;
    if (method !== "GET" && method !== "POST" && method !== "DELETE") return textReply(405, "", { allow: METHODS });
    const judge = method === "GET" ? judgeReadingOrigin : judgeOrigin;
    const originRefusal = judge(request, ports.allowedOrigins);
    if (originRefusal !== undefined) return refuse(request, hub, ports, originRefusal);
    const applicant: Applicant = { authentication: undefined, roles: [] };
    try {
      return await answer(request, body, hub, applicant);
    } catch (thrown) {
      const error = asHubwardError(thrown);
      if (error instanceof Crowded) return refuse(request, hub, ports, error, applicant, CROWDED_HINT);
      // A stock client that stops says so, and then deletes what has ended by that: nothing to warn of.
      if (method === "DELETE" && error.reason === "ticket_invalid") return UNKNOWN_ID;
      const hint = error instanceof UnknownId ? refusalHints.unknownId : undefined;
      const reply = refuse(request, hub, ports, error, applicant, hint);
      // A ticket that is over names a connection that is over.
      if (error instanceof UnknownId || error.reason === "ticket_invalid") return UNKNOWN_ID;
      // A token that ended before it was ever shown here stays a 401: .NET's client tries once more with a newer one.
      return isCookieOver(request, hub, reply.status) ? UNKNOWN_ID : reply;
    }
  };
}

/** Whether a connection was bound to a key meanwhile: what it showed before and needs no key is over, tickets excepted. */
function isOutgrown<P>({ bearers: [bearer] }: HttpRequest, { holder }: Attempt<P>): boolean {
  return authenticationOf(holder).keyThumbprint !== undefined && (bearer === undefined || !isTicket(bearer.token));
}

class UnknownId extends HubwardError {}
class Crowded extends HubwardError {}

/** By exactly this type among those that are accepted, as .NET does; parameters or a wildcard are no wish for it. */
function wishedTransport({ header }: HttpRequest): Extract<TransportName, "ServerSentEvents" | "LongPolling"> {
  const accepted = (header("accept") ?? "").split(",");
  const isEvents = accepted.some((type) => type.trim().toLowerCase() === "text/event-stream");
  return isEvents ? "ServerSentEvents" : "LongPolling";
}

/** As the arrival, and tells when it is over, once. */
function counted<P>(arrival: Arrival<P>, onEnd: () => void): Arrival<P> {
  let isOver = false;
  return {
    ...arrival,
    end() {
      arrival.end();
      if (isOver) return;
      isOver = true;
      onEnd();
    },
  };
}
