/** The one transaction of one command: what the application writes, together with the record that it was done. */

import type { CommandStart } from "./idempotency-store.js";

type StoreCommit = Extract<CommandStart, { readonly state: "started" }>["commit"];

/** Runs `work` in a transaction of the store; the command has then ended with the value it returns. */
export type Commit = <Result>(work: (transaction: unknown) => Result) => Promise<Awaited<Result>>;

export class CommandCommit {
  readonly #store: StoreCommit;
  readonly #assertMayCommit: () => void;
  #state: "open" | "busy" | "committed" | "over" = "open";
  #value: unknown;
  #underWay: Promise<unknown> | undefined;

  /** @param assertMayCommit throws when nothing may be done any more on the caller's behalf */
  constructor(store: StoreCommit, assertMayCommit: () => void) {
    this.#store = store;
    this.#assertMayCommit = assertMayCommit;
  }

  /**
   * Once; again only after it failed.
   * @throws (rejects with) TypeError where it makes no sense, HubwardError when the caller lost its standing, what
   * `work` throws, the store's error. In all these cases nothing was committed.
   */
  readonly run: Commit = (work) => {
    const running = this.#run(work);
    this.#underWay = running;
    return running;
  };

  /** The method has ended: waits for a commit that it did not wait for, and lets no other begin. */
  async end(): Promise<{ readonly value: unknown } | undefined> {
    await this.#underWay?.catch(() => undefined);
    if (this.#state === "committed") return { value: this.#value };
    this.#state = "over";
    return undefined;
  }

  async #run<Result>(work: (transaction: unknown) => Result): Promise<Awaited<Result>> {
    if (this.#store === undefined) throw new TypeError("commit: this idempotency store has no transactions");
    if (this.#state !== "open") throw new TypeError("commit: once for each command, while it runs");
    this.#assertMayCommit();
    this.#state = "busy";
    try {
      const value = await this.#store(work);
      this.#state = "committed";
      this.#value = value;
      return value;
    } catch (error) {
      this.#state = "open";
      throw error;
    }
  }
}
