/**
 * One connection's standing as a pure reducer: time and news arrive in events, work leaves as effects. The states,
 * the events and their races are drawn in docs/credential-lifecycle.md.
 *
 *     handshaking --handshake-completed--> active --any end--> closing --socket-closed--> closed
 *                                          | ^ | ^
 *                           transport-lost | | | | reauthenticated
 *                                          v | v |
 *                                     detached  lapsed            both end as active does
 *
 * Only `active` and `detached` let a call in and take a frame. `detached` keeps its standing without a transport, for a
 * peer that may bring a new one. `lapsed` keeps the transport without the standing, for a peer that may bring a new
 * credential. `closing` has said why and waits for the socket to end.
 */

import type { ReasonName } from "@hubward/wire";

/**
 * Why a connection lapsed: its credential has ended; or says what is not so any more; or nobody can say for now what
 * it allows.
 */
export type LapseReason = Extract<ReasonName, "token_expired" | "reauth_required" | "auth_unavailable">;

export type Lifecycle =
  | { readonly phase: "handshaking" }
  | { readonly phase: "active"; readonly canRefresh: boolean }
  | { readonly phase: "lapsed"; readonly canRefresh: boolean; readonly reason: LapseReason }
  | { readonly phase: "detached"; readonly canRefresh: boolean }
  | { readonly phase: "closing"; readonly reason: ReasonName }
  | { readonly phase: "closed"; readonly reason: ReasonName };

/** News that ends a connection, whether it has a transport or not. */
export type EndingEvent =
  /** The credential's `exp` has come. A peer that can refresh gets a grace. */
  | { readonly type: "expiry-due" }
  /** The credential says what is not so any more: one issued since is needed. A peer that can refresh gets a grace. */
  | { readonly type: "claims-changed" }
  /** Nobody can say any more what the principal may do. */
  | { readonly type: "authority-lost" }
  /** The person, session or token may not go on. */
  | { readonly type: "revoked"; readonly reason: ReasonName }
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
  | { readonly type: "resume-overdue" }
  /** A lapsed connection's time to come back is over. */
  | { readonly type: "grace-over" }
  /** The peer has tried to bring a new credential, or asked to be told when it should. */
  | { readonly type: "refresh-shown" }
  /** A later credential of the same identity was verified and judged. */
  | { readonly type: "reauthenticated" }
  /** The same credential was mapped and judged anew. */
  | { readonly type: "rechecked" };

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
  /** Put the new principal in the place of the present one. */
  | { readonly do: "replace" }
  /** Standing is lost for now: stop what runs, hold back what is said. */
  | { readonly do: "suspend"; readonly reason: LapseReason }
  /** Standing is back: what was held is judged again. Comes behind `replace`. */
  | { readonly do: "restore" }
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
      return stepHandshaking(state, event);
    case "active":
      return stepActive(state, event);
    case "lapsed":
      return stepLapsed(state, event);
    case "detached":
      return stepDetached(state, event);
    case "closing":
      // The first reason stands: what comes while the farewell is on its way changes nothing.
      return isSocketGone(event) ? release(state.reason) : unchanged(state);
    case "closed":
      return unchanged(state);
  }
}

type In<Phase extends Lifecycle["phase"]> = Extract<Lifecycle, { phase: Phase }>;

function stepHandshaking(state: In<"handshaking">, event: LifecycleEvent): Step {
  switch (event.type) {
    case "handshake-completed":
      return { next: { phase: "active", canRefresh: false }, effects: [{ do: "open" }] };
    case "handshake-overdue":
      return close({ reason: "handshake_timeout", farewell: "deliver" });
    case "transport-lost":
    case "socket-closed":
      // A socket that ends by itself was the peer's doing: nobody has said a reason yet.
      return release("normal");
    case "reattached":
    case "resume-overdue":
    case "grace-over":
    case "refresh-shown":
    case "reauthenticated":
    case "rechecked":
      return unchanged(state);
    default:
      return close(endOf(event));
  }
}

function stepActive(state: In<"active">, event: LifecycleEvent): Step {
  const { canRefresh } = state;
  switch (event.type) {
    case "refresh-shown":
      return canRefresh ? unchanged(state) : { next: { phase: "active", canRefresh: true }, effects: [] };
    case "expiry-due":
      return canRefresh ? lapse("token_expired", canRefresh) : close(endOf(event));
    case "claims-changed":
      return canRefresh ? lapse("reauth_required", canRefresh) : close(endOf(event));
    case "authority-lost":
      return lapse("auth_unavailable", canRefresh);
    case "reauthenticated":
    case "rechecked":
      return { next: state, effects: [{ do: "replace" }] };
    case "transport-lost":
      return { next: { phase: "detached", canRefresh }, effects: [{ do: "detach" }] };
    case "socket-closed":
      return release("normal");
    case "handshake-completed":
    case "handshake-overdue":
    case "reattached":
    case "resume-overdue":
    case "grace-over":
      return unchanged(state);
    default:
      return close(endOf(event));
  }
}

function stepLapsed(state: In<"lapsed">, event: LifecycleEvent): Step {
  const { canRefresh, reason } = state;
  const restored = { next: { phase: "active", canRefresh }, effects: [{ do: "replace" }, { do: "restore" }] } as const;
  switch (event.type) {
    case "refresh-shown":
      return canRefresh ? unchanged(state) : { next: { ...state, canRefresh: true }, effects: [] };
    case "reauthenticated":
      return restored;
    case "rechecked":
      // What the credential lacks, no directory can give it.
      return reason === "auth_unavailable" ? restored : { next: state, effects: [{ do: "replace" }] };
    case "expiry-due":
      if (reason !== "auth_unavailable") return unchanged(state);
      return canRefresh ? lapse("token_expired", canRefresh) : close(endOf(event));
    case "claims-changed":
    case "authority-lost":
    case "handshake-completed":
    case "handshake-overdue":
    case "reattached":
    case "resume-overdue":
      return unchanged(state);
    case "grace-over":
      return close({ reason, farewell: "discard" });
    case "transport-lost":
      // What lapsed is not resumed.
      return leave({ reason, farewell: "discard" });
    case "socket-closed":
      return release("normal");
    default:
      return close(endOf(event));
  }
}

function stepDetached(state: In<"detached">, event: LifecycleEvent): Step {
  const { canRefresh } = state;
  switch (event.type) {
    case "reattached":
      return { next: { phase: "active", canRefresh }, effects: [{ do: "replay" }] };
    case "resume-overdue":
      return leave({ reason: "normal", farewell: "reset" });
    case "refresh-shown":
      return canRefresh ? unchanged(state) : { next: { phase: "detached", canRefresh: true }, effects: [] };
    case "reauthenticated":
    case "rechecked":
      return { next: state, effects: [{ do: "replace" }] };
    case "handshake-completed":
    case "handshake-overdue":
    case "transport-lost":
    case "socket-closed":
    case "grace-over":
      return unchanged(state);
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
    case "claims-changed":
      return { reason: "reauth_required", farewell: "discard" };
    case "authority-lost":
      return { reason: "auth_unavailable", farewell: "discard" };
    case "revoked":
      return { reason: event.reason, farewell: "discard" };
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

function lapse(reason: LapseReason, canRefresh: boolean): Step {
  return { next: { phase: "lapsed", canRefresh, reason }, effects: [{ do: "suspend", reason }] };
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
