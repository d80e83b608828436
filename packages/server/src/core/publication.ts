/** One thing said to many: an event with its arguments, rendered at most once per dialect. */

import type { GroupKey, GroupPlace } from "./groups/group.js";
import type { WhenSlow } from "./groups/when-slow.js";
import { joinKey } from "./ids.js";

/** A way of saying things on the wire: a protocol in one encoding over one transport. Compared by reference. */
export interface Dialect {
  /** Encoding's name for logs: `json`, `messagepack`. */
  readonly name: string;
  /**
   * Renders an event completely, transport framing included. Undefined where there is nothing to say in this dialect.
   * @param place the group it was said in, if it was said in one
   * @throws TypeError when a value has no form
   */
  renderEvent(event: string, args: readonly unknown[], place?: GroupPlace): Uint8Array | undefined;
}

/** Rendered bytes that many connections share, and the group they were said in, so that an eviction finds them. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly group: GroupKey | undefined;
  /** How it makes way for newer ones where its peer does not keep up. Undefined: not at all. */
  readonly yields?: Yielding | undefined;
  /** Of a frame that says what was dropped: that, so that it is not lost with the frame. */
  readonly gap?: Dropped | undefined;
  /** The first word of a protocol: nothing may come before it, whatever becomes of the credential meanwhile. */
  readonly isGreeting?: true | undefined;
}

/** How many frames were dropped, by the group they were said in, if any. */
export type Dropped = ReadonlyMap<GroupKey | undefined, number>;

/**
 * `drop`: it is dropped, the oldest such first. A key: a newer frame with the same one takes its place, for it says the
 * same thing anew; of one event in one group.
 */
export type Yielding = "drop" | { readonly key: string };

export class Publication {
  readonly event: string;
  readonly args: readonly unknown[];
  readonly group: GroupKey | undefined;
  readonly #place: GroupPlace | undefined;
  #yielding: Yielding | undefined;
  #isYieldingKnown = false;
  #dialect: Dialect | undefined;
  #frame: Frame | undefined;
  #others: Map<Dialect, Frame | undefined> | undefined;
  #failure: unknown;

  /** @param place the group, with its rule for peers that do not keep up */
  constructor(event: string, args: readonly unknown[], group: GroupKey | undefined, place?: GroupPlace) {
    this.event = event;
    this.args = args;
    this.group = group;
    this.#place = place;
  }

  /**
   * The frame for one dialect; the same object for every connection that speaks it. Undefined when the arguments
   * have no form in it: which encodings are in use is the peers' choice, and must not fail what others are told.
   */
  frameFor(dialect: Dialect): Frame | undefined {
    if (dialect === this.#dialect) return this.#frame;
    if (this.#others?.has(dialect) === true) return this.#others.get(dialect);
    const frame = this.#render(dialect);
    if (this.#dialect === undefined) {
      this.#dialect = dialect;
      this.#frame = frame;
    } else {
      (this.#others ??= new Map()).set(dialect, frame);
    }
    return frame;
  }

  /** Why somebody could not be told, or undefined; the first reason. */
  get failure(): unknown {
    return this.#failure;
  }

  fail(error: unknown): void {
    this.#failure ??= error;
  }

  #render(dialect: Dialect): Frame | undefined {
    try {
      const bytes = dialect.renderEvent(this.event, this.args, this.#place);
      if (bytes === undefined) return undefined;
      const { group } = this;
      const whenSlow = this.#place?.template.whenSlow;
      if (whenSlow === undefined || whenSlow === "close") return { bytes, group };
      return { bytes, group, yields: this.#yields(whenSlow) };
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }

  /** Asked once for all dialects. Where there is no answer the event is told all the same. */
  #yields(rule: Exclude<WhenSlow, "close">): Yielding | undefined {
    if (rule === "drop-oldest") return "drop";
    if (this.#isYieldingKnown) return this.#yielding;
    this.#isYieldingKnown = true;
    try {
      const key: unknown = rule.latest(this.event, this.args);
      // What is promised comes too late; that it fails as well must not end the process.
      if (key instanceof Promise) key.catch(() => undefined);
      if (typeof key === "string" || typeof key === "number")
        this.#yielding = { key: joinKey([this.group, this.event, String(key)]) };
      else if (key !== undefined) throw new TypeError("whenSlow: latest gives a string, a number or undefined");
    } catch (error) {
      this.fail(error);
    }
    return this.#yielding;
  }
}
