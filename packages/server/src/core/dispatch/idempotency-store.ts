/** Port: remembers commands, so that one sent again takes effect no second time. */

import type { ReasonName } from "@hubward/wire";

/**
 * How a command ended, in plain data: what the caller was told, to be told again. Of one that nobody will ever tell
 * the end of, because the process died while it ran, a durable store says the reason `outcome_unknown`.
 */
export type CommandOutcome =
  | { readonly kind: "value"; readonly value: unknown }
  /** The application refused in its own words. */
  | { readonly kind: "hub-error"; readonly message: string }
  /** The catalogue's words. */
  | {
      readonly kind: "reason";
      readonly reason: ReasonName;
      readonly detail: string | undefined;
      readonly retryAfterSeconds?: number | undefined;
    }
  /** Something else went wrong; the caller was not told what. */
  | { readonly kind: "hidden" };

export type CommandStart =
  /** Nobody ran it: the caller runs it and then calls `finish`, or `abandon` when it was never begun. */
  | {
      readonly state: "started";
      readonly finish: (outcome: CommandOutcome) => void | Promise<void>;
      readonly abandon: () => void | Promise<void>;
      /**
       * Only of a store that keeps its records where the application keeps its own: runs `work` in a transaction and
       * records there that the command ended with the value `work` returns. Both have happened once it is done;
       * neither when it throws or rejects, with what `work` threw or the store's own error, and the command then goes
       * on. After it `finish` and `abandon` change nothing.
       * @throws TypeError for work that is not done at once, where the store's transactions are synchronous.
       */
      readonly commit?: (<Result>(work: (transaction: unknown) => Result) => Result | Promise<Result>) | undefined;
    }
  /** It runs or ran: wait for how it ended. */
  | { readonly state: "known"; readonly outcome: CommandOutcome | Promise<CommandOutcome> }
  /** The same id was used for other arguments. */
  | { readonly state: "conflict" }
  /** No room for another command now, of all or of this owner. `retryAfterMs`: when there may be. */
  | { readonly state: "full"; readonly retryAfterMs?: number | undefined };

export interface IdempotencyStore {
  /**
   * Claims a command. `owner` is the identity it belongs to: neither one owner nor many together must use up the room
   * of all. For one key exactly one caller gets `started` until the record is forgotten (24 h by default) or
   * abandoned; everyone else gets `known` or `conflict`, also while it runs. Whoever waits for a command that is
   * abandoned sees its promise rejected. A rejection of `start` itself means that nothing is known: the command must
   * not be run.
   */
  start(key: string, argumentsDigest: string, owner: string): CommandStart | Promise<CommandStart>;
}
