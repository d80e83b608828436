/** Holds the peer back while anybody asks for it. */

export interface Backpressure {
  pause(): void;
  resume(): void;
}

export class Throttle {
  readonly #peer: Backpressure;
  #holders = 0;

  constructor(peer: Backpressure) {
    this.#peer = peer;
  }

  get isHolding(): boolean {
    return this.#holders > 0;
  }

  hold(): void {
    if (this.#holders++ === 0) this.#peer.pause();
  }

  release(): void {
    if (--this.#holders === 0) this.#peer.resume();
  }
}
