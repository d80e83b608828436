/** One connection's calls: in order, so many at a time as allowed, and the peer held back when it sends faster. */

import type { InvocationMessage, StreamInvocationMessage } from "@hubward/wire";

export type AnyInvocation = InvocationMessage | StreamInvocationMessage;

/** Runs one call to its end. Undefined when it ended at once. Never throws, never rejects. */
export type RunInvocation = (message: AnyInvocation) => Promise<void> | undefined;

/** Calls that wait before the peer is held back; what one read already brought is still taken. */
const MAX_WAITING = 16;

export interface Backpressure {
  pause(): void;
  resume(): void;
}

export class Invocations {
  readonly #maxParallel: number;
  readonly #run: RunInvocation;
  readonly #peer: Backpressure;
  #waiting: AnyInvocation[] | undefined;
  #running = 0;
  #isPaused = false;

  constructor(maxParallel: number, run: RunInvocation, peer: Backpressure) {
    this.#maxParallel = maxParallel;
    this.#run = run;
    this.#peer = peer;
  }

  get isBusy(): boolean {
    return this.#running > 0;
  }

  add(message: AnyInvocation): void {
    if (this.#running < this.#maxParallel) return this.#start(message);
    const waiting = (this.#waiting ??= []);
    if (waiting.push(message) < MAX_WAITING || this.#isPaused) return;
    this.#isPaused = true;
    this.#peer.pause();
  }

  /** Forgets what waits; what runs is told by its signal. */
  clear(): void {
    this.#waiting = undefined;
  }

  #start(message: AnyInvocation): void {
    const ending = this.#run(message);
    if (ending === undefined) return;
    this.#running++;
    const over = (): void => {
      this.#running--;
      this.#startNext();
    };
    ending.then(over, over);
  }

  #startNext(): void {
    while (this.#running < this.#maxParallel) {
      const next = this.#waiting?.shift();
      if (next === undefined) break;
      this.#start(next);
    }
    if (!this.#isPaused || (this.#waiting?.length ?? 0) > MAX_WAITING / 2) return;
    this.#isPaused = false;
    this.#peer.resume();
  }
}
