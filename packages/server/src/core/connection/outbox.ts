/**
 * What one connection still has to write. Frames are queued shared, written once per turn of the event loop,
 * and held back while the peer does not keep up.
 *
 * The kernels on both ends swallow megabytes before a socket's own queue shows anything, so progress is
 * measured by confirmations (a WebSocket ping's pong), not by what write() says. Only while we do not read what the
 * peer sends, its confirmations among it, the kernel's word has to do.
 */

import type { Clock, Instant } from "../clock.js";
import type { GroupKey } from "../groups/group.js";
import type { Frame } from "../publication.js";
import { isOver, type Lifetime } from "./lifetime.js";
import type { ResolvedOutboxOptions } from "./outbox-options.js";
import type { Outgoing } from "./outgoing.js";
import type { Run } from "./run.js";
import type { Socket } from "./socket.js";

/** Bytes handed over in one write. */
const MAX_BATCH_BYTES = 64 * 1024;
/** Bytes that may be on their way without the peer's confirmation. */
const MAX_UNCONFIRMED_BYTES = 256 * 1024;
/** Written bytes wait at most this long for their confirmation to be asked for. */
const CONFIRM_AFTER_MS = 5_000;
/** A confirmation that takes longer says that the peer is not reading. */
const CONFIRMATION_OVERDUE_MS = 5_000;

/** Where outboxes with something to write are collected until the end of the turn. */
export interface FlushQueue {
  /** The run every outbox starts from in this turn. */
  readonly origin: Run;
  add(outbox: Outbox): void;
}

/**
 * Times are whole milliseconds of the monotonic clock: small integers stay inside the object, and with thousands of
 * members a fan-out spends its time on memory it has to fetch. For the same reason what every delivery needs
 * stands together, first.
 */
export class Outbox implements Outgoing {
  #isOpen = true;
  #isQueued = false;
  #growing: Run | undefined;
  #heldBytes = 0;
  #writtenBytes = 0;
  #confirmedBytes = 0;
  readonly #maxBytes: number;
  readonly #queue: FlushQueue;
  readonly #socket: Socket;
  /** Looked at before every write: the credential may have ended since the frames were queued. */
  #lifetime: Lifetime | undefined;
  /** Bytes written when the open confirmation request was made; -1 when none is open. */
  #requestedBytes = -1;
  #oldestUnconfirmedAt = 0;
  #lastWriteAt: number;
  /** Full batches in front of the growing one; only a peer that lags has any. */
  #sealed: Run[] | undefined;
  #isOnHold = false;
  #isDeaf = false;
  /** Who waits until there is room again. */
  #waiting: (() => void)[] | undefined;
  #requestedAt = 0;
  readonly #maxLagMs: number;
  readonly #onExpired: () => void;
  #awaiting: (() => void)[] | undefined;

  constructor(
    socket: Socket,
    queue: FlushQueue,
    limits: ResolvedOutboxOptions,
    lifetime: Lifetime | undefined,
    now: number,
    onExpired: () => void,
  ) {
    this.#socket = socket;
    this.#queue = queue;
    this.#maxBytes = limits.maxBytes;
    this.#maxLagMs = limits.maxLagMs;
    this.#lastWriteAt = Math.floor(now);
    this.#lifetime = lifetime;
    this.#onExpired = onExpired;
  }

  /** Queues one frame. False when the peer is too far behind to take it: a slow consumer. */
  push(frame: Frame): boolean {
    if (!this.#isOpen) return true;
    const length = frame.bytes.length;
    if (this.#heldBytes + this.#unconfirmedBytes + length > this.#maxBytes) return false;
    let growing = this.#growing ?? this.#queue.origin;
    if (growing.bytes !== 0 && growing.bytes + length > MAX_BATCH_BYTES) {
      (this.#sealed ??= []).push(growing);
      growing = this.#queue.origin;
    }
    this.#growing = growing.append(frame);
    this.#heldBytes += length;
    if (!this.#isQueued) {
      this.#isQueued = true;
      this.#queue.add(this);
    }
    return true;
  }

  /** Writes the next batch if the peer keeps up. Called by the flush queue, once per turn. */
  flush(instant: Instant): void {
    const now = Math.floor(instant.monotonic);
    this.#isQueued = false;
    if (!this.#isOpen || this.#heldBytes === 0 || this.#isOnHold) return;
    if (this.#lifetime !== undefined && isOver(this.#lifetime, instant)) return this.#onExpired();
    if (this.#socket.queuedBytes !== 0) return;
    if (this.#unconfirmedBytes >= MAX_UNCONFIRMED_BYTES) {
      if (!this.#isDeaf) return;
      this.#confirmedBytes = this.#writtenBytes;
    }
    const batch = this.#takeBatch();
    if (this.#unconfirmedBytes === 0) this.#oldestUnconfirmedAt = now;
    this.#heldBytes -= batch.bytes;
    this.#writtenBytes += batch.bytes;
    this.#lastWriteAt = now;
    this.#socket.write(batch.join(), this.#shouldAsk(now));
    if (this.#heldBytes !== 0) this.#flushLater();
    if (this.#waiting !== undefined && this.#heldBytes < MAX_BATCH_BYTES) this.#tellWaiting();
  }

  hold(instant: Instant): void {
    this.flush(instant);
    this.#isOnHold = true;
  }

  release(): void {
    this.#isOnHold = false;
    this.drained();
  }

  room(length: number, clock: Pick<Clock, "monotonic">): Promise<void> | undefined {
    const isRoomy = this.#heldBytes < MAX_BATCH_BYTES && this.pendingBytes + length <= this.#maxBytes;
    if (isRoomy || !this.#isOpen) return undefined;
    const room = new Promise<void>((resolve) => {
      (this.#waiting ??= []).push(resolve);
    });
    this.#askToConfirm(Math.floor(clock.monotonic()));
    return room;
  }

  /** The peer confirmed what was written when it was asked. */
  confirmed(now: number): void {
    if (this.#requestedBytes === -1) return;
    this.#confirmedBytes = Math.max(this.#confirmedBytes, this.#requestedBytes);
    this.#oldestUnconfirmedAt = this.#requestedAt;
    this.#requestedBytes = -1;
    this.#askToConfirm(Math.floor(now));
    this.drained();
    this.#tellWaiting();
  }

  /** Asks the peer to confirm everything written so far, unless it is asked already. */
  ask(now: number): void {
    if (this.#requestedBytes !== -1 || this.#unconfirmedBytes === 0) return;
    this.#requestedBytes = this.#writtenBytes;
    this.#requestedAt = Math.floor(now);
    this.#socket.requestConfirmation();
  }

  /** The socket took what it was given. */
  drained(): void {
    if (this.#awaiting !== undefined && this.#socket.queuedBytes === 0) this.#tellAwaiting();
    if (this.#heldBytes !== 0) this.#flushLater();
    if (!this.#isDeaf || this.#waiting === undefined || this.#socket.queuedBytes !== 0) return;
    this.#confirmedBytes = this.#writtenBytes;
    this.#tellWaiting();
  }

  /** Once a second: asks for a confirmation that is due. False when the peer lags too far: a slow consumer. */
  beat(now: number): boolean {
    // The socket may have been busy with bytes that are not ours (a pong): nobody says when those have left.
    this.drained();
    // What even the kernel has not taken for so long nobody reads, whether we hear the peer or not. A polling peer
    // that does not come is the transport's own business.
    const isStuck = this.#socket.queuedBytes !== 0 && this.#socket.isPolled !== true;
    if (isStuck && now - this.#lastWriteAt > this.#maxLagMs) return false;
    if (this.#unconfirmedBytes === 0) return true;
    this.#askToConfirm(Math.floor(now));
    return this.#isDeaf || now - this.#oldestUnconfirmedAt <= this.#maxLagMs;
  }

  deafen(): void {
    this.#isDeaf = true;
    this.drained();
  }

  hear(now: number): void {
    this.#isDeaf = false;
    this.#oldestUnconfirmedAt = Math.floor(now);
    this.#requestedAt = this.#oldestUnconfirmedAt;
  }

  /**
   * Writes a frame that is not worth queueing (a keep-alive) if nothing was written for a while and nothing is
   * in the way. Such bytes are not confirmed: a silent peer is found by its own silence.
   */
  keepAlive(frame: Uint8Array, now: number, intervalMs: number): void {
    if (!this.#isOpen || (this.#heldBytes !== 0 && !this.#isOnHold) || this.#socket.queuedBytes !== 0) return;
    if (now - this.#lastWriteAt < intervalMs) return;
    this.#lastWriteAt = Math.floor(now);
    this.#socket.write(frame);
  }

  /** Takes one group's frames out of everything not handed over yet. Returns how many. */
  evict(group: GroupKey): number {
    if (this.#heldBytes === 0) return 0;
    const evicted = [...(this.#sealed ?? []), this.#growing].reduce((sum, run) => sum + (run?.countOf(group) ?? 0), 0);
    if (evicted === 0) return 0;
    this.#sealed = this.#sealed?.map((run) => run.without(group)).filter((run) => run.bytes !== 0);
    this.#growing = this.#growing?.without(group);
    this.#heldBytes = (this.#sealed ?? []).reduce((sum, run) => sum + run.bytes, this.#growing?.bytes ?? 0);
    this.#tellWaiting();
    return evicted;
  }

  takeBack(): readonly Frame[] {
    const runs = this.#heldRuns();
    this.#sealed = undefined;
    this.#growing = undefined;
    this.#heldBytes = 0;
    this.#tellWaiting();
    return runs.flatMap((run) => run.frames());
  }

  renew(lifetime: Lifetime | undefined): void {
    this.#lifetime = lifetime;
  }

  /**
   * Resolves when what was handed to the socket has left this process, or never will. Undefined where nothing is on
   * its way. A peer that does not read is ended by its lag, so nobody waits longer than that.
   */
  handedOver(): Promise<void> | undefined {
    if (!this.#isOpen || this.#socket.queuedBytes === 0) return undefined;
    return new Promise((resolve) => void (this.#awaiting ??= []).push(resolve));
  }

  /** Drops everything not handed over yet and takes no more. Returns how many bytes that were. */
  discard(): number {
    const dropped = this.#heldBytes;
    this.#isOpen = false;
    this.#sealed = undefined;
    this.#growing = undefined;
    this.#heldBytes = 0;
    this.#tellWaiting();
    this.#tellAwaiting();
    return dropped;
  }

  /** Takes no more and returns what is held, for the last write of an orderly close. */
  drain(): Uint8Array {
    const runs = this.#heldRuns();
    const last = new Uint8Array(this.#heldBytes);
    let offset = 0;
    for (const run of runs) {
      last.set(run.join(), offset);
      offset += run.bytes;
    }
    this.discard();
    return last;
  }

  /** Whether the peer seems to read: nothing is stuck in the socket and no confirmation is overdue. */
  isAnswering(now: number): boolean {
    // What a polling peer has not come for yet is held here, not in a kernel: nothing is stuck.
    if (this.#socket.isPolled === true) return true;
    if (this.#socket.isStuck ?? this.#socket.queuedBytes !== 0) return false;
    return this.#requestedBytes === -1 || now - this.#requestedAt < CONFIRMATION_OVERDUE_MS;
  }

  /** Bytes held, handed over or unconfirmed at most. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Bytes held, handed over or unconfirmed. */
  get pendingBytes(): number {
    return this.#heldBytes + this.#unconfirmedBytes;
  }

  /** Bytes written that the peer confirmed. */
  get confirmedBytes(): number {
    return this.#confirmedBytes;
  }

  get #unconfirmedBytes(): number {
    return this.#writtenBytes - this.#confirmedBytes;
  }

  #heldRuns(): readonly Run[] {
    return [...(this.#sealed ?? []), ...(this.#growing === undefined ? [] : [this.#growing])];
  }

  #takeBatch(): Run {
    const sealed = this.#sealed?.shift();
    if (sealed !== undefined) return sealed;
    const growing = this.#growing as Run;
    this.#growing = undefined;
    return growing;
  }

  #askToConfirm(now: number): void {
    if (this.#shouldAsk(now)) this.#socket.requestConfirmation();
  }

  /** Whether a confirmation is due; it counts as asked for from then on. */
  #shouldAsk(now: number): boolean {
    if (this.#requestedBytes !== -1) return false;
    const unconfirmed = this.#unconfirmedBytes;
    const isDue =
      unconfirmed >= MAX_BATCH_BYTES ||
      this.#waiting !== undefined ||
      now - this.#oldestUnconfirmedAt >= CONFIRM_AFTER_MS;
    if (unconfirmed === 0 || !isDue) return false;
    this.#requestedBytes = this.#writtenBytes;
    this.#requestedAt = now;
    return true;
  }

  #tellWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const resolve of waiting ?? []) resolve();
  }

  #tellAwaiting(): void {
    const awaiting = this.#awaiting;
    this.#awaiting = undefined;
    for (const tell of awaiting ?? []) tell();
  }

  #flushLater(): void {
    if (this.#isQueued || !this.#isOpen || this.#isOnHold) return;
    this.#isQueued = true;
    this.#queue.add(this);
  }
}
