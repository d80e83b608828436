/** A refusal that may come thousands of times a second: whether it is one to be told of is said with it. */

import { HubwardError } from "@hubward/wire";

/** Elsewhere than in V8 it means nothing. */
const V8Error = Error as { stackTraceLimit?: number | undefined };

export class LimitRefusal extends HubwardError {
  declare readonly reason: "rate_limited" | "try_again_later";
  /** False where the same was told within the last second. */
  readonly isTold: boolean;

  constructor(reason: LimitRefusal["reason"], retryAfterSeconds: number, isTold: boolean) {
    // To gather where it was made costs more than all else that is done about it.
    const { stackTraceLimit } = V8Error;
    V8Error.stackTraceLimit = 0;
    super(reason, { retryAfterSeconds });
    V8Error.stackTraceLimit = stackTraceLimit;
    this.isTold = isTold;
  }
}
