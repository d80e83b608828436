/** A refusal that may come thousands of times a second: whether it is one to be told of is said with it. */

import { HubwardError } from "@hubward/wire";

export class LimitRefusal extends HubwardError {
  declare readonly reason: "rate_limited" | "try_again_later";
  /** False where the same was told within the last second. */
  readonly isTold: boolean;

  constructor(reason: LimitRefusal["reason"], retryAfterSeconds: number, isTold: boolean) {
    super(reason, { retryAfterSeconds });
    this.isTold = isTold;
  }
}
