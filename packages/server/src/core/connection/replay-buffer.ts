/**
 * What was said to one peer and is not known to have arrived: shared frames by their number, and behind them those
 * that wait for their turn. Numbers begin at 1 and follow the order of sending; one that waits has none yet.
 *
 * @see HubProtocol.md, Ack and Sequence
 */

import type { GroupKey } from "../groups/group.js";
import type { Dropped, Frame } from "../publication.js";
import { Backlog } from "./backlog.js";

/** Freed places at the front that are worth moving the rest for. */
const MIN_FREED_PLACES = 64;

export class ReplayBuffer {
  readonly #maxBytes: number;
  /** Sent, from `#first` on. */
  #frames: (Frame | undefined)[] = [];
  #first = 0;
  readonly #waiting = new Backlog();
  #firstId = 1;
  #sentBytes = 0;
  /** Numbers up to here were told to the peer on a transport before this one. */
  #replayedThrough = 0;
  /** Frames up to here hold something the peer may not see again. */
  #barredThrough = 0;

  /** @param maxBytes bytes kept of what was sent; a single frame may be larger */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The number of the first frame that is sent again, or else of the next one sent. */
  get sequenceId(): number {
    return this.#firstId;
  }

  /** The number of the last frame that the transport before this one may have carried. */
  get replayedThrough(): number {
    return this.#replayedThrough;
  }

  get sentCount(): number {
    return this.#frames.length - this.#first;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  get waitingBytes(): number {
    return this.#waiting.bytes;
  }

  /** Bytes of frames that wait and make way for nothing. */
  get firmWaitingBytes(): number {
    return this.#waiting.firmBytes;
  }

  /** Frames that waited, were dropped, and were not told; undefined where none were. */
  get dropped(): Dropped | undefined {
    return this.#waiting.dropped;
  }

  takeDropped(): Dropped | undefined {
    return this.#waiting.takeDropped();
  }

  /** Whether what would be sent again holds what the peer may no longer see. */
  get isBarred(): boolean {
    return this.#barredThrough >= this.#firstId;
  }

  /** Adds a frame that waits. False, and nothing has changed, where no room can be made for it within `maxBytes`. */
  add(frame: Frame, maxBytes?: number): boolean {
    return this.#waiting.push(frame, maxBytes);
  }

  /** Whether a frame that waits may be sent. */
  get hasNext(): boolean {
    const frame = this.#waiting.first;
    return frame !== undefined && this.#hasRoomFor(frame);
  }

  /** The next frame that may be sent: it is numbered and kept. Undefined when none waits, or none has room. */
  next(): Frame | undefined {
    if (!this.hasNext) return undefined;
    const frame = this.#waiting.shift() as Frame;
    this.#number(frame);
    return frame;
  }

  /** Numbers and keeps a frame in front of all that wait. False where it has no room. */
  send(frame: Frame): boolean {
    if (!this.#hasRoomFor(frame)) return false;
    this.#number(frame);
    return true;
  }

  /** The peer has everything up to this number. Numbers that were never given free what was. */
  acknowledge(sequenceId: number): void {
    const count = Math.min(sequenceId - this.#firstId + 1, this.sentCount);
    for (let freed = 0; freed < count; freed++) {
      this.#sentBytes -= this.#frames[this.#first]?.bytes.length ?? 0;
      this.#frames[this.#first] = undefined;
      this.#first++;
      this.#firstId++;
    }
    if (this.#first < MIN_FREED_PLACES || this.#first * 2 < this.#frames.length) return;
    this.#frames.splice(0, this.#first);
    this.#first = 0;
  }

  /** Everything sent and not acknowledged, oldest first, to be sent again from `sequenceId` on. */
  replay(): readonly Frame[] {
    this.#replayedThrough = this.#firstId + this.sentCount - 1;
    return this.#frames.slice(this.#first) as Frame[];
  }

  /** Frames that wait, oldest first. */
  waiting(): readonly Frame[] {
    return this.#waiting.frames();
  }

  /**
   * Forgets one group's frames: those that wait, and the newest `unwritten` of those sent, which were taken back
   * before the peer could count them. What it may have seen stays, and bars a replay until it is acknowledged. `waited`:
   * how many of them waited. Not intact when one taken back had its number already: the peer would count wrong from now
   * on.
   */
  evict(group: GroupKey, unwritten: number): { readonly waited: number; readonly isIntact: boolean } {
    const kept: (Frame | undefined)[] = [];
    let toTakeBack = unwritten;
    let isIntact = true;
    for (let index = this.#frames.length - 1; index >= this.#first; index--) {
      const frame = this.#frames[index] as Frame;
      const sequenceId = this.#firstId + index - this.#first;
      if (frame.group !== group) {
        kept.push(frame);
      } else if (toTakeBack > 0) {
        toTakeBack--;
        this.#sentBytes -= frame.bytes.length;
        if (sequenceId <= this.#replayedThrough) isIntact = false;
      } else {
        this.#barredThrough = Math.max(this.#barredThrough, sequenceId);
        kept.push(frame);
      }
    }
    this.#frames = kept.reverse();
    this.#first = 0;
    // One that was acknowledged while it waited to be sent again is missing in the count, too.
    return { waited: this.#waiting.evict(group), isIntact: isIntact && toTakeBack === 0 };
  }

  /**
   * Forgets what waits, and what was sent and is among `unwritten`, the newest of what was to be written: as if it had
   * never been said. What the peer may have seen bars a replay until it is acknowledged. `frames`: what was forgotten,
   * in order. Not intact when one had been told its number already, or was acknowledged before it was written: the peer
   * would count wrong from now on.
   */
  takeBack(unwritten: readonly Frame[]): { readonly frames: readonly Frame[]; readonly isIntact: boolean } {
    const frames = [...unwritten, ...this.#waiting.takeAll()];
    const count = Math.min(unwritten.length, this.sentCount);
    for (const frame of this.#frames.splice(this.#frames.length - count)) this.#sentBytes -= frame?.bytes.length ?? 0;
    const lastId = this.#firstId + this.sentCount - 1;
    if (this.sentCount > 0) this.#barredThrough = Math.max(this.#barredThrough, lastId);
    const isIntact = count === unwritten.length && (count === 0 || lastId >= this.#replayedThrough);
    return { frames, isIntact };
  }

  clear(): void {
    this.#frames = [];
    this.#first = 0;
    this.#sentBytes = 0;
    this.#waiting.clear();
  }

  #hasRoomFor({ bytes }: Frame): boolean {
    return this.sentCount === 0 || this.#sentBytes + bytes.length <= this.#maxBytes;
  }

  #number(frame: Frame): void {
    this.#frames.push(frame);
    this.#sentBytes += frame.bytes.length;
  }
}
