/**
 * The outbox of a connection that may outlive its transport: keeps what was sent until it is acknowledged, holds the
 * rest back while too much is not, and sends again over the next transport. One {@link Outbox} per transport.
 */

import type { Clock, Instant } from "../clock.js";
import type { GroupKey } from "../groups/group.js";
import type { Dropped, Frame } from "../publication.js";
import type { EndingEvent } from "./lifecycle.js";
import type { Lifetime } from "./lifetime.js";
import type { Outbox } from "./outbox.js";
import type { KeepAlive, Outgoing } from "./outgoing.js";
import { ReplayBuffer } from "./replay-buffer.js";

export interface ReplayLimits {
  /** Bytes that wait before the peer counts as a slow consumer; also of one frame at most. */
  readonly maxBytes: number;
  /** Bytes sent and not acknowledged before others wait. */
  readonly maxReplayBytes: number;
}

/** Whose outbox it is. */
export interface ReplayOutboxOwner {
  /** The peer lags too far, or would count wrong. */
  apply(event: EndingEvent): void;
  /** What tells the peer of events it will not get; undefined where it is not told. Changes nothing. */
  gapNotice(dropped: Dropped): Frame | undefined;
}

export class ReplayOutbox implements Outgoing {
  readonly maxBytes: number;
  readonly #buffer: ReplayBuffer;
  readonly #owner: ReplayOutboxOwner;
  /** Undefined while there is no transport. */
  #outbox: Outbox | undefined;
  #isOpen = true;
  #isOnHold = false;
  #isDeaf = false;
  /** Who waits until nothing waits for an acknowledgement any more. */
  #waiting: (() => void)[] = [];
  /** Bytes this transport begins with: the opening and what is sent again. */
  #replayBytes = 0;
  /** An acknowledgement that may be older than the replay. */
  #earlyId = 0;
  /** What has no number, while it is written. */
  readonly #controls = new WeakSet<Frame>();

  constructor({ maxBytes, maxReplayBytes }: ReplayLimits, owner: ReplayOutboxOwner) {
    this.maxBytes = maxBytes;
    this.#buffer = new ReplayBuffer(maxReplayBytes);
    this.#owner = owner;
  }

  /** The number of the first frame that a new transport would carry. */
  get sequenceId(): number {
    return this.#buffer.sequenceId;
  }

  /** Frames sent and not acknowledged. */
  get unacknowledgedCount(): number {
    return this.#buffer.sentCount;
  }

  /** Whether the peer may be sent again what it has not acknowledged. */
  get mayReplay(): boolean {
    return !this.#buffer.isBarred;
  }

  /** Bytes kept: sent and not acknowledged, or waiting. */
  get keptBytes(): number {
    return this.#buffer.sentBytes + this.#buffer.waitingBytes;
  }

  /** Writes through this outbox from now on: `opening` as it stands, then what is unacknowledged, then the rest. */
  attach(outbox: Outbox, opening: Uint8Array, instant: Instant): boolean {
    this.#outbox = outbox;
    if (this.#isOnHold) outbox.hold(instant);
    if (this.#isDeaf) outbox.deafen();
    this.#earlyId = 0;
    if (!this.control(opening)) return false;
    this.#replayBytes = opening.length + this.#buffer.sentBytes;
    for (const frame of this.#buffer.replay()) if (!outbox.push(frame)) return false;
    return this.#advance();
  }

  /** The transport is gone; what it had not written yet is sent again with the rest. */
  detach(): void {
    this.#outbox?.discard();
    this.#outbox = undefined;
  }

  push(frame: Frame): boolean {
    if (!this.#isOpen) return true;
    // One that was sent has a number, and stays; what waits for its turn may make way.
    const isFirst = this.#outbox !== undefined && this.#buffer.waitingBytes === 0;
    if (isFirst && frame.bytes.length <= this.maxBytes && this.#buffer.send(frame)) return this.#write(frame);
    return this.#buffer.add(frame, this.maxBytes) && this.#advance();
  }

  hold(instant: Instant): void {
    this.#isOnHold = true;
    this.#outbox?.hold(instant);
  }

  release(): void {
    this.#isOnHold = false;
    this.#outbox?.release();
  }

  room(length: number, clock: Pick<Clock, "monotonic">): Promise<void> | undefined {
    if (!this.#isOpen) return undefined;
    if (this.#outbox !== undefined && this.#buffer.firmWaitingBytes === 0) return this.#outbox.room(length, clock);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Queues what is not numbered. Nothing while there is no transport to say it over. */
  control(bytes: Uint8Array): boolean {
    const frame: Frame = { bytes, group: undefined };
    this.#controls.add(frame);
    return this.#outbox?.push(frame) ?? true;
  }

  /**
   * The peer has everything up to this number. False when what could go now did not: a slow consumer.
   *
   * Stock clients compare the next Sequence with where they are in a replay, not with what they have. So as long as a
   * replay may still be on its way, what it holds is kept: its acknowledgement may be one that was due before the cut.
   */
  acknowledge(sequenceId: number, now: number): boolean {
    if (sequenceId <= this.#buffer.replayedThrough && this.#isReplaying()) {
      this.#earlyId = Math.max(this.#earlyId, sequenceId);
      this.#outbox?.ask(now);
      return true;
    }
    this.#buffer.acknowledge(sequenceId);
    return this.#advance();
  }

  evict(group: GroupKey): number {
    const unwritten = this.#outbox?.evict(group) ?? 0;
    const { waited, isIntact } = this.#buffer.evict(group, unwritten);
    if (!isIntact) this.#owner.apply({ type: "aborted", reason: "not_found" });
    // What it made room for may have nothing else to wait for.
    else if (!this.#advance()) this.#owner.apply({ type: "lagging" });
    return unwritten + waited;
  }

  takeBack(): readonly Frame[] | undefined {
    const numbered: Frame[] = [];
    const others: Frame[] = [];
    for (const frame of this.#outbox?.takeBack() ?? [])
      (this.#controls.has(frame) || frame.isGreeting === true ? others : numbered).push(frame);
    const { frames, isIntact } = this.#buffer.takeBack(numbered);
    // What says which number comes next, or acknowledges, is no part of the count.
    for (const frame of others) this.#outbox?.push(frame);
    this.#tellWaiting();
    return isIntact ? frames : undefined;
  }

  takeDropped(): Dropped | undefined {
    return this.#buffer.takeDropped();
  }

  renew(lifetime: Lifetime | undefined): void {
    this.#outbox?.renew(lifetime);
  }

  handedOver(): Promise<void> | undefined {
    return this.#outbox?.handedOver();
  }

  discard(): void {
    this.#isOpen = false;
    this.#outbox?.discard();
    this.#buffer.clear();
    this.#tellWaiting();
  }

  drain(): Uint8Array {
    const held = this.#outbox?.drain() ?? new Uint8Array(0);
    const waiting = this.#buffer.waiting();
    const all = new Uint8Array(waiting.reduce((sum, { bytes }) => sum + bytes.length, held.length));
    all.set(held);
    let offset = held.length;
    for (const { bytes } of waiting) {
      all.set(bytes, offset);
      offset += bytes.length;
    }
    this.discard();
    return all;
  }

  confirmed(now: number): void {
    this.#outbox?.confirmed(now);
    if (this.#earlyId === 0) return;
    if (this.#isReplaying()) return this.#outbox?.ask(now);
    this.#buffer.acknowledge(this.#earlyId);
    this.#earlyId = 0;
    if (!this.#advance()) this.#owner.apply({ type: "lagging" });
  }

  drained(): void {
    this.#outbox?.drained();
  }

  beat(now: number): boolean {
    if (this.#earlyId !== 0) this.#outbox?.ask(now);
    return this.#outbox?.beat(now) ?? true;
  }

  deafen(): void {
    this.#isDeaf = true;
    this.#outbox?.deafen();
  }

  hear(now: number): void {
    this.#isDeaf = false;
    this.#outbox?.hear(now);
  }

  keepAlive(keepAlive: KeepAlive, now: number, intervalMs: number): void {
    this.#outbox?.keepAlive(keepAlive, now, intervalMs);
  }

  isAnswering(now: number): boolean {
    return this.#outbox?.isAnswering(now) ?? false;
  }

  #isReplaying(): boolean {
    return this.#outbox !== undefined && this.#outbox.confirmedBytes < this.#replayBytes;
  }

  #advance(): boolean {
    if (this.#outbox === undefined) return true;
    const { dropped, hasNext, waitingBytes } = this.#buffer;
    if (dropped !== undefined && (hasNext || waitingBytes === 0) && !this.#tellGap(dropped)) return false;
    for (let frame = this.#buffer.next(); frame !== undefined; frame = this.#buffer.next()) {
      if (!this.#write(frame)) return false;
    }
    if (this.#buffer.firmWaitingBytes === 0) this.#tellWaiting();
    return true;
  }

  /** Tells what is missing where it is missing; later where that has no room beside what is sent. */
  #tellGap(dropped: Dropped): boolean {
    const notice = this.#owner.gapNotice(dropped);
    const isSent = notice !== undefined && this.#buffer.send(notice);
    if (notice === undefined || isSent) this.#buffer.takeDropped();
    return !isSent || this.#write(notice);
  }

  #write(frame: Frame): boolean {
    return this.#outbox?.push(frame) ?? true;
  }

  #tellWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
