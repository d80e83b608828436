/**
 * One connection's standing as a pure reducer: time and news arrive in events, work leaves as effects.
 *
 *     handshaking --handshake-completed--> active --any end--> closing --socket-closed--> closed
 *          |                                | ^                  ^                          ^
 *          |                 transport-lost | | reattached       |                          |
 *          |                                v |                  |                          |
 *          |                              detached --any end-----|--------------------------/
 *          \---------------------any end-------------------------/
 *
 * Only `active` and `detached` let a call in and take a frame. `detached` keeps its standing without a transport, for a
 * peer that may bring a new one. `closing` has said why and waits for the socket to end.
 */

import type { ReasonName } from "@hubward/wire";

export type Lifecycle =
  | { readonly phase: "handshaking" }
  | { readonly phase: "active" }
  | { readonly phase: "detached" }
  | { readonly phase: "closing"; readonly reason: ReasonName }
  | { readonly phase: "closed"; readonly reason: ReasonName };

/** News that ends a connection, whether it has a transport or not. */
export type EndingEvent =
  /** The credential's `exp` has come. */
  | { readonly type: "expiry-due" }
  /** The peer was silent for longer than it may be. */
  | { readonly type: "heartbeat-overdue" }
  /** The peer does not read what it is sent. */
  | { readonly type: "lagging" }
  /** The peer broke the protocol, or a bound of it. */
  | { readonly type: "violation"; readonly reason: ReasonName }
  /** The peer said goodbye in the protocol's own words. */
  | { readonly type: "peer-closed" }
  /** The server is going away. */
  | { readonly type: "drained" }
  /** The application's own hook failed, or it asked for an end. */
  | { readonly type: "aborted"; readonly reason: ReasonName };

export type LifecycleEvent =
  | EndingEvent
  /** The protocol's handshake was understood and answered. */
  | { readonly type: "handshake-completed" }
  | { readonly type: "handshake-overdue" }
  /** The socket is gone, whoever ended it. */
  | { readonly type: "socket-closed" }
  /** The socket is gone, or given up, without a goodbye, and the peer may come back. */
  | { readonly type: "transport-lost" }
  /** The peer is back, on a new socket. */
  | { readonly type: "reattached" }
  /** The peer did not come back in time. */
  | { readonly type: "resume-overdue" };

/**
 * How a connection is told. `deliver`: what was queued goes first, the peer keeps its standing until the end.
 * `discard`: standing is lost, what was queued must not be seen. `reset`: the peer would not read it anyway.
 */
export type Farewell = "deliver" | "discard" | "reset";

export type LifecycleEffect =
  /** The connection may be found, addressed and called from now on. */
  | { readonly do: "open" }
  /** Nobody can be written to for now: keep what is said. */
  | { readonly do: "detach" }
  /** Say again what may not have arrived, and go on. */
  | { readonly do: "replay" }
  /** Shut the gate, give back memberships, then say why and close. */
  | { readonly do: "close"; readonly reason: ReasonName; readonly farewell: Farewell }
  /** Give back everything; the socket is gone. Comes exactly once, last. */
  | { readonly do: "release"; readonly reason: ReasonName };

export interface Step {
  readonly next: Lifecycle;
  readonly effects: readonly LifecycleEffect[];
}

export const initialLifecycle: Lifecycle = { phase: "handshaking" };

/** Advances one connection's standing. Pure; an event that changes nothing gives the same state and no effects. */
export function step(state: Lifecycle, event: LifecycleEvent): Step {
  switch (state.phase) {
    case "handshaking":
    case "active":
      return stepOpen(state, event);
    case "detached":
      return stepDetached(state, event);
    case "closing":
      // The first reason stands: what comes while the farewell is on its way changes nothing.
      return isSocketGone(event) ? release(state.reason) : unchanged(state);
    case "closed":
      return unchanged(state);
  }
}

function stepOpen(state: Lifecycle, event: LifecycleEvent): Step {
  switch (event.type) {
    case "handshake-completed":
      if (state.phase === "active") return unchanged(state);
      return { next: { phase: "active" }, effects: [{ do: "open" }] };
    case "handshake-overdue":
      return state.phase === "active" ? unchanged(state) : close({ reason: "handshake_timeout", farewell: "deliver" });
    case "transport-lost":
      if (state.phase === "active") return { next: { phase: "detached" }, effects: [{ do: "detach" }] };
      return release("normal");
    case "socket-closed":
      // A socket that ends by itself was the peer's doing: nobody has said a reason yet.
      return release("normal");
    case "reattached":
    case "resume-overdue":
      return unchanged(state);
    default:
      return close(endOf(event));
  }
}

function stepDetached(state: Lifecycle, event: LifecycleEvent): Step {
  switch (event.type) {
    case "reattached":
      return { next: { phase: "active" }, effects: [{ do: "replay" }] };
    case "handshake-completed":
    case "handshake-overdue":
    case "transport-lost":
    case "socket-closed":
      return unchanged(state);
    case "resume-overdue":
      return leave({ reason: "normal", farewell: "reset" });
    default:
      return leave(endOf(event));
  }
}

interface End {
  readonly reason: ReasonName;
  readonly farewell: Farewell;
}

function endOf(event: EndingEvent): End {
  switch (event.type) {
    case "expiry-due":
      return { reason: "token_expired", farewell: "discard" };
    case "heartbeat-overdue":
      return { reason: "heartbeat_timeout", farewell: "reset" };
    case "lagging":
      return { reason: "slow_consumer", farewell: "reset" };
    case "violation":
      return { reason: event.reason, farewell: "deliver" };
    case "peer-closed":
      // It has not stopped listening: answers that are ready still count for it.
      return { reason: "normal", farewell: "deliver" };
    case "drained":
      return { reason: "going_away", farewell: "deliver" };
    case "aborted":
      return { reason: event.reason, farewell: "deliver" };
    default:
      return unreachable(event);
  }
}

function isSocketGone({ type }: LifecycleEvent): boolean {
  return type === "socket-closed" || type === "transport-lost";
}

function unchanged(state: Lifecycle): Step {
  return { next: state, effects: [] };
}

function close({ reason, farewell }: End): Step {
  return { next: { phase: "closing", reason }, effects: [{ do: "close", reason, farewell }] };
}

function release(reason: ReasonName): Step {
  return { next: { phase: "closed", reason }, effects: [{ do: "release", reason }] };
}

/** Without a socket there is nobody to tell and nothing to wait for. */
function leave({ reason, farewell }: End): Step {
  const effects = [
    { do: "close", reason, farewell },
    { do: "release", reason },
  ] as const;
  return { next: { phase: "closed", reason }, effects };
}

function unreachable(event: never): never {
  throw new TypeError(`lifecycle: unknown event ${JSON.stringify(event)}`);
}
