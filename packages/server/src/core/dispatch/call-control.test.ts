import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { deferred, type Deferred } from "../../../test/hub-fixture.js";
import type { Verdict } from "../auth/policy.js";
import { CallControl } from "./call-control.js";

describe("a running call", () => {
  it("is cancelled once, and tells its signal and who asked", () => {
    const control = new CallControl();
    const heard: string[] = [];
    control.signal.addEventListener("abort", () => heard.push("signal"));
    control.onCancelled(() => heard.push("told"));
    control.cancel();
    control.cancel();
    expect([heard, control.isCancelled, control.signal.aborted]).toEqual([["signal", "told"], true, true]);
  });

  it("tells those who ask too late at once", () => {
    const control = new CallControl();
    control.cancel();
    let told = 0;
    control.onCancelled(() => told++);
    expect([told, control.signal.aborted]).toEqual([1, true]);
  });

  it("explains what being told to stop makes a method throw, and nothing else", () => {
    const control = new CallControl();
    const errors = [
      new HubwardError("session_revoked"),
      new DOMException("stopped", "AbortError"),
      new Error("broken"),
    ];
    expect(errors.map((error) => control.explains(error))).toEqual([false, false, false]);
    control.cancel();
    expect(errors.map((error) => control.explains(error))).toEqual([true, true, false]);
    expect(control.explains(control.signal.reason)).toBe(true);
    expect([control.explains(undefined), control.explains({ name: "AbortError" })]).toEqual([false, false]);
  });

  it("gives its signal as one and the same", () => {
    const control = new CallControl();
    expect(control.signal).toBe(control.signal);
    expect(control.signal.aborted).toBe(false);
  });

  it("gives its turn away once, when somebody takes it", () => {
    let taken = 0;
    let takes = false;
    const control = new CallControl({ give: () => (taken++, takes) });
    control.giveTurn();
    expect([taken, control.hasGivenTurn]).toEqual([1, false]);
    takes = true;
    control.giveTurn();
    control.giveTurn();
    expect([taken, control.hasGivenTurn]).toEqual([2, true]);
    const without = new CallControl();
    without.giveTurn();
    expect(without.hasGivenTurn).toBe(false);
  });
});

const forbidden = new HubwardError("forbidden");
const expired = new HubwardError("token_expired");

/** One that was let in; each time it is judged again somebody thinks about it. */
function questioned(): { control: CallControl; questions: Deferred<Verdict>[] } {
  const questions: Deferred<Verdict>[] = [];
  const control = new CallControl();
  control.granted(() => {
    const asked = deferred<Verdict>();
    questions.push(asked);
    return asked.promise;
  });
  return { control, questions };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a call that is judged again", () => {
  it("goes on where the answer is yes, and nothing was in question where it comes at once", () => {
    const control = new CallControl();
    control.judgeAgain();
    control.granted(() => undefined);
    control.judgeAgain();
    expect([control.isCancelled, control.judging, control.refusal]).toEqual([false, undefined, undefined]);
  });

  it("stops at once where the answer is no", () => {
    const control = new CallControl();
    control.granted(() => forbidden);
    const { signal } = control;
    control.judgeAgain();
    expect([signal.aborted, control.refusal === forbidden, control.judging]).toEqual([true, true, undefined]);
  });

  it("is in question until somebody has thought about it", async () => {
    for (const verdict of [undefined, forbidden]) {
      const { control, questions } = questioned();
      control.judgeAgain();
      const { judging } = control;
      expect([judging instanceof Promise, control.isCancelled]).toEqual([true, false]);
      questions[0]?.resolve(verdict);
      await judging;
      expect([control.isCancelled, control.refusal, control.judging]).toEqual([
        verdict !== undefined,
        verdict,
        undefined,
      ]);
    }
  });

  it("stays in question for the next principal, whatever was answered about the one before, in either order", async () => {
    for (const [first, second] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const { control, questions } = questioned();
      control.judgeAgain();
      const before = control.judging;
      control.judgeAgain();
      questions[first]?.resolve(first === 0 ? forbidden : undefined);
      await settle();
      expect(control.isCancelled).toBe(false);
      questions[second]?.resolve(second === 0 ? forbidden : undefined);
      // Who has waited since the first question hears the answer to the last.
      await before;
      expect([control.isCancelled, control.judging]).toEqual([false, undefined]);
    }
  });

  it("is not in question any more when the next answer comes at once", async () => {
    const slow = deferred<Verdict>();
    let isSlow = true;
    const control = new CallControl();
    control.granted(() => (isSlow ? slow.promise : undefined));
    control.judgeAgain();
    const before = control.judging;
    isSlow = false;
    control.judgeAgain();
    await before;
    slow.resolve(forbidden);
    await settle();
    expect([control.judging, control.isCancelled]).toEqual([undefined, false]);
  });

  it("waits for no verdict once it was stopped, and keeps the first refusal", async () => {
    const { control, questions } = questioned();
    control.judgeAgain();
    const { judging } = control;
    control.stop(expired);
    await judging;
    questions[0]?.resolve(forbidden);
    control.stop(forbidden);
    control.judgeAgain();
    await settle();
    expect([control.refusal === expired, questions.length]).toEqual([true, 1]);
  });

  it("is judged though its caller cancelled it: it may still have something to answer", async () => {
    const { control, questions } = questioned();
    control.cancel();
    control.judgeAgain();
    const { judging } = control;
    questions[0]?.resolve(forbidden);
    await judging;
    expect(control.refusal).toBe(forbidden);
    const other = questioned().control;
    other.cancel();
    other.stop(expired);
    expect(other.refusal).toBe(expired);
  });
});
