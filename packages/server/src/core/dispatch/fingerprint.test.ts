import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalText } from "./fingerprint.js";

/** The same value with the members of every object in another order. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, item]) => [name, shuffled(item)] as const)
      .reverse(),
  );
}

describe("the fingerprint of arguments", () => {
  it("is the same for the same JSON, whatever the order of members, and another for any other JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(canonicalText(shuffled(a))).toBe(canonicalText(a));
        const plain = (value: unknown): string =>
          JSON.stringify(value, (_, item: unknown) => (Object.is(item, -0) ? 0 : item));
        const isSame = plain(sorted(a)) === plain(sorted(b));
        expect(canonicalText(a) === canonicalText(b)).toBe(isSame);
      }),
      { numRuns: 1_000 },
    );
  });

  it("tells apart whatever a call can carry in either encoding", () => {
    const values = [
      null,
      "null",
      0,
      "0",
      1,
      "1",
      1n,
      true,
      "true",
      Number.NaN,
      Infinity,
      -Infinity,
      "#NaN",
      [],
      {},
      [[]],
      [null],
      ["a,b"],
      ["a", "b"],
      { a: 1 },
      { a: [1] },
      { a: { b: 1 } },
      { "a:1": null },
      { a: null },
      new Uint8Array([1, 2]),
      [1, 2],
      "b[1,2]",
      new Uint8Array(0),
      new Date(0),
      new Date(1),
      "t0",
      "1970-01-01T00:00:00.000Z",
      "",
      "\u0000",
      "\ud800",
      "\udfff",
      "é",
      "e\u0301",
    ];
    expect(new Set(values.map(canonicalText)).size).toBe(values.length);
  });

  it("takes undefined for null, as the wire does", () => {
    expect(canonicalText([undefined, { a: undefined }])).toBe(canonicalText([null, { a: null }]));
  });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, item]) => ({ name, item: sorted(item) }))
    .concat([{ name: "object", item: true }]);
}
