import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { identityKey, joinKey, sameIdentity } from "./ids.js";

/** Text out of what a separator could be confused with. */
const hostile = fc.oneof(
  fc.string({ unit: fc.constantFrom("-", ":", "1", "2", "0", "a", "\u0000", "\ud800", "é"), maxLength: 6 }),
  fc.string(),
);
const part = fc.option(hostile, { nil: undefined });

describe("keys made of several parts", () => {
  it("are equal only when every part is, however hostile the parts", () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), fc.array(part, { maxLength: 4 }), (a, b) => {
        const isSame = a.length === b.length && a.every((each, index) => each === b[index]);
        expect(joinKey(a) === joinKey(b)).toBe(isSame);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    [["a", "b"], ["ab"]],
    [
      ["a", undefined],
      ["a", ""],
    ],
    [["a", undefined], ["a-"]],
    [["1:a"], ["1", "a"]],
    [
      [undefined, "a"],
      ["a", undefined],
    ],
    [["\ud800"], ["\udfff"]],
  ])("tell %j from %j", (a, b) => {
    expect(joinKey(a)).not.toBe(joinKey(b));
  });

  it("identify a person by tenant, issuer and subject, all three", () => {
    const identity = fc.record({
      tenant: part,
      issuer: fc.constantFrom("i", "j", ""),
      subject: fc.constantFrom("s", "t", ""),
    });
    fc.assert(
      fc.property(identity, identity, (a, b) => {
        const isSame = a.tenant === b.tenant && a.issuer === b.issuer && a.subject === b.subject;
        expect(sameIdentity(a, b)).toBe(isSame);
        expect(identityKey(a) === identityKey(b)).toBe(isSame);
      }),
    );
  });
});
