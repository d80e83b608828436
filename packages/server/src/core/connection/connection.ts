/**
 * One accepted socket with the principal that acts through it. Runs the lifecycle's effects; decides nothing
 * itself. Both protocols share it: what is said in a protocol's own words comes from its handler.
 */

import { HubwardError, type ReasonName } from "@hubward/wire";
import type { Authentication } from "../auth/authentication.js";
import type { Admission } from "../auth/policy.js";
import { readInstant, type Instant } from "../clock.js";
import type { ConnectionId } from "../ids.js";
import { Credentialed, type CredentialedSetup, type GraceTimes } from "./credentialed.js";
import {
  initialLifecycle,
  step,
  type Farewell,
  type LapseReason,
  type Lifecycle,
  type LifecycleEffect,
  type LifecycleEvent,
} from "./lifecycle.js";
import { isOver } from "./lifetime.js";
import type { InvokeOptions, ProtocolHandler, ReplayProtocol } from "./protocol-handler.js";
import { Resumption, type Return } from "./resumption.js";
import type { Socket, SocketListener } from "./socket.js";

/** What a connection reports to whoever keeps it. */
export interface ConnectionObserver<P> {
  opened(connection: Connection<P>): void;
  /** Standing is lost. Comes before the peer is told, once. */
  ended(connection: Connection<P>): void;
  /** Its transport is lost; it keeps its standing and what is said to it. */
  detached(connection: Connection<P>): void;
  /** It has another credential than this one, or another principal by the same. Nothing has been done as such yet. */
  replaced(connection: Connection<P>, before: Admission<P>): void;
  /** Something else is due next in the life of its credential than before. */
  rescheduled(connection: Connection<P>): void;
  /** Its credential does not hold any more; it may come back with another one. */
  lapsed(connection: Connection<P>, reason: LapseReason): void;
  /** It is back from a lapse. */
  restored(connection: Connection<P>): void;
  /** It has a transport again. */
  resumed(connection: Connection<P>, how: Return & { readonly replayed: number }): void;
  /** The socket is gone. Comes last, once. */
  released(connection: Connection<P>, reason: ReasonName): void;
  failed(connection: Connection<P>, error: unknown): void;
}

export interface ConnectionTimes extends GraceTimes {
  readonly handshakeTimeoutMs: number;
  readonly clientTimeoutMs: number;
  readonly keepAliveMs: number;
}

export interface ConnectionSetup<P> extends CredentialedSetup<P> {
  readonly id: ConnectionId;
  readonly hub: string;
  readonly remoteAddress: string | undefined;
  readonly times: ConnectionTimes;
  readonly observer: ConnectionObserver<P>;
  /** Why a credential does not stand any more, by what was revoked. Default: everything stands. */
  readonly revoked?: ((authentication: Authentication, id: ConnectionId) => HubwardError | undefined) | undefined;
}

export class Connection<P> extends Credentialed<P> implements SocketListener {
  readonly id: ConnectionId;
  /** Path of the hub it is connected to. */
  readonly hub: string;
  readonly remoteAddress: string | undefined;
  readonly #setup: Pick<ConnectionSetup<P>, "clock" | "times" | "observer" | "revoked">;
  readonly #openedAt: number;
  #handler: ProtocolHandler | undefined;
  #lifecycle: Lifecycle = initialLifecycle;
  #lastReceivedAt: number;
  #resumption: Resumption | undefined;
  #isOnHold = false;
  #hasEnded = false;
  #hasLostStanding = false;

  constructor(setup: ConnectionSetup<P>) {
    const instant = readInstant(setup.clock);
    super(setup, instant);
    this.id = setup.id;
    this.hub = setup.hub;
    this.remoteAddress = setup.remoteAddress;
    this.#setup = setup;
    this.#openedAt = instant.monotonic;
    this.#lastReceivedAt = instant.monotonic;
  }

  /** Gives the connection its protocol. Once, before the socket's first byte. */
  speak(handler: ProtocolHandler): void {
    if (this.#handler !== undefined) throw new TypeError("connection: has a protocol already");
    this.#handler = handler;
  }

  /** Why it has lapsed, while it has. */
  get lapse(): LapseReason | undefined {
    const state = this.#lifecycle;
    return state.phase === "lapsed" ? state.reason : undefined;
  }

  /** Whether it waits for its client to come back. */
  get isDetached(): boolean {
    return this.#lifecycle.phase === "detached";
  }

  /** Whether it is over: it has said why, or is about to. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  ageMs(now: number): number {
    return now - this.#openedAt;
  }

  /** Both clocks, as they are now. */
  instant(): Instant {
    return readInstant(this.#setup.clock);
  }

  /** Why nothing may be done through this connection now, or undefined when it may. Asks both clocks. */
  refusal(instant: Instant = this.instant()): HubwardError | undefined {
    if (isOver(this.lifetime, instant)) {
      this.#hasLostStanding = true;
      this.apply({ type: "expiry-due" });
    }
    const state = this.#lifecycle;
    if (state.phase === "active" || state.phase === "detached") return undefined;
    return new HubwardError(state.phase === "handshaking" ? "handshake_required" : state.reason);
  }

  /** @throws HubwardError the reason it may not act. */
  assertActive(): void {
    const refusal = this.refusal();
    if (refusal !== undefined) throw refusal;
  }

  /**
   * Whether something may still be said on this principal's behalf: also after its socket is gone, so that a
   * command's event is not lost with the caller's network, but not once the credential is.
   * @throws HubwardError
   */
  assertMaySpeak(): void {
    const refusal = this.refusal();
    if (refusal === undefined) return;
    if (!this.#hasEnded || this.#hasLostStanding) throw refusal;
    // Nobody looks for one that is gone when somebody is revoked.
    const revoked = this.#setup.revoked?.(this.authentication, this.id);
    if (revoked !== undefined) throw revoked;
  }

  /** News about this connection: the only way its standing changes. */
  override apply(event: LifecycleEvent): void {
    const { next, effects } = step(this.#lifecycle, event);
    this.#lifecycle = next;
    this.follow(next);
    for (const effect of effects) {
      this.#run(effect);
      // What was told of it may have ended it: then the rest is not so any more.
      if (this.#lifecycle.phase !== next.phase) return;
    }
  }

  /** The peer's way back should this transport be lost; undefined where there is none. */
  get resumption(): Resumption | undefined {
    return this.#resumption;
  }

  override keepForReplay(protocol: ReplayProtocol, maxReplayBytes: number): void {
    super.keepForReplay(protocol, maxReplayBytes);
    this.#resumption = new Resumption(this.#setup.clock, {
      mayResume: () => this.refusal() === undefined && this.mayReplay,
      giveUp: () => this.apply({ type: "transport-lost" }),
      goOn: (socket, how) => this.#goOn(socket, how),
    });
  }

  /** Once a second: what is overdue? */
  beat(instant: Instant): void {
    const { times } = this.#setup;
    const now = instant.monotonic;
    const { phase } = this.#lifecycle;
    if (phase === "closing" || phase === "closed") return;
    this.due(instant);
    if (phase === "handshaking") {
      if (now - this.#openedAt >= times.handshakeTimeoutMs) this.apply({ type: "handshake-overdue" });
      return;
    }
    if (phase === "detached") {
      if (this.#resumption?.isOverdue(now) === true) this.apply({ type: "resume-overdue" });
      return;
    }
    const handler = this.#handler;
    if (handler?.isBusy === true || this.isPolled) this.#lastReceivedAt = now;
    else if (now - this.#lastReceivedAt >= times.clientTimeoutMs) return this.apply({ type: "heartbeat-overdue" });
    if (!this.keepPace(now, handler?.keepAlive, times.keepAliveMs)) this.apply({ type: "lagging" });
  }

  /** Something of our own went wrong while serving it. */
  fail(error: unknown): void {
    this.#setup.observer.failed(this, error);
    this.apply({ type: "violation", reason: "unexpected_error" });
  }

  get isOnHold(): boolean {
    return this.#isOnHold;
  }

  /** Lets no call in and no event out until `release`; what was queued before is written. */
  hold(): void {
    this.#isOnHold = true;
    this.#handler?.hold();
    this.outbox.hold(readInstant(this.#setup.clock));
  }

  release(): void {
    this.#isOnHold = false;
    this.outbox.release();
    this.#handler?.release();
  }

  /** Asks the peer for a result. @throws (rejects with) HubwardError when it cannot be asked, or does not answer */
  async invoke(target: string, args: readonly unknown[], options: InvokeOptions): Promise<unknown> {
    this.assertActive();
    const handler = this.#handler;
    if (handler === undefined) throw new HubwardError("handshake_required");
    return handler.invoke(target, args, options);
  }

  received(data: Uint8Array): void {
    const { phase } = this.#lifecycle;
    // A socket that is told to close, or was given up, may still hand on what it has read: it is not even decoded.
    if (phase !== "handshaking" && phase !== "active" && phase !== "lapsed") return;
    const instant = readInstant(this.#setup.clock);
    // A blocked loop reads before it runs its timers.
    if (phase === "lapsed" || isOver(this.lifetime, instant)) this.due(instant);
    if (this.#hasEnded) return;
    this.#lastReceivedAt = instant.monotonic;
    try {
      this.#handler?.received(data);
    } catch (error) {
      if (!(error instanceof HubwardError)) this.#setup.observer.failed(this, error);
      this.apply({ type: "violation", reason: error instanceof HubwardError ? error.reason : "unexpected_error" });
    }
  }

  override confirmed(): void {
    // A protocol with pings of its own asks its peers to ping, and a WebSocket that answers is not yet a client that does.
    if (this.#handler?.keepAlive === "confirmation") this.#lastReceivedAt = this.#setup.clock.monotonic();
    super.confirmed();
  }

  failed(): void {
    // One that was given up says nothing about the peer any more.
    if (this.#lifecycle.phase !== "detached") this.apply({ type: "violation", reason: "protocol_error" });
  }

  closed(wasClean = false): void {
    this.#resumption?.transportGone();
    this.apply({ type: this.#resumption !== undefined && !wasClean ? "transport-lost" : "socket-closed" });
  }

  protected override get hasStanding(): boolean {
    return !this.#hasEnded && this.#lifecycle.phase !== "lapsed";
  }

  protected override get handler(): ProtocolHandler | undefined {
    return this.#handler;
  }

  protected override replaced(before: Admission<P>): void {
    this.#setup.observer.replaced(this, before);
  }

  protected override rescheduled(): void {
    this.#setup.observer.rescheduled(this);
  }

  #run(effect: LifecycleEffect): void {
    switch (effect.do) {
      case "open":
        return this.#open();
      case "detach":
        return this.#detach();
      case "replay":
        this.sayAgain();
        return this.tellWarning();
      case "replace":
        return this.takeCandidate();
      case "suspend":
        this.#hasLostStanding = true;
        this.suspend(effect.reason);
        if (this.lapse === effect.reason) this.#setup.observer.lapsed(this, effect.reason);
        return;
      case "restore":
        this.#hasLostStanding = false;
        this.restore();
        if (this.isActive) this.#setup.observer.restored(this);
        return;
      case "close":
        return this.#close(effect.reason, effect.farewell);
      case "release":
        return this.#release(effect.reason);
    }
  }

  #open(): void {
    this.speakIn(this.#handler?.dialect);
    this.#setup.observer.opened(this);
    this.tellWarning();
  }

  #detach(): void {
    this.#resumption?.transportLost();
    this.loseTransport(this.#resumption?.isTransportOpen === true);
    this.#setup.observer.detached(this);
  }

  #goOn(socket: Socket, how: Return): SocketListener {
    this.#lastReceivedAt = this.#setup.clock.monotonic();
    this.carryOn(socket);
    this.#setup.observer.resumed(this, { ...how, replayed: this.unacknowledgedCount });
    this.apply({ type: "reattached" });
    return this;
  }

  #end(reason: ReasonName): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#setup.observer.ended(this);
    this.#handler?.ended(reason);
    this.loseStanding();
  }

  #close(reason: ReasonName, farewell: Farewell): void {
    this.#hasLostStanding ||= farewell === "discard" && reason !== "normal";
    this.#end(reason);
    // What waits behind a greeting is for a peer that was greeted.
    const isDiscarded = this.#isOnHold && farewell === "deliver";
    this.sayGoodbye(reason, isDiscarded ? "discard" : farewell, this.#handler);
  }

  #release(reason: ReasonName): void {
    this.#end(reason);
    this.fallSilent();
    this.#resumption?.transportGone();
    this.#setup.observer.released(this, reason);
  }
}
