/**
 * What was said to one peer and is not known to have arrived: shared frames by their number, and behind them those
 * that wait for their turn. Numbers begin at 1 and follow the order of sending; one that waits has none yet.
 *
 * @see HubProtocol.md, Ack and Sequence
 */

import type { GroupKey } from "../groups/group.js";
import type { Frame } from "../publication.js";

/** Freed places at the front that are worth moving the rest for. */
const MIN_FREED_PLACES = 64;

export class ReplayBuffer {
  readonly #maxBytes: number;
  /** From `#first` to `#waiting`: sent. From there on: waiting. */
  #frames: (Frame | undefined)[] = [];
  #first = 0;
  #waiting = 0;
  #firstId = 1;
  #sentBytes = 0;
  #waitingBytes = 0;
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
    return this.#waiting - this.#first;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Whether what would be sent again holds what the peer may no longer see. */
  get isBarred(): boolean {
    return this.#barredThrough >= this.#firstId;
  }

  /** Adds a frame that waits. */
  add(frame: Frame): void {
    this.#frames.push(frame);
    this.#waitingBytes += frame.bytes.length;
  }

  /** The next frame that may be sent: it is numbered and kept. Undefined when none waits, or none has room. */
  next(): Frame | undefined {
    const frame = this.#frames[this.#waiting];
    if (frame === undefined) return undefined;
    const { length } = frame.bytes;
    if (this.sentCount > 0 && this.#sentBytes + length > this.#maxBytes) return undefined;
    this.#waiting++;
    this.#waitingBytes -= length;
    this.#sentBytes += length;
    return frame;
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
    this.#waiting -= this.#first;
    this.#first = 0;
  }

  /** Everything sent and not acknowledged, oldest first, to be sent again from `sequenceId` on. */
  replay(): readonly Frame[] {
    this.#replayedThrough = this.#firstId + this.sentCount - 1;
    return this.#frames.slice(this.#first, this.#waiting) as Frame[];
  }

  /** Frames that wait, oldest first. */
  waiting(): readonly Frame[] {
    return this.#frames.slice(this.#waiting) as Frame[];
  }

  /**
   * Forgets one group's frames: those that wait, and the newest `unwritten` of those sent, which were taken back
   * before the peer could count them. What it may have seen stays, and bars a replay until it is acknowledged.
   * False when one taken back had its number already: the peer would count wrong from now on.
   */
  evict(group: GroupKey, unwritten: number): boolean {
    const kept: (Frame | undefined)[] = [];
    let toTakeBack = unwritten;
    let takenBack = 0;
    let isIntact = true;
    for (let index = this.#frames.length - 1; index >= this.#first; index--) {
      const frame = this.#frames[index] as Frame;
      const sequenceId = this.#firstId + index - this.#first;
      if (frame.group !== group) {
        kept.push(frame);
      } else if (index >= this.#waiting) {
        this.#waitingBytes -= frame.bytes.length;
      } else if (toTakeBack > 0) {
        toTakeBack--;
        takenBack++;
        this.#sentBytes -= frame.bytes.length;
        if (sequenceId <= this.#replayedThrough) isIntact = false;
      } else {
        this.#barredThrough = Math.max(this.#barredThrough, sequenceId);
        kept.push(frame);
      }
    }
    this.#frames = kept.reverse();
    this.#waiting -= this.#first + takenBack;
    this.#first = 0;
    // One that was acknowledged while it waited to be sent again is missing in the count, too.
    return isIntact && toTakeBack === 0;
  }

  /**
   * Forgets what waits, and what was sent and is among `unwritten`, the newest of what was to be written: as if it had
   * never been said. What the peer may have seen bars a replay until it is acknowledged. `frames`: what was forgotten,
   * in order. Not intact when one had been told its number already, or was acknowledged before it was written: the peer
   * would count wrong from now on.
   */
  takeBack(unwritten: readonly Frame[]): { readonly frames: readonly Frame[]; readonly isIntact: boolean } {
    const frames = [...unwritten, ...this.waiting()];
    const count = Math.min(unwritten.length, this.sentCount);
    this.#waiting -= count;
    for (const frame of this.#frames.slice(this.#waiting, this.#waiting + count))
      this.#sentBytes -= frame?.bytes.length ?? 0;
    this.#frames.length = this.#waiting;
    this.#waitingBytes = 0;
    const lastId = this.#firstId + this.sentCount - 1;
    if (this.sentCount > 0) this.#barredThrough = Math.max(this.#barredThrough, lastId);
    const isIntact = count === unwritten.length && (count === 0 || lastId >= this.#replayedThrough);
    return { frames, isIntact };
  }

  clear(): void {
    this.#frames = [];
    this.#first = 0;
    this.#waiting = 0;
    this.#sentBytes = 0;
    this.#waitingBytes = 0;
  }
}
