import { describe, expect, it } from "vitest";
import { SharedAnswers } from "./shared-answers.js";

describe("shared answers", () => {
  it("are there for who asks no later than they were asked for", () => {
    const answers = new SharedAnswers<string>();
    answers.keep("t-1", 3, "nurse");
    expect([2, 3, 4].map((since) => answers.find("t-1", since))).toEqual(["nurse", "nurse", undefined]);
    answers.keep("t-1", 4, "doctor");
    expect([answers.find("t-1", 4), answers.find("t-2", 0), answers.size]).toEqual(["doctor", undefined, 1]);
    answers.clear();
    expect(answers.find("t-1", 0)).toBeUndefined();
  });

  it("are as many as may be, however many tokens come: the oldest make room", () => {
    const answers = new SharedAnswers<number>(3);
    for (let token = 0; token < 100; token++) {
      answers.keep(token, token, token);
      // Asked about again and again: it is never the oldest.
      answers.keep("busy", token, -1);
    }
    expect(answers.size).toBe(3);
    expect([97, 98, 99, "busy"].map((token) => answers.find(token, 0))).toEqual([undefined, 98, 99, -1]);
  });
});
