/** One running call as whoever may stop it sees it: its caller, and the connection that ends. */

export class CallControl {
  #isCancelled = false;
  #controller: AbortController | undefined;
  #onCancelled: (() => void) | undefined;

  get isCancelled(): boolean {
    return this.#isCancelled;
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
}
