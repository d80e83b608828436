/** SignalR's side of an application: the requests under a hub's path, and the sockets that come of them. */

import { decodeLimitDefaults, type DecodeLimits } from "@hubward/wire";
import { textReply } from "../core/admission/refusal-reply.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import type { Connection } from "../core/connection/connection.js";
import type { Socket } from "../core/connection/socket.js";
import type { Dispatch } from "../core/dispatch/dispatcher.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { Endpoint } from "../core/endpoint.js";
import type { DoorPorts } from "./door.js";
import { openDoomed, type DoomedConnection } from "./doomed.js";
import { SignalRHandler } from "./handler.js";
import { createNegotiate } from "./negotiate.js";
import { createUpgrade, type Arrival } from "./upgrade.js";

/** Sockets that exist only to be told why not. */
const MAX_DOOMED = 1_000;
/** They get less time than welcome ones. Milliseconds. */
const MAX_DOOMED_MS = 5_000;

/** Where doomed connections are kept until their socket is gone. */
export interface DoomedConnections {
  watch(doomed: DoomedConnection): void;
  forget(doomed: DoomedConnection): void;
  readonly size: number;
}

export interface SignalRPorts<P> extends DoorPorts<P> {
  readonly doomed: DoomedConnections;
  readonly dispatch: Dispatch<P>;
  readonly handshakeTimeoutMs: number;
  /** Makes the connection of an admitted arrival and keeps it. */
  readonly connect: (arrival: Arrival<P>, socket: Socket) => Connection<P>;
}

/** Hubs are found by lower-cased path: ASP.NET's routes ignore case and its clients rely on it. */
export function createSignalREndpoint<P extends PrincipalBase>(
  hubs: ReadonlyMap<string, Hub<P>>,
  ports: SignalRPorts<P>,
): Endpoint {
  const limits = new WeakMap<Hub<P>, DecodeLimits>();
  const negotiate = createNegotiate(ports);
  const upgrade = createUpgrade<P>(ports, (arrival, socket) => {
    const { holder, hub } = arrival;
    if (holder.kind === "doomed") {
      const doomed = openDoomed({
        socket,
        clock: ports.clock,
        refusal: holder.refusal,
        timeoutMs: Math.min(ports.handshakeTimeoutMs, MAX_DOOMED_MS),
        onClosed() {
          arrival.end();
          ports.doomed.forget(doomed);
        },
      });
      ports.doomed.watch(doomed);
      if (ports.isDraining()) doomed.drain();
      else if (ports.doomed.size > MAX_DOOMED) socket.reset();
      return doomed;
    }
    const connection = ports.connect(arrival, socket);
    const { dispatch, telemetry } = ports;
    connection.speak(
      new SignalRHandler({
        connection,
        hub,
        dispatch,
        telemetry,
        decodeLimits: decodeLimitsOf(hub),
        isResumable: arrival.isResumable,
        bind: () => arrival.bind(),
      }),
    );
    arrival.keep(connection);
    // Accepted before the server began to go away, opened after.
    if (ports.isDraining()) connection.apply({ type: "drained" });
    return connection;
  });

  function decodeLimitsOf(hub: Hub<P>): DecodeLimits {
    const known = limits.get(hub);
    if (known !== undefined) return known;
    const made: DecodeLimits = { ...decodeLimitDefaults, maxBytes: hub.settings.maxMessageBytes };
    limits.set(hub, made);
    return made;
  }

  function find(path: string): { readonly hub: Hub<P>; readonly rest: string } | undefined {
    // A hub URL configured with a slash at its end is the same hub.
    const lower = path.toLowerCase().replace(/(?<=.)\/$/, "");
    const exact = hubs.get(lower);
    if (exact !== undefined) return { hub: exact, rest: "" };
    const cut = lower.lastIndexOf("/");
    const hub = hubs.get(lower.slice(0, cut));
    const rest = lower.slice(cut);
    return hub !== undefined && rest === "/negotiate" ? { hub, rest } : undefined;
  }

  return {
    owns: (path) => find(path) !== undefined,
    async request(request) {
      const found = find(request.path);
      if (found?.rest === "/negotiate") return negotiate(request, found.hub);
      if (found === undefined) return textReply(404, "");
      // What the other transports would be asked for: none is offered.
      return request.query.has("id")
        ? textReply(404, "Transport not available")
        : textReply(400, "Connection ID required");
    },
    async upgrade(request) {
      const found = find(request.path);
      if (found === undefined || found.rest !== "") return { accepted: false, reply: textReply(404, "") };
      return upgrade(request, found.hub);
    },
  };
}
