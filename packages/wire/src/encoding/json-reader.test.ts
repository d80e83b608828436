import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex, reasonOf, utf8 } from "../../test/arbitrary-messages.js";
import { readJsonObject } from "./json-reader.js";
import type { ReadLimits } from "./limits.js";

const limits: ReadLimits = { maxBytes: 32 * 1024, maxDepth: 32, maxNodes: 10_000 };
const read = (text: string, changed: Partial<typeof limits> = {}): unknown =>
  readJsonObject(utf8(text), { ...limits, ...changed });

test("an object is returned as JSON.parse reads it", () => {
  const object = fc
    .dictionary(fc.string(), fc.jsonValue())
    .filter((value) => !JSON.stringify(value).includes("__proto__"));
  fc.assert(
    fc.property(object, fc.constantFrom(undefined, 1, "\t"), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      expect(read(text)).toEqual(JSON.parse(text));
    }),
  );
});

test("a Buffer with an offset is read like any other bytes", () => {
  expect(readJsonObject(Buffer.from('xx{"a":"é"}').subarray(2), limits)).toEqual({ a: "é" });
});

describe("bounds", () => {
  test("a message one byte too long is refused", () => {
    expect(read('{"a":1}', { maxBytes: 7 })).toEqual({ a: 1 });
    expect(reasonOf(() => read('{"a":1}', { maxBytes: 6 }))).toBe("message_too_big");
  });

  test("depth counts objects and arrays, the message being the first", () => {
    expect(read('{"a":[{}]}', { maxDepth: 3 })).toEqual({ a: [{}] });
    expect(reasonOf(() => read('{"a":[{}]}', { maxDepth: 2 }))).toBe("too_deep");
    expect(read('{"a":[[],[],{},{}]}', { maxDepth: 3 })).toEqual({ a: [[], [], {}, {}] });
  });

  test("brackets and quotes in strings do not count", () => {
    expect(read(String.raw`{"a":"[[[[{{{{","b\"[":"\\","c":"\"]"}`, { maxDepth: 1, maxNodes: 4 })).toEqual({
      a: "[[[[{{{{",
      'b"[': "\\",
      c: '"]',
    });
  });

  test("the number of values is exact: the message, members, elements, but no names", () => {
    const countValues = (value: unknown): number =>
      typeof value === "object" && value !== null
        ? Object.values(value).reduce<number>((sum, item) => sum + countValues(item), 1)
        : 1;
    const object = fc
      .dictionary(fc.string(), fc.jsonValue())
      .filter((value) => !JSON.stringify(value).includes("__proto__"));
    fc.assert(
      fc.property(object, fc.constantFrom(undefined, 1), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        const maxNodes = countValues(JSON.parse(text));
        expect(reasonOf(() => read(text, { maxNodes }))).toBeUndefined();
        expect(reasonOf(() => read(text, { maxNodes: maxNodes - 1 }))).toBe("message_too_big");
      }),
    );
  });

  test("200,000 nested arrays are refused without being parsed", () => {
    const text = `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    expect(reasonOf(() => read(text))).toBe("message_too_big");
    expect(reasonOf(() => read(text, { maxBytes: 1e6 }))).toBe("too_deep");
    expect(reasonOf(() => read("[".repeat(30_000)))).toBe("too_deep");
  });
});

describe("long strings", () => {
  test("end at their own quote, however many backslashes and quotes they hold", () => {
    const noise = fc.array(fc.constantFrom('"', "\\", "x", "[", "é", "\n"), { minLength: 50, maxLength: 400 });
    fc.assert(
      fc.property(noise, noise, (first, second) => {
        const value = { [first.join("")]: second.join(""), z: [first.join("")] };
        expect(read(JSON.stringify(value), { maxDepth: 2, maxNodes: 4 })).toEqual(value);
      }),
    );
  });

  test("without an end are refused", () => {
    expect(reasonOf(() => read(`{"a":"${"x".repeat(500)}`))).toBe("bad_request");
    expect(reasonOf(() => read(`{"a":"${"x".repeat(62)}\\`))).toBe("bad_request");
    expect(reasonOf(() => read(`{"a":"${"\\".repeat(501)}"}`))).toBe("bad_request");
  });
});

describe("names", () => {
  test.each([
    ["first", '{"type":6,"type":7}'],
    ["equal ones", '{"type":6,"type":6}'],
    ["escaped", String.raw`{"type":6,"\u0074ype":7}`],
  ])("a member of the message written twice is refused (%s)", (_name, text) => {
    expect(reasonOf(() => read(text))).toBe("bad_request");
  });

  test("further down the last one counts, as JSON.parse has it", () => {
    expect(read('{"a":{"b":1,"b":2}}')).toEqual({ a: { b: 2 } });
  });

  test.each([
    '{"__proto__":{"admin":true}}',
    '{"a":[{"b":{"__proto__":1}}]}',
    '{"a":{"__proto__" :1}}',
    String.raw`{"a":{"\u005f_proto__":1}}`,
    String.raw`{"a":{"__\u0070r\u006Fto__":1}}`,
    String.raw`{"\u005F\u005f\u0070\u0072\u006f\u0074\u006f\u005f\u005f":1}`,
  ])("the prototype's name is refused: %s", (text) => {
    expect(reasonOf(() => read(text))).toBe("bad_request");
  });

  test.each([
    '{"a":"__proto__"}',
    '{"a":["__proto__"],"b":1}',
    '{"___proto__":1,"__proto___":2,"__prot__":3,"proto":4}',
    String.raw`{"\\u005f_proto__":1,"\u005f_prot\u006f_":2,"__proto_\n":3}`,
    '{"constructor":{"prototype":1}}',
  ])("what only looks like it is passed on: %s", (text) => {
    expect(read(text)).toEqual(JSON.parse(text));
  });
});

describe("what is no JSON object", () => {
  test.each([
    "",
    " ",
    "null",
    "1",
    '"a"',
    "[]",
    '[{"a":1}]',
    "{",
    "}",
    "{]",
    '{"a"}',
    '{"a":1,}',
    '{"a":01}',
    "{}{}",
    "{a:1}",
  ])("%j is refused", (text) => {
    expect(reasonOf(() => read(text))).toBe("bad_request");
  });

  test("a byte order mark is refused", () => {
    expect(reasonOf(() => readJsonObject(hex("ef bb bf 7b 7d"), limits))).toBe("bad_request");
  });

  test("bytes that are not UTF-8 are refused, also inside a string", () => {
    expect(reasonOf(() => readJsonObject(hex("7b 22 61 22 3a 22 c3 28 22 7d"), limits))).toBe("malformed_unicode");
  });

  test("the error shows nothing of the payload", () => {
    try {
      read('{"password":"hunter2" oops}');
      expect.unreachable();
    } catch (error) {
      expect(error).not.toHaveProperty("cause");
      expect(String(error)).not.toContain("hunter2");
    }
  });
});
