/**
 * One running call as whoever may stop it sees it: its caller, the connection that lapses or ends, and a new principal
 * who may not do what the one before began.
 */

import { HubwardError } from "@hubward/wire";
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
  #judging: Question | undefined;
  /** Counts the times it was in question: only the last one's verdict counts. */
  #round = 0;
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
    return this.#judging?.settled;
  }

  /** It was let in. `judge` asks the same rules about whoever the principal is by then. */
  granted(judge: () => Verdict | Promise<Verdict>): void {
    this.#judge = judge;
  }

  /** Another principal: may it go on? Asked of a cancelled one, too: it may still have something to answer. */
  judgeAgain(): void {
    const round = ++this.#round;
    const verdict = this.#refusal === undefined ? this.#judge?.() : undefined;
    if (!(verdict instanceof Promise)) return this.#settle(verdict);
    this.#judging ??= question();
    void verdict.then((refusal) => {
      // What was asked about the principal before says nothing any more.
      if (this.#round === round) this.#settle(refusal);
    });
  }

  /**
   * Whether it may still say something to others, or commit. @throws HubwardError why it was stopped, or what its
   * connection's standing says
   */
  assertMaySpeak(connection: { assertMaySpeak(): void }): void {
    // Also when standing is back: what was stopped has none of it.
    if (this.#refusal !== undefined) throw this.#refusal;
    connection.assertMaySpeak();
  }

  /** Lets it go no further, and waits for no verdict. The first refusal is the one its caller hears. */
  stop(refusal: HubwardError): void {
    this.#round++;
    this.#settle(refusal);
  }

  /**
   * Whether an error is only what being told to stop made of a method, and no failure of its own: a reason of the
   * catalogue, or the `AbortError` of whatever it handed its signal to.
   */
  explains(error: unknown): boolean {
    return (
      this.#isCancelled && (error instanceof HubwardError || (error instanceof Error && error.name === "AbortError"))
    );
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

  #settle(refusal: Verdict): void {
    const judging = this.#judging;
    this.#judging = undefined;
    this.#refusal ??= refusal;
    if (this.#refusal !== undefined) this.cancel();
    judging?.resolve();
  }
}

interface Question {
  readonly settled: Promise<void>;
  resolve(): void;
}

function question(): Question {
  let resolve = (): void => undefined;
  const settled = new Promise<void>((onSettled) => (resolve = onSettled));
  return { settled, resolve };
}
