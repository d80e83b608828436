import { createFakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createDeadline } from "./deadline.js";

const TIMEOUT_MS = 1_000;

function createBench() {
  const clock = createFakeClock();
  return { clock, deadline: createDeadline(clock, TIMEOUT_MS) };
}

/** Settled by hand, and says who listens. */
function answerLater() {
  let resolve: (value: string) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<string>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

const ending = (promise: unknown): Promise<string> =>
  Promise.resolve(promise).then(
    (value) => `value ${String(value)}`,
    (error: unknown) => `${String(error)}`,
  );

describe("a deadline", () => {
  it.each([[true], [undefined], [null], [""], [{ then: "no function" }]])(
    "gives back %j at once, without a timer",
    (answer) => {
      const { clock, deadline } = createBench();
      expect(deadline(answer)).toBe(answer);
      expect(clock.pending).toBe(0);
    },
  );

  it("gives the answer, and the failure as it was, and keeps no timer behind", async () => {
    const { clock, deadline } = createBench();
    const failure = new TypeError("no directory");
    expect(await deadline(Promise.resolve("yes"))).toBe("yes");
    await expect(deadline(Promise.reject(failure))).rejects.toBe(failure);
    const thenable = { then: (onValue: (value: string) => unknown) => onValue("foreign") } as PromiseLike<string>;
    expect(await deadline(thenable)).toBe("foreign");
    expect(clock.pending).toBe(0);
  });

  it.each(["yes", "failure", "nothing"])("is over at its time, and %s behind it changes nothing", async (late) => {
    const unheard: unknown[] = [];
    const listen = (error: unknown): void => void unheard.push(error);
    process.on("unhandledRejection", listen);
    const { clock, deadline } = createBench();
    const answer = answerLater();
    const waiting = ending(deadline(answer.promise));
    clock.advance(TIMEOUT_MS - 1);
    expect(clock.pending).toBe(1);
    clock.advance(1);
    if (late === "yes") answer.resolve("yes");
    if (late === "failure") answer.reject(new Error("late"));
    expect(await waiting).toBe("Error: no answer within 1000 ms");
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", listen);
    expect(unheard).toEqual([]);
  });
});
