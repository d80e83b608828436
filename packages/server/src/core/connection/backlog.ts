/**
 * Frames that wait, in order, for a peer that does not keep up. Newer ones take the place of older ones, or make them
 * drop out, where their group says so. Everything but `evict` costs the same however many wait.
 */

import type { GroupKey } from "../groups/group.js";
import type { Dropped, Frame } from "../publication.js";

/** A frame in the line, linked to its neighbours. */
interface Place {
  readonly frame: Frame;
  previous: Place | undefined;
  next: Place | undefined;
  /** Of droppable frames: the next younger one. They leave in the order in which they came. */
  nextDroppable: Place | undefined;
}

export class Backlog {
  #first: Place | undefined;
  #last: Place | undefined;
  #firstDroppable: Place | undefined;
  #lastDroppable: Place | undefined;
  #newest = new Map<string, Place>();
  #size = 0;
  #bytes = 0;
  #droppableBytes = 0;
  #firmBytes = 0;
  #dropped: Map<GroupKey | undefined, number> | undefined;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of frames that may be dropped. */
  get droppableBytes(): number {
    return this.#droppableBytes;
  }

  /** Bytes of frames that make way for nothing. */
  get firmBytes(): number {
    return this.#firmBytes;
  }

  /** What was dropped and not told yet; undefined where nothing was. */
  get dropped(): Dropped | undefined {
    return this.#dropped;
  }

  /** The frame that leaves next. */
  get first(): Frame | undefined {
    return this.#first?.frame;
  }

  /** Adds a frame. False, and nothing has changed, where no room can be made for it within `maxBytes`. */
  push(frame: Frame, maxBytes: number = Infinity): boolean {
    const { yields } = frame;
    const { length } = frame.bytes;
    const older = this.#olderOf(frame);
    const needed = this.#bytes - (older?.frame.bytes.length ?? 0) + length;
    if (needed - this.#droppableBytes > maxBytes) return false;
    if (older !== undefined) this.#remove(older);
    while (this.#bytes + length > maxBytes) this.dropOldest();
    const place: Place = { frame, previous: this.#last, next: undefined, nextDroppable: undefined };
    if (this.#last === undefined) this.#first = place;
    else this.#last.next = place;
    this.#last = place;
    this.#size++;
    this.#bytes += length;
    if (yields === undefined) this.#firmBytes += length;
    else if (yields !== "drop") this.#newest.set(yields.key, place);
    else this.#addDroppable(place);
    return true;
  }

  /**
   * Adds a frame whatever it takes: what may be dropped makes room first, and then the oldest. One that is larger than
   * `maxBytes` stays alone.
   */
  pushAnyway(frame: Frame, maxBytes: number): void {
    const older = this.#olderOf(frame);
    if (older !== undefined) this.#remove(older);
    while (this.#first !== undefined && this.#bytes + frame.bytes.length > maxBytes)
      this.#drop(this.#firstDroppable ?? this.#first);
    this.push(frame);
  }

  /** Drops the oldest frame that may be. False where there is none. */
  dropOldest(): boolean {
    if (this.#firstDroppable === undefined) return false;
    this.#drop(this.#firstDroppable);
    return true;
  }

  /** Takes the frame that leaves next. */
  shift(): Frame | undefined {
    const place = this.#first;
    if (place === undefined) return undefined;
    this.#remove(place);
    return place.frame;
  }

  /** Takes at least one frame, and as many as `maxBytes` hold. */
  take(maxBytes: number): readonly Frame[] {
    const taken: Frame[] = [];
    let bytes = 0;
    for (let frame = this.first; frame !== undefined; frame = this.first) {
      bytes += frame.bytes.length;
      if (taken.length > 0 && bytes > maxBytes) break;
      taken.push(frame);
      this.shift();
    }
    return taken;
  }

  /** Forgets one group's frames, and that any were dropped. Returns how many there were. */
  evict(group: GroupKey): number {
    const frames = this.frames();
    const kept = frames.filter((frame) => frame.group !== group);
    this.#dropped?.delete(group);
    if (this.#dropped?.size === 0) this.#dropped = undefined;
    if (kept.length !== frames.length) this.#replaceAll(kept);
    return frames.length - kept.length;
  }

  /** Takes everything, in order. */
  takeAll(): readonly Frame[] {
    const frames = this.frames();
    this.#replaceAll([]);
    return frames;
  }

  frames(): readonly Frame[] {
    const frames: Frame[] = [];
    for (let place = this.#first; place !== undefined; place = place.next) frames.push(place.frame);
    return frames;
  }

  /** Counts what was dropped elsewhere. */
  addDropped(dropped: Dropped | undefined): void {
    for (const [group, count] of dropped ?? []) this.#count(group, count);
  }

  /** What was dropped since this was last asked; undefined where nothing was. */
  takeDropped(): Dropped | undefined {
    const dropped = this.#dropped;
    this.#dropped = undefined;
    return dropped;
  }

  clear(): void {
    this.#replaceAll([]);
    this.#dropped = undefined;
  }

  #drop(place: Place): void {
    const { group, gap } = place.frame;
    this.#remove(place);
    if (gap === undefined) this.#count(group, 1);
    else this.addDropped(gap);
  }

  #count(group: GroupKey | undefined, count: number): void {
    this.#dropped ??= new Map();
    this.#dropped.set(group, (this.#dropped.get(group) ?? 0) + count);
  }

  /** Takes one out: the first, the oldest droppable, or the newest with its key. */
  #remove(place: Place): void {
    const { frame, previous, next } = place;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    this.#size--;
    this.#bytes -= frame.bytes.length;
    if (frame.yields === undefined) {
      this.#firmBytes -= frame.bytes.length;
    } else if (frame.yields !== "drop") {
      this.#newest.delete(frame.yields.key);
    } else {
      this.#firstDroppable = place.nextDroppable;
      if (this.#firstDroppable === undefined) this.#lastDroppable = undefined;
      this.#droppableBytes -= frame.bytes.length;
    }
  }

  #addDroppable(place: Place): void {
    if (this.#lastDroppable === undefined) this.#firstDroppable = place;
    else this.#lastDroppable.nextDroppable = place;
    this.#lastDroppable = place;
    this.#droppableBytes += place.frame.bytes.length;
  }

  /** The one that says the same thing as this one, before it. */
  #olderOf({ yields }: Frame): Place | undefined {
    return yields === undefined || yields === "drop" ? undefined : this.#newest.get(yields.key);
  }

  #replaceAll(frames: readonly Frame[]): void {
    this.#first = undefined;
    this.#last = undefined;
    this.#firstDroppable = undefined;
    this.#lastDroppable = undefined;
    this.#newest = new Map();
    this.#size = 0;
    this.#bytes = 0;
    this.#droppableBytes = 0;
    this.#firmBytes = 0;
    for (const frame of frames) this.push(frame);
  }
}
