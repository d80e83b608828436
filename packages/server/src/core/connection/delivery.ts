/** The side of a connection that is spoken to: takes what is said, has it written, and holds the peer's pace. */

import { formatReason, reasons, type ReasonName } from "@hubward/wire";
import { readInstant, type Clock, type Instant } from "../clock.js";
import type { Dialect, Frame, Publication } from "../publication.js";
import type { Farewell, LifecycleEvent } from "./lifecycle.js";
import { isOver, type Lifetime } from "./lifetime.js";
import { Outbox, type FlushQueue } from "./outbox.js";
import type { ResolvedOutboxOptions } from "./outbox-options.js";
import type { Socket } from "./socket.js";

export interface DeliverySetup {
  readonly socket: Socket;
  readonly clock: Clock;
  readonly flushQueue: FlushQueue;
  readonly outboxLimits: ResolvedOutboxOptions;
}

/** A base, not a part: a fan-out then finds everything it needs of a member in one object. */
export abstract class Delivery {
  #isActive = false;
  #dialect: Dialect | undefined;
  readonly #outbox: Outbox;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #lifetime: Lifetime;
  #isPaused = false;

  protected constructor(
    { socket, clock, flushQueue, outboxLimits }: DeliverySetup,
    lifetime: Lifetime,
    { monotonic }: Instant,
  ) {
    this.#socket = socket;
    this.#clock = clock;
    this.#lifetime = lifetime;
    const expire = (): void => this.apply({ type: "expiry-due" });
    this.#outbox = new Outbox(socket, flushQueue, outboxLimits, lifetime, monotonic, expire);
  }

  /** Counts principals: changes when the principal is replaced. */
  abstract get version(): number;

  abstract apply(event: LifecycleEvent): void;

  get outbox(): Outbox {
    return this.#outbox;
  }

  /** Until when the credential holds. */
  get lifetime(): Lifetime {
    return this.#lifetime;
  }

  get dialect(): Dialect | undefined {
    return this.#dialect;
  }

  get isActive(): boolean {
    return this.#isActive;
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
    else if (!this.#outbox.push(frame)) this.apply({ type: "lagging" });
  }

  /** Bytes of one frame at most. A larger one is the sender's mistake, not the peer's. */
  get maxFrameBytes(): number {
    return this.#outbox.maxBytes;
  }

  /** Queues a frame meant for this peer alone, or shared. */
  send(frame: Frame): void {
    if (!this.#isActive) return;
    if (!this.#outbox.push(frame)) this.apply({ type: "lagging" });
  }

  /** Holds a peer back that sends faster than its calls are handled. */
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#outbox.forgive(this.#clock.monotonic());
    this.#socket.resume();
  }

  confirmed(): void {
    this.#outbox.confirmed(this.#clock.monotonic());
  }

  drained(): void {
    this.#outbox.drained();
  }

  /** What the lifecycle says, where every delivery can see it. */
  protected setActive(isActive: boolean): void {
    this.#isActive = isActive;
  }

  protected speakIn(dialect: Dialect | undefined): void {
    this.#dialect = dialect;
  }

  /** Once a second. False when the peer lags too far. */
  protected keepPace(now: number, keepAlive: Uint8Array | undefined, keepAliveMs: number): boolean {
    const keepsUp = this.#outbox.beat(now);
    // While we hold the peer back we do not hear its confirmations either: that is no lag of its own.
    if (!keepsUp && !this.#isPaused) return false;
    if (keepAlive !== undefined) this.#outbox.keepAlive(keepAlive, now, keepAliveMs);
    return true;
  }

  /** Says why and closes. `words`: the protocol's last ones; undefined where it has none. */
  protected sayGoodbye(reason: ReasonName, farewell: Farewell, words: (() => Uint8Array) | undefined): void {
    const outbox = this.#outbox;
    const instant = readInstant(this.#clock);
    const isAnswering = farewell !== "reset" && outbox.isAnswering(instant.monotonic);
    // Whatever the reason: what was queued is not for someone whose credential has ended meanwhile.
    const mayDeliver = farewell === "deliver" && isAnswering && !isOver(this.#lifetime, instant);
    const held = mayDeliver ? outbox.drain() : undefined;
    outbox.discard();
    // A peer that does not read would still be handed what its kernel already has: only a reset takes it back.
    if (!isAnswering || words === undefined) return this.#socket.reset();
    const last = held === undefined ? words() : concat(held, words());
    this.#socket.close(last, reasons[reason].closeCode ?? 1011, formatReason(reason));
  }

  /** Nothing is said any more: the socket is gone. */
  protected fallSilent(): void {
    this.#outbox.discard();
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
