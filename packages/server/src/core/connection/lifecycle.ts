/**
 * One connection's standing as a pure reducer: time and news arrive in events, work leaves as effects.
 *
 *     handshaking --handshake-completed--> active --any end--> closing --socket-closed--> closed
 *          \------------------any end-----------------------------^
 *
 * Only `active` lets a call in or a frame out. `closing` has said why and waits for the socket to end.
 */

import type { ReasonName } from "@hubward/wire";

export type Lifecycle =
  | { readonly phase: "handshaking" }
  | { readonly phase: "active" }
  | { readonly phase: "closing"; readonly reason: ReasonName }
  | { readonly phase: "closed"; readonly reason: ReasonName };

export type LifecycleEvent =
  /** The protocol's handshake was understood and answered. */
  | { readonly type: "handshake-completed" }
  | { readonly type: "handshake-overdue" }
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
  | { readonly type: "aborted"; readonly reason: ReasonName }
  /** The socket is gone, whoever ended it. */
  | { readonly type: "socket-closed" };

/**
 * How a connection is told. `deliver`: what was queued goes first, the peer keeps its standing until the end.
 * `discard`: standing is lost, what was queued must not be seen. `reset`: the peer would not read it anyway.
 */
export type Farewell = "deliver" | "discard" | "reset";

export type LifecycleEffect =
  /** The connection may be found, addressed and called from now on. */
  | { readonly do: "open" }
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
  if (state.phase === "closed") return { next: state, effects: [] };
  if (event.type === "socket-closed") {
    // A socket that ends by itself was the peer's doing: nobody has said a reason yet.
    const reason = state.phase === "closing" ? state.reason : "normal";
    return { next: { phase: "closed", reason }, effects: [{ do: "release", reason }] };
  }
  // The first reason stands: what comes while the farewell is on its way changes nothing.
  if (state.phase === "closing") return { next: state, effects: [] };
  switch (event.type) {
    case "handshake-completed":
      if (state.phase === "active") return { next: state, effects: [] };
      return { next: { phase: "active" }, effects: [{ do: "open" }] };
    case "handshake-overdue":
      if (state.phase === "active") return { next: state, effects: [] };
      return close("handshake_timeout", "deliver");
    case "expiry-due":
      return close("token_expired", "discard");
    case "heartbeat-overdue":
      return close("heartbeat_timeout", "reset");
    case "lagging":
      return close("slow_consumer", "reset");
    case "violation":
      return close(event.reason, "deliver");
    case "peer-closed":
      return close("normal", "discard");
    case "drained":
      return close("going_away", "deliver");
    case "aborted":
      return close(event.reason, "deliver");
    default:
      return unreachable(event);
  }
}

function close(reason: ReasonName, farewell: Farewell): Step {
  return { next: { phase: "closing", reason }, effects: [{ do: "close", reason, farewell }] };
}

function unreachable(event: never): never {
  throw new TypeError(`lifecycle: unknown event ${JSON.stringify(event)}`);
}
