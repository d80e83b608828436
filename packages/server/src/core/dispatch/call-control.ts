/**
 * One running call as whoever may stop it sees it: its caller, the connection that lapses or ends, and a new principal
 * who may not do what the one before began.
 */

import type { HubwardError } from "@hubward/wire";
import type { Verdict } from "../auth/policy.js";

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
  #judge: (() => Verdict | Promise<Verdict>) | undefined;
  #judging: Promise<void> | undefined;
  #refusal: HubwardError | undefined;

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

  /** Why it may not go on, whatever its method still does: what its caller is answered. */
  get refusal(): HubwardError | undefined {
    return this.#refusal;
  }

  /** Resolves when it is known whether it may go on; undefined while that is not in question. Nothing is said before. */
  get judging(): Promise<void> | undefined {
    return this.#judging;
  }

  /** It was let in. `judge` asks the same rules about whoever the principal is by then. */
  granted(judge: () => Verdict | Promise<Verdict>): void {
    this.#judge = judge;
  }

  /** Another principal: may it go on? */
  judgeAgain(): void {
    const verdict = this.#isCancelled ? undefined : this.#judge?.();
    if (!(verdict instanceof Promise)) {
      // What was asked about the principal before says nothing any more.
      this.#judging = undefined;
      if (verdict !== undefined) this.stop(verdict);
      return;
    }
    const judging: Promise<void> = verdict.then((refusal): Promise<void> | undefined => {
      if (this.#judging !== judging) return this.#judging;
      this.#judging = undefined;
      if (refusal !== undefined) this.stop(refusal);
      return undefined;
    });
    this.#judging = judging;
  }

  /**
   * Whether it may still say something to others, or commit. @throws HubwardError why it was stopped, or what its
   * connection's standing says
   */
  assertMaySpeak(connection: { assertMaySpeak(): void }): void {
    if (this.#refusal !== undefined) throw this.#refusal;
    connection.assertMaySpeak();
  }

  /** Lets it go no further. The first refusal is the one its caller hears. */
  stop(refusal: HubwardError): void {
    if (this.#isCancelled) return;
    this.#refusal = refusal;
    this.cancel();
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
