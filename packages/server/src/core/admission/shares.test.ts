import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createShares } from "./shares.js";

describe("shares", () => {
  it("let each owner hold so many, whatever the others hold", () => {
    const act = fc.record({ owner: fc.constantFrom("ann", "bob", "__proto__"), isTaken: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.array(act, { maxLength: 60 }), (maxPerOwner, acts) => {
        const shares = createShares(maxPerOwner);
        const held: Record<string, number> = Object.assign(Object.create(null), { ann: 0, bob: 0, __proto__: 0 });
        for (const { owner, isTaken } of acts) {
          const count = held[owner] ?? 0;
          if (isTaken) {
            expect(shares.take(owner)).toBe(count < maxPerOwner);
            held[owner] = Math.min(maxPerOwner, count + 1);
          } else {
            shares.give(owner);
            held[owner] = Math.max(0, count - 1);
          }
        }
      }),
    );
  });
});
