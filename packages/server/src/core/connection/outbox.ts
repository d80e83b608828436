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
import type { Dropped, Frame } from "../publication.js";
import { Backlog } from "./backlog.js";
import { isOver, type Lifetime } from "./lifetime.js";
import type { ResolvedOutboxOptions } from "./outbox-options.js";
import type { KeepAlive, Outgoing } from "./outgoing.js";
import { Run } from "./run.js";
import type { Socket } from "./socket.js";

/** Bytes handed over in one write. */
const MAX_BATCH_BYTES = 64 * 1024;
/** Bytes that may be on their way without the peer's confirmation. */
const MAX_UNCONFIRMED_BYTES = 256 * 1024;
/** Written bytes wait at most this long for their confirmation to be asked for. */
const CONFIRM_AFTER_MS = 5_000;
/** A confirmation that takes longer says that the peer is not reading. */
const CONFIRMATION_OVERDUE_MS = 5_000;

/** The limit while every push has to find its place in the backlog. */
const NO_ROOM = -1;

/** Whose outbox it is. */
export interface OutboxOwner {
  /** The credential has ended: nothing was written. */
  expired(): void;
  /** What tells the peer of events it will not get; undefined where it is not told. Changes nothing. */
  gapNotice(dropped: Dropped): Frame | undefined;
}

export interface OutboxLimits extends ResolvedOutboxOptions {
  /** Whether each frame is written, whatever its group says: the peer counts them. Default false. */
  readonly keepsAll?: boolean | undefined;
}

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
  /** `#maxBytes`, or `NO_ROOM` while there is a backlog: one comparison finds either. */
  #limit: number;
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
  /** Everything held, while the peer lags and some of it may make way for newer frames. */
  #backlog: Backlog | undefined;
  #isOnHold = false;
  #isDeaf = false;
  /** Who waits until there is room again. */
  #waiting: (() => void)[] | undefined;
  #requestedAt = 0;
  readonly #maxBytes: number;
  readonly #maxLagMs: number;
  readonly #keepsAll: boolean;
  readonly #owner: OutboxOwner;
  #awaiting: (() => void)[] | undefined;

  constructor(
    socket: Socket,
    queue: FlushQueue,
    limits: OutboxLimits,
    lifetime: Lifetime | undefined,
    now: number,
    owner: OutboxOwner,
  ) {
    this.#socket = socket;
    this.#queue = queue;
    this.#limit = limits.maxBytes;
    this.#maxBytes = limits.maxBytes;
    this.#keepsAll = limits.keepsAll === true;
    this.#maxLagMs = limits.maxLagMs;
    this.#lastWriteAt = Math.floor(now);
    this.#lifetime = lifetime;
    this.#owner = owner;
  }

  /** Queues one frame. False when the peer is too far behind to take it: a slow consumer. */
  push(frame: Frame): boolean {
    if (!this.#isOpen) return true;
    const length = frame.bytes.length;
    if (this.#heldBytes + this.#writtenBytes - this.#confirmedBytes + length > this.#limit)
      return this.#pushBehind(frame);
    let growing = this.#growing ?? this.#queue.origin;
    if (growing.bytes !== 0 && growing.bytes + length > MAX_BATCH_BYTES) {
      if (growing.mayYield && this.#isBehind()) return this.#pushBehind(frame);
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
    if (!this.#isOpen || (this.#heldBytes === 0 && this.#backlog === undefined) || this.#isOnHold) return;
    if (this.#lifetime !== undefined && isOver(this.#lifetime, instant)) return this.#owner.expired();
    if (this.#socket.queuedBytes !== 0) return;
    if (this.unconfirmedBytes >= MAX_UNCONFIRMED_BYTES) {
      if (!this.#isDeaf) return;
      this.#confirmedBytes = this.#writtenBytes;
    }
    const batch = this.#takeBatch();
    if (batch.bytes === 0) return;
    if (this.unconfirmedBytes === 0) this.#oldestUnconfirmedAt = now;
    this.#writtenBytes += batch.bytes;
    this.#lastWriteAt = now;
    this.#socket.write(batch.join(), this.#shouldAsk(now));
    if (this.#heldBytes !== 0) this.#flushLater();
    if (this.#waiting === undefined) return;
    if ((this.#backlog?.firmBytes ?? this.#heldBytes) < MAX_BATCH_BYTES) this.#tellWaiting();
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
    // What makes way for others does not keep them waiting: a peer that stays behind is answered all the same.
    const firmBytes = this.#backlog?.firmBytes ?? this.#heldBytes;
    const yieldedBytes = this.#backlog?.droppableBytes ?? 0;
    const isRoomy = firmBytes < MAX_BATCH_BYTES && this.pendingBytes - yieldedBytes + length <= this.#maxBytes;
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
    if (this.#requestedBytes !== -1 || this.unconfirmedBytes === 0) return;
    this.#requestedBytes = this.#writtenBytes;
    this.#requestedAt = Math.floor(now);
    this.#socket.requestConfirmation();
  }

  /** The socket took what it was given. */
  drained(): void {
    if (this.#awaiting !== undefined && this.#socket.queuedBytes === 0) this.#tellAwaiting();
    if (this.#heldBytes !== 0 || this.#backlog !== undefined) this.#flushLater();
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
    if (this.unconfirmedBytes === 0) return true;
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
   * Writes a frame that is not worth queueing if nothing was written for a while and nothing is in the way, or asks for
   * a confirmation in its place. The frame's bytes are not confirmed: a silent peer is found by its own silence.
   */
  keepAlive(keepAlive: KeepAlive, now: number, intervalMs: number): void {
    if (!this.#isOpen || (this.#heldBytes !== 0 && !this.#isOnHold) || this.#socket.queuedBytes !== 0) return;
    if (now - this.#lastWriteAt < intervalMs) return;
    if (keepAlive === "confirmation" && this.#requestedBytes !== -1) return;
    this.#lastWriteAt = Math.floor(now);
    if (keepAlive !== "confirmation") return this.#socket.write(keepAlive);
    this.#requestedBytes = this.#writtenBytes;
    this.#requestedAt = this.#lastWriteAt;
    this.#socket.requestConfirmation();
  }

  /** Takes one group's frames out of everything not handed over yet. Returns how many. */
  evict(group: GroupKey): number {
    if (this.#backlog !== undefined) {
      const count = this.#backlog.evict(group);
      this.#settle(this.#backlog);
      if (count > 0) this.#tellWaiting();
      return count;
    }
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
    const frames = this.#heldRuns().flatMap((run) => run.frames());
    this.#forgetHeld();
    this.#tellWaiting();
    return frames;
  }

  takeDropped(): Dropped | undefined {
    const dropped = this.#backlog?.takeDropped();
    if (this.#backlog !== undefined) this.#settle(this.#backlog);
    return dropped;
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
    this.#backlog?.clear();
    this.#forgetHeld();
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
    return this.#heldBytes + this.unconfirmedBytes;
  }

  /** Bytes written that the peer has not confirmed. Not private: V8 asks its runtime for every private accessor. */
  get unconfirmedBytes(): number {
    return this.#writtenBytes - this.#confirmedBytes;
  }

  /** Bytes written that the peer confirmed. */
  get confirmedBytes(): number {
    return this.#confirmedBytes;
  }

  /** Whether what is held waits for the peer, and not only for the end of the turn. */
  #isBehind(): boolean {
    if (this.#keepsAll) return false;
    return this.#isOnHold || this.unconfirmedBytes >= MAX_UNCONFIRMED_BYTES || this.#socket.queuedBytes !== 0;
  }

  /** Finds room among what the peer has not come for. False where there is none: a slow consumer. */
  #pushBehind(frame: Frame): boolean {
    const backlog = this.#backlog ?? this.#fallBehind();
    if (backlog === undefined || !backlog.push(frame, this.#maxBytes - this.unconfirmedBytes)) return false;
    this.#heldBytes = backlog.bytes;
    this.#flushLater();
    return true;
  }

  /** Undefined where nothing that is held may make way. */
  #fallBehind(): Backlog | undefined {
    const runs = this.#heldRuns();
    if (this.#keepsAll || !runs.some((run) => run.mayYield)) return undefined;
    const backlog = new Backlog();
    for (const run of runs) for (const frame of run.frames()) backlog.push(frame);
    this.#forgetHeld();
    this.#backlog = backlog;
    this.#limit = NO_ROOM;
    this.#heldBytes = backlog.bytes;
    return backlog;
  }

  /** A backlog lasts until it is empty and nothing of it is left to be told. */
  #settle(backlog: Backlog): void {
    this.#heldBytes = backlog.bytes;
    if (backlog.size > 0 || backlog.dropped !== undefined) return;
    this.#backlog = undefined;
    this.#limit = this.#maxBytes;
  }

  /** What was dropped is still told. */
  #forgetHeld(): void {
    this.#sealed = undefined;
    this.#growing = undefined;
    this.#heldBytes = 0;
    if (this.#backlog === undefined) return;
    this.#backlog.takeAll();
    this.#settle(this.#backlog);
  }

  #heldRuns(): readonly Run[] {
    if (this.#backlog !== undefined) return [Run.of(this.#backlog.frames())];
    return [...(this.#sealed ?? []), ...(this.#growing === undefined ? [] : [this.#growing])];
  }

  #takeBatch(): Run {
    if (this.#backlog !== undefined) return this.#takeFromBacklog(this.#backlog);
    const sealed = this.#sealed?.shift();
    const batch = sealed ?? (this.#growing as Run);
    if (sealed === undefined) this.#growing = undefined;
    this.#heldBytes -= batch.bytes;
    return batch;
  }

  /** What is missing is told where it is missing: in front of what was kept. Empty where even that has no room yet. */
  #takeFromBacklog(backlog: Backlog): Run {
    const notice = this.#gapNotice(backlog);
    const noticeBytes = notice?.bytes.length ?? 0;
    const isTold = this.pendingBytes + noticeBytes <= this.#maxBytes;
    if (isTold || noticeBytes > this.#maxBytes) backlog.takeDropped();
    const frames = backlog.take(MAX_BATCH_BYTES);
    this.#settle(backlog);
    return Run.of(isTold && notice !== undefined ? [notice, ...frames] : frames);
  }

  /** What was dropped in words; more is, where they would have no room else. */
  #gapNotice(backlog: Backlog): Frame | undefined {
    for (;;) {
      const notice = backlog.dropped && this.#owner.gapNotice(backlog.dropped);
      this.#heldBytes = backlog.bytes;
      if (notice === undefined || this.pendingBytes + notice.bytes.length <= this.#maxBytes) return notice;
      if (!backlog.dropOldest()) return notice;
    }
  }

  #askToConfirm(now: number): void {
    if (this.#shouldAsk(now)) this.#socket.requestConfirmation();
  }

  /** Whether a confirmation is due; it counts as asked for from then on. */
  #shouldAsk(now: number): boolean {
    if (this.#requestedBytes !== -1) return false;
    const unconfirmed = this.unconfirmedBytes;
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
