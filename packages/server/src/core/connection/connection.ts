/**
 * One accepted socket with the principal that acts through it. Runs the lifecycle's effects; decides nothing
 * itself. Both protocols share it: what is said in a protocol's own words comes from its handler.
 */

import { formatReason, HubwardError, reasons, type ReasonName } from "@hubward/wire";
import type { Authentication } from "../auth/authentication.js";
import type { Admission } from "../auth/policy.js";
import { readInstant, type Clock, type Instant } from "../clock.js";
import type { GroupKey } from "../groups/group.js";
import { identityKey, type ConnectionId, type IdentityKey } from "../ids.js";
import type { Dialect, Frame, Publication } from "../publication.js";
import { initialLifecycle, step, type Farewell, type Lifecycle, type LifecycleEvent } from "./lifecycle.js";
import { isOver, lifetimeUntil, remainingMs, type Lifetime } from "./lifetime.js";
import { Outbox, type FlushQueue } from "./outbox.js";
import type { ResolvedOutboxOptions } from "./outbox-options.js";
import type { Socket, SocketListener } from "./socket.js";

/** How one connection speaks: its protocol's side of it. */
export interface ProtocolHandler {
  /** Known once the protocol's handshake is done. */
  readonly dialect: Dialect | undefined;
  /** Bytes from the peer, while the connection may still be heard. @throws HubwardError on a violation. */
  received(data: Uint8Array): void;
  /** Whether a call is being handled; the peer's silence does not count meanwhile. */
  readonly isBusy: boolean;
  /** The frame that keeps an idle connection alive, or undefined before the handshake. */
  readonly keepAlive: Uint8Array | undefined;
  /** The protocol's last words, transport framing included. */
  farewell(reason: ReasonName): Uint8Array;
  /** Keeps calls back until `release`. */
  hold(): void;
  release(): void;
  /** Asks the peer for a result. @throws (rejects with) HubwardError | ClientError */
  invoke(target: string, args: readonly unknown[], options: InvokeOptions): Promise<unknown>;
  /** Standing is lost: abort what runs, answer nothing more. */
  ended(reason: ReasonName): void;
}

export interface InvokeOptions {
  /** How long the peer may take. Milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What a connection reports to whoever keeps it. */
export interface ConnectionObserver<P> {
  opened(connection: Connection<P>): void;
  /** Standing is lost. Comes before the peer is told, once. */
  ended(connection: Connection<P>): void;
  /** The socket is gone. Comes last, once. */
  released(connection: Connection<P>, reason: ReasonName): void;
  failed(connection: Connection<P>, error: unknown): void;
}

export interface ConnectionTimes {
  readonly handshakeTimeoutMs: number;
  readonly clientTimeoutMs: number;
  readonly keepAliveMs: number;
}

export interface ConnectionSetup<P> {
  readonly id: ConnectionId;
  readonly hub: string;
  readonly admission: Admission<P>;
  readonly remoteAddress: string | undefined;
  readonly socket: Socket;
  readonly clock: Clock;
  readonly times: ConnectionTimes;
  readonly flushQueue: FlushQueue;
  readonly outboxLimits: ResolvedOutboxOptions;
  readonly observer: ConnectionObserver<P>;
}

export class Connection<P> implements SocketListener {
  readonly id: ConnectionId;
  /** Path of the hub it is connected to. */
  readonly hub: string;
  readonly identity: IdentityKey;
  readonly remoteAddress: string | undefined;
  readonly outbox: Outbox;
  readonly #admission: Admission<P>;
  readonly #lifetime: Lifetime;
  readonly #socket: Socket;
  readonly #setup: Pick<ConnectionSetup<P>, "clock" | "times" | "observer">;
  readonly #openedAt: number;
  #memberships: Set<GroupKey> | undefined;
  #handler: ProtocolHandler | undefined;
  #lifecycle: Lifecycle = initialLifecycle;
  /** What the lifecycle says, where every delivery can see it. */
  #isActive = false;
  #dialect: Dialect | undefined;
  #standing = 0;
  #lastReceivedAt: number;
  #hasEnded = false;
  #hasLostStanding = false;
  #aborter: AbortController | undefined;

  constructor(setup: ConnectionSetup<P>) {
    const instant = readInstant(setup.clock);
    this.id = setup.id;
    this.hub = setup.hub;
    this.identity = identityKey(setup.admission.authentication);
    this.remoteAddress = setup.remoteAddress;
    this.#admission = setup.admission;
    this.#lifetime = lifetimeUntil(setup.admission.authentication.expiresAt, instant);
    this.#socket = setup.socket;
    this.#setup = setup;
    this.#openedAt = instant.monotonic;
    this.#lastReceivedAt = instant.monotonic;
    const expire = (): void => this.apply({ type: "expiry-due" });
    const { socket, flushQueue, outboxLimits } = setup;
    this.outbox = new Outbox(socket, flushQueue, outboxLimits, this.#lifetime, instant.monotonic, expire);
  }

  /** Gives the connection its protocol. Once, before the socket's first byte. */
  speak(handler: ProtocolHandler): void {
    if (this.#handler !== undefined) throw new TypeError("connection: has a protocol already");
    this.#handler = handler;
  }

  /** The principal as it is now, with the credential it was made from. */
  get admission(): Admission<P> {
    return this.#admission;
  }

  get authentication(): Authentication {
    return this.#admission.authentication;
  }

  get tenant(): string | undefined {
    return this.#admission.authentication.tenant;
  }

  /** Counts principals: changes when the principal is replaced. */
  get version(): number {
    return 1;
  }

  /** Counts losses of standing: what began under another number must not take effect. */
  get standing(): number {
    return this.#standing;
  }

  /** The groups it is in; kept by `Groups`. */
  get memberships(): Set<GroupKey> {
    return (this.#memberships ??= new Set());
  }

  get lifetime(): Lifetime {
    return this.#lifetime;
  }

  get dialect(): Dialect | undefined {
    return this.#dialect;
  }

  get isActive(): boolean {
    return this.#isActive;
  }

  /** Milliseconds the credential still has. */
  get remainingMs(): number {
    return remainingMs(this.#lifetime, readInstant(this.#setup.clock));
  }

  /** Aborts when standing is lost. */
  get signal(): AbortSignal {
    this.#aborter ??= new AbortController();
    if (this.#hasEnded) this.#aborter.abort();
    return this.#aborter.signal;
  }

  ageMs(now: number): number {
    return now - this.#openedAt;
  }

  /** Why nothing may be done through this connection now, or undefined when it may. Asks both clocks. */
  refusal(): HubwardError | undefined {
    if (isOver(this.#lifetime, readInstant(this.#setup.clock))) {
      this.#hasLostStanding = true;
      this.apply({ type: "expiry-due" });
    }
    const state = this.#lifecycle;
    if (state.phase === "active") return undefined;
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
    if (refusal === undefined || (this.#hasEnded && !this.#hasLostStanding)) return;
    throw refusal;
  }

  /** Queues an event for the peer. A frame in a group passes only with a membership judged for this principal. */
  deliver(publication: Publication, judgedVersion: number | undefined): void {
    const dialect = this.#dialect;
    if (!this.#isActive || dialect === undefined) return;
    if (judgedVersion !== undefined && judgedVersion !== this.version) return;
    const frame = publication.frameFor(dialect);
    if (frame === undefined) return;
    if (frame.bytes.length > this.maxFrameBytes)
      publication.fail(new RangeError("an event larger than outbox.maxBytes"));
    else if (!this.outbox.push(frame)) this.apply({ type: "lagging" });
  }

  /** Bytes of one frame at most. A larger one is the sender's mistake, not the peer's. */
  get maxFrameBytes(): number {
    return this.outbox.maxBytes;
  }

  /** Queues a frame meant for this peer alone, or shared. */
  send(frame: Frame): void {
    if (!this.#isActive) return;
    if (!this.outbox.push(frame)) this.apply({ type: "lagging" });
  }

  /** News about this connection: the only way its standing changes. */
  apply(event: LifecycleEvent): void {
    const { next, effects } = step(this.#lifecycle, event);
    this.#lifecycle = next;
    this.#isActive = next.phase === "active";
    for (const effect of effects) {
      if (effect.do === "open") this.#open();
      else if (effect.do === "close") this.#close(effect.reason, effect.farewell);
      else this.#release(effect.reason);
    }
  }

  /** Once a second: what is overdue? */
  beat(instant: Instant): void {
    const { times } = this.#setup;
    const now = instant.monotonic;
    const { phase } = this.#lifecycle;
    if (phase !== "handshaking" && phase !== "active") return;
    if (isOver(this.#lifetime, instant)) return this.apply({ type: "expiry-due" });
    if (phase === "handshaking") {
      if (now - this.#openedAt >= times.handshakeTimeoutMs) this.apply({ type: "handshake-overdue" });
      return;
    }
    const handler = this.#handler;
    if (handler?.isBusy === true) this.#lastReceivedAt = now;
    else if (now - this.#lastReceivedAt >= times.clientTimeoutMs) return this.apply({ type: "heartbeat-overdue" });
    if (!this.outbox.beat(now)) return this.apply({ type: "lagging" });
    const keepAlive = handler?.keepAlive;
    if (keepAlive !== undefined) this.outbox.keepAlive(keepAlive, now, times.keepAliveMs);
  }

  /** Something of our own went wrong while serving it. */
  fail(error: unknown): void {
    this.#setup.observer.failed(this, error);
    this.apply({ type: "violation", reason: "unexpected_error" });
  }

  /** Lets no call in and no event out until `release`; what was queued before is written. */
  hold(): void {
    this.#handler?.hold();
    this.outbox.hold(readInstant(this.#setup.clock));
  }

  release(): void {
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

  /** Holds a peer back that sends faster than its calls are handled. */
  pause(): void {
    this.#socket.pause();
    this.outbox.deafen();
  }

  resume(): void {
    this.outbox.hear(this.#setup.clock.monotonic());
    this.#socket.resume();
  }

  received(data: Uint8Array): void {
    const { phase } = this.#lifecycle;
    // A socket that is told to close may still hand on what it has read: it is not even decoded.
    if (phase !== "handshaking" && phase !== "active") return;
    const instant = readInstant(this.#setup.clock);
    // A blocked loop reads before it runs its timers.
    if (isOver(this.#lifetime, instant)) return this.apply({ type: "expiry-due" });
    this.#lastReceivedAt = instant.monotonic;
    try {
      this.#handler?.received(data);
    } catch (error) {
      if (!(error instanceof HubwardError)) this.#setup.observer.failed(this, error);
      this.apply({ type: "violation", reason: error instanceof HubwardError ? error.reason : "unexpected_error" });
    }
  }

  confirmed(): void {
    this.outbox.confirmed(this.#setup.clock.monotonic());
  }

  drained(): void {
    this.outbox.drained();
  }

  failed(): void {
    this.apply({ type: "violation", reason: "protocol_error" });
  }

  closed(): void {
    this.apply({ type: "socket-closed" });
  }

  #open(): void {
    this.#dialect = this.#handler?.dialect;
    this.#setup.observer.opened(this);
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#standing++;
    this.#setup.observer.ended(this);
    const state = this.#lifecycle;
    this.#handler?.ended("reason" in state ? state.reason : "normal");
    this.#aborter?.abort();
  }

  #close(reason: ReasonName, farewell: Farewell): void {
    this.#hasLostStanding = farewell === "discard" && reason !== "normal";
    this.#end();
    const instant = readInstant(this.#setup.clock);
    const isAnswering = farewell !== "reset" && this.outbox.isAnswering(instant.monotonic);
    // Whatever the reason: what was queued is not for someone whose credential has ended meanwhile.
    const mayDeliver = farewell === "deliver" && isAnswering && !isOver(this.#lifetime, instant);
    const held = mayDeliver ? this.outbox.drain() : undefined;
    this.outbox.discard();
    // A peer that does not read would still be handed what its kernel already has: only a reset takes it back.
    if (!isAnswering || this.#handler === undefined) return this.#socket.reset();
    const words = this.#handler.farewell(reason);
    const closeCode = reasons[reason].closeCode ?? 1011;
    this.#socket.close(held === undefined ? words : concat(held, words), closeCode, formatReason(reason));
  }

  #release(reason: ReasonName): void {
    this.#end();
    this.outbox.discard();
    this.#setup.observer.released(this, reason);
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
