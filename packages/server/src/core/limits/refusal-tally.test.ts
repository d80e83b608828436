import { describe, expect, it } from "vitest";
import { RefusalTally } from "./refusal-tally.js";

describe("a tally of refusals", () => {
  it("tells the first at once, and those within a second with the next one", () => {
    const tally = new RefusalTally();
    const told = [0, 1, 500, 999, 1_000, 1_001, 5_000].map((now) => tally.add(now));
    expect(told).toEqual([1, 0, 0, 0, 4, 0, 2]);
  });

  it("leaves none untold at its end, and tells nothing where nothing is left", () => {
    const tally = new RefusalTally();
    for (let count = 0; count < 201; count++) tally.add(100);
    expect([tally.end(150), tally.end(150)]).toEqual([200, 0]);
  });
});
