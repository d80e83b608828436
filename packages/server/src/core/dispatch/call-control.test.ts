import { describe, expect, it } from "vitest";
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
