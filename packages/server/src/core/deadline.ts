/** How long an answer of the application's is waited for: a rule, the mapping of a principal, an authenticator. */

import type { Clock } from "./clock.js";

/**
 * Gives back what is there at once, without a promise and without a timer; of what is not, the answer or, once the
 * time is over, a rejection with an Error. An answer that comes later changes nothing, and a late failure is heard.
 */
export type Deadline = <T>(answer: T | PromiseLike<T>) => T | PromiseLike<T>;

/** @param timeoutMs milliseconds from the question to the answer */
export function createDeadline(clock: Pick<Clock, "after">, timeoutMs: number): Deadline {
  return (answer) => (isThenable(answer) ? race(answer) : answer);

  function race<T>(answer: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = clock.after(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)));
      answer.then(
        (value) => {
          timer.cancel();
          resolve(value);
        },
        (error: unknown) => {
          timer.cancel();
          // As it came, whatever it is.
          reject(error as Error);
        },
      );
    });
  }
}

/** A query builder's promise need not be one of ours. */
function isThenable<T>(answer: T | PromiseLike<T>): answer is PromiseLike<T> {
  return typeof (answer as { readonly then?: unknown } | null | undefined)?.then === "function";
}
