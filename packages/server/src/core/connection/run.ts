/**
 * What a connection has to write, as a path through a tree of shared frames: connections that were told the
 * same things stand on the same node, and the node's bytes are joined once for all of them.
 */

import type { GroupKey } from "../groups/group.js";
import type { Frame } from "../publication.js";

export class Run {
  readonly bytes: number;
  /** Whether a frame in it may make way for newer ones. */
  readonly mayYield: boolean;
  readonly #parent: Run | undefined;
  readonly #frame: Frame | undefined;
  /** The last continuation asked for; nearly always the one the next connection asks for, too. */
  #next: Run | undefined;
  #joined: Uint8Array | undefined;

  private constructor(parent: Run | undefined, frame: Frame | undefined) {
    this.#parent = parent;
    this.#frame = frame;
    this.bytes = (parent?.bytes ?? 0) + (frame?.bytes.length ?? 0);
    this.mayYield = parent?.mayYield === true || frame?.yields !== undefined;
  }

  /** An empty run. Connections share a run's continuations only when they start from the same one. */
  static empty(): Run {
    return new Run(undefined, undefined);
  }

  /** These frames, shared with nobody. */
  static of(frames: readonly Frame[]): Run {
    return frames.reduce<Run>((run, frame) => run.append(frame), Run.empty());
  }

  append(frame: Frame): Run {
    const next = this.#next;
    if (next !== undefined && next.#frame === frame) return next;
    return (this.#next = new Run(this, frame));
  }

  /** Everything in one piece, in order. The same piece for everyone on this node: never change it. */
  join(): Uint8Array {
    if (this.#joined !== undefined) return this.#joined;
    if (this.#parent?.bytes === 0 && this.#frame !== undefined) return (this.#joined = this.#frame.bytes);
    const joined = new Uint8Array(this.bytes);
    let end = this.bytes;
    for (const frame of this.#newestFirst()) {
      end -= frame.bytes.length;
      joined.set(frame.bytes, end);
    }
    return (this.#joined = joined);
  }

  /** Every frame in it, in order. */
  frames(): readonly Frame[] {
    return this.#newestFirst().toReversed();
  }

  /** Frames of one group in it. */
  countOf(group: GroupKey): number {
    let count = 0;
    for (const frame of this.#newestFirst()) if (frame.group === group) count++;
    return count;
  }

  /** The same run without one group's frames, or this one when it holds none. */
  without(group: GroupKey): Run {
    const kept: Frame[] = [];
    let found = false;
    for (const frame of this.#newestFirst()) {
      if (frame.group === group) found = true;
      else kept.push(frame);
    }
    if (!found) return this;
    return Run.of(kept.toReversed());
  }

  #newestFirst(): Frame[] {
    const frames: Frame[] = this.#frame === undefined ? [] : [this.#frame];
    for (let node = this.#parent; node !== undefined; node = node.#parent) {
      if (node.#frame !== undefined) frames.push(node.#frame);
    }
    return frames;
  }
}
