import fc from "fast-check";
import { expect, it } from "vitest";
import { Throttle } from "./throttle.js";

it("a throttle holds the peer back exactly while anybody asks for it", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean()), (acts) => {
      const told: string[] = [];
      const throttle = new Throttle({ pause: () => void told.push("pause"), resume: () => void told.push("resume") });
      let holders = 0;
      for (const isHold of acts) {
        if (isHold) {
          throttle.hold();
          holders++;
        } else if (holders > 0) {
          throttle.release();
          holders--;
        }
        expect([throttle.isHolding, told.at(-1) === "pause"]).toEqual([holders > 0, holders > 0]);
      }
      expect(told).toEqual(told.map((_, index) => (index % 2 === 0 ? "pause" : "resume")));
    }),
  );
});
