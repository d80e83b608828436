import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ownMember, parseStrictObject } from "./strict-json.js";

const parse = (text: string): Record<string, unknown> | undefined => parseStrictObject(Buffer.from(text));

describe("strict JSON", () => {
  test("an object with unique members is read as JSON.parse reads it", () => {
    const text = ' { "a" : [1, {"b": "x:y", "c": "\\"d\\":"}], "e": {"a": {}}, "f\\\\": "{\\"a\\":1,\\"a\\":2}" } ';
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  test.each([
    ["at the top", '{"sub":"a","sub":"b"}'],
    ["with equal values", '{"sub":"a","sub":"a"}'],
    ["spelled with an escape", '{"sub":"a","s\\u0075b":"b"}'],
    ["below the top", '{"a":{"b":1,"b":2}}'],
    ["inside an array", '{"a":[{"b":1},{"b":1,"c":2,"b":3}]}'],
    ["behind white space", '{"a":1,\n\t"a"\r :2}'],
    ["with the empty name", '{"":1,"":2}'],
    ["after a nested object of the same member", '{"a":{"a":1},"a":2}'],
  ])("duplicate members are refused %s", (_where, text) => {
    expect(parse(text)).toBeUndefined();
  });

  test("equal names in different objects are no duplicates", () => {
    expect(parse('{"a":{"a":1},"b":[{"a":1},{"a":2}],"c":["a","a"]}')).toEqual({
      a: { a: 1 },
      b: [{ a: 1 }, { a: 2 }],
      c: ["a", "a"],
    });
  });

  test("a member named __proto__ is refused, spelled with an escape too", () => {
    expect(parse('{"__proto__":{"admin":true}}')).toBeUndefined();
    expect(parse('{"a":[{"__pr\\u006fto__":1}]}')).toBeUndefined();
  });

  test.each(["", "null", "1", '"a"', "[]", '[{"a":1}]', '{"a":1', '{"a":1}x', "{'a':1}", '{"a":NaN}', '\ufeff{"a":1}'])(
    "%j is not a JSON object",
    (text) => {
      expect(parse(text)).toBeUndefined();
    },
  );

  test("invalid UTF-8 is refused rather than repaired", () => {
    const bytes = Buffer.from([...Buffer.from('{"sub":"'), 0xc3, 0x28, 0x22, 0x7d]);
    expect(parseStrictObject(bytes)).toBeUndefined();
  });

  test("32 levels pass and 33 do not, however many there are", () => {
    const nested = (levels: number): string => '{"a":' + "[".repeat(levels - 1) + "]".repeat(levels - 1) + "}";
    expect(parse(nested(32))).toBeDefined();
    expect(parse(nested(33))).toBeUndefined();
    expect(parse(nested(100_000))).toBeUndefined();
  });

  test("whatever JSON.stringify writes of a shallow object is read back unchanged", () => {
    const object = fc.dictionary(
      fc.string({ unit: "binary" }).filter((name) => name !== "__proto__"),
      fc.jsonValue({ maxDepth: 4 }).filter((value) => !JSON.stringify(value).includes("__proto__")),
    );
    fc.assert(
      fc.property(object, fc.constantFrom(0, 1, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("repeating any member makes any object unreadable", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue(), { minKeys: 1 }), (value) => {
        const [name = ""] = Object.keys(value);
        const text = `${JSON.stringify(value).slice(0, -1)},${JSON.stringify(name)}:0}`;
        expect(parse(text)).toBeUndefined();
      }),
    );
  });

  test("arbitrary bytes never throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const value = parseStrictObject(Buffer.from(bytes));
        expect(value === undefined || typeof value === "object").toBe(true);
      }),
    );
  });

  test("members of a prototype are not members", () => {
    expect(ownMember({}, "toString")).toBeUndefined();
    expect(ownMember({ sub: "a" }, "sub")).toBe("a");
  });
});
