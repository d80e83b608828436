/**
 * Makes a flood of refusals a line a second: the first is told at once, those within the next second are counted and
 * told with the one after, or at the end. Needs no timer.
 */

/** Milliseconds. */
const TELL_EVERY_MS = 1000;

export class RefusalTally {
  #toldAt = -Infinity;
  #untold = 0;

  /** One more. How many to tell of now, this one included; 0: none yet. */
  add(now: number): number {
    this.#untold++;
    return now - this.#toldAt < TELL_EVERY_MS ? 0 : this.#tell(now);
  }

  /** How many were never told of, when there will be no more. */
  end(now: number): number {
    return this.#tell(now);
  }

  #tell(now: number): number {
    const count = this.#untold;
    this.#untold = 0;
    this.#toldAt = now;
    return count;
  }
}
