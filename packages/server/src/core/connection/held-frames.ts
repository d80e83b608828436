/**
 * What may not be said to a peer now and perhaps later: frames for a connection that lapsed, and those of a group whose
 * rule is being asked again. Bounded; the oldest make room.
 */

import type { GroupKey } from "../groups/group.js";
import type { Frame } from "../publication.js";

/** What becomes of a held frame of this group, or of none. */
export type HeldVerdict = "say" | "wait" | "drop";

export class HeldFrames {
  readonly #maxBytes: number;
  #frames: Frame[] = [];
  #bytes = 0;
  #dropped = 0;

  /** @param maxBytes bytes held at most; one frame may be larger */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#frames.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Frames that had to make room since this was last asked. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  push(frame: Frame): void {
    this.#frames.push(frame);
    this.#bytes += frame.bytes.length;
    let surplus = 0;
    while (this.#bytes > this.#maxBytes && surplus < this.#frames.length - 1) {
      this.#bytes -= (this.#frames[surplus] as Frame).bytes.length;
      surplus++;
    }
    if (surplus === 0) return;
    this.#frames.splice(0, surplus);
    this.#dropped += surplus;
  }

  /** Takes out what may be said, in the order it came, and forgets what may not. */
  take(judge: (group: GroupKey | undefined) => HeldVerdict): readonly Frame[] {
    const said: Frame[] = [];
    const kept: Frame[] = [];
    for (const frame of this.#frames) {
      const verdict = judge(frame.group);
      if (verdict === "say") said.push(frame);
      else if (verdict === "wait") kept.push(frame);
    }
    this.#frames = kept;
    this.#bytes = kept.reduce((sum, { bytes }) => sum + bytes.length, 0);
    return said;
  }

  /** Forgets one group's frames. */
  evict(group: GroupKey): void {
    this.take((each) => (each === group ? "drop" : "wait"));
  }

  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
    this.#dropped = 0;
  }
}
