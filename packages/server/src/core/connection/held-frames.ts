/**
 * What may not be said to a peer now and perhaps later: frames for a connection that lapsed, and those of a group whose
 * rule is being asked again. Bounded: what its group lets go makes room first, and then the oldest.
 */

import type { GroupKey } from "../groups/group.js";
import type { Dropped, Frame } from "../publication.js";
import { Backlog } from "./backlog.js";

/** What becomes of a held frame of this group, or of none. */
export type HeldVerdict = "say" | "wait" | "drop";

export class HeldFrames {
  readonly #maxBytes: number;
  readonly #backlog = new Backlog();

  /** @param maxBytes bytes held at most; one frame may be larger */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#backlog.size;
  }

  get bytes(): number {
    return this.#backlog.bytes;
  }

  /** What had to make room since this was last asked; undefined where nothing had to. */
  takeDropped(): Dropped | undefined {
    return this.#backlog.takeDropped();
  }

  /** Counts what had to make room before it came to be held. */
  addDropped(dropped: Dropped): void {
    this.#backlog.addDropped(dropped);
  }

  push(frame: Frame): void {
    this.#backlog.pushAnyway(frame, this.#maxBytes);
  }

  /** Takes out what may be said, in the order it came, and forgets what may not. */
  take(judge: (group: GroupKey | undefined) => HeldVerdict): readonly Frame[] {
    const said: Frame[] = [];
    for (const frame of this.#backlog.takeAll()) {
      const verdict = judge(frame.group);
      if (verdict === "say") said.push(frame);
      else if (verdict === "wait") this.#backlog.push(frame);
    }
    return said;
  }

  /** Forgets one group's frames, and that any had to make room. Returns how many there were. */
  evict(group: GroupKey): number {
    return this.#backlog.evict(group);
  }

  clear(): void {
    this.#backlog.clear();
  }
}
