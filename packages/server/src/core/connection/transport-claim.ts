/** Who may bring a connection its next transport: one at a time, and not before the last one is gone. */

export class TransportClaim {
  #isTaken = false;
  #isTransportOpen = true;
  #waiting: (() => void) | undefined;

  get isTaken(): boolean {
    return this.#isTaken;
  }

  get isTransportOpen(): boolean {
    return this.#isTransportOpen;
  }

  /** False when somebody else has it. */
  take(): boolean {
    if (this.#isTaken) return false;
    this.#isTaken = true;
    return true;
  }

  giveBack(): void {
    this.#isTaken = false;
  }

  /** Resolves when the transport is gone, at once when it is. For whoever has the claim. */
  transportGone(): Promise<void> {
    if (!this.#isTransportOpen) return Promise.resolve();
    return new Promise((resolve) => (this.#waiting = resolve));
  }

  transportOpened(): void {
    this.#isTransportOpen = true;
  }

  transportClosed(): void {
    this.#isTransportOpen = false;
    this.#waiting?.();
    this.#waiting = undefined;
  }
}
