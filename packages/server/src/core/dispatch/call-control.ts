/** One running call as whoever may stop it sees it: its caller, and the connection that ends. */

/** Who counts the calls that run at the same time. */
export interface Turns {
  /** Lets the calls behind go on though this one has not ended. False when it must keep its turn. */
  give(): boolean;
}

export class CallControl {
  readonly #turns: Turns | undefined;
  #isCancelled = false;
  #hasGivenTurn = false;
  #controller: AbortController | undefined;
  #onCancelled: (() => void) | undefined;

  /** Without `turns` the call takes none. */
  constructor(turns?: Turns) {
    this.#turns = turns;
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  get hasGivenTurn(): boolean {
    return this.#hasGivenTurn;
  }

  /** Aborts when the call is cancelled. Made when somebody asks for it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isCancelled) this.#controller.abort();
    return this.#controller.signal;
  }

  /** Runs once, at once if the call is cancelled already. One at a time: a later one replaces it. */
  onCancelled(run: () => void): void {
    if (this.#isCancelled) run();
    else this.#onCancelled = run;
  }

  cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#controller?.abort();
    this.#onCancelled?.();
    this.#onCancelled = undefined;
  }

  /**
   * The call waits for a client's answer. Its turn goes to the calls behind it, for good, as in .NET: they may be
   * what the answer waits for, and a client that is held back cannot answer at all.
   */
  giveTurn(): void {
    if (!this.#hasGivenTurn && this.#turns?.give() === true) this.#hasGivenTurn = true;
  }
}
