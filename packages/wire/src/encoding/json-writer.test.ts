import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toBase64, writeJson, writeString } from "./json-writer.js";

test("base64 is what Node writes", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      (bytes) => toBase64(bytes) === Buffer.from(bytes).toString("base64"),
    ),
  );
});

test("values without bytes are written as JSON.stringify writes them", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => writeJson(value) === JSON.stringify(value)));
});

describe("texts are written as JSON.stringify writes them", () => {
  test.each([
    "",
    'a"b',
    "a\\b",
    "\u0000\u001f\u007f\u0080",
    "\ud800",
    "x\udc00",
    "\u{1f3e5}",
    "\u2028\ufeff\uffff",
    "a\u001e",
    "é",
  ])("%j", (text) => {
    expect(writeString(text)).toBe(JSON.stringify(text));
  });

  test("whatever they hold, however long they are", () => {
    const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
    const anything = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(unit).map((units) => units.join("")),
    );
    fc.assert(
      fc.property(anything, fc.constantFrom(1, 300), (text, times) => {
        const long = text.repeat(times);
        expect(writeString(long)).toBe(JSON.stringify(long));
      }),
    );
    for (let code = 0; code <= 0xffff; code++) {
      const text = String.fromCharCode(code);
      if (writeString(text) !== JSON.stringify(text)) expect(writeString(text)).toBe(JSON.stringify(text));
    }
  });
});

describe("bytes", () => {
  const bytes = Uint8Array.of(1, 2, 255);

  test.each([
    ["alone", bytes, '"AQL/"'],
    ["empty", new Uint8Array(0), '""'],
    ["in an array", [1, bytes], '[1,"AQL/"]'],
    ["in an object", { a: { b: bytes } }, '{"a":{"b":"AQL/"}}'],
    ["as a Node Buffer, whose own toJSON is not asked", { a: Buffer.from(bytes) }, '{"a":"AQL/"}'],
    ["from a toJSON", { toJSON: () => ({ a: bytes }) }, '{"a":"AQL/"}'],
    ["beside a time", [new Date(0), bytes], '["1970-01-01T00:00:00.000Z","AQL/"]'],
  ])("are base64 %s", (_name, value, expected) => {
    expect(writeJson(value)).toBe(expected);
  });

  test("are found however deep they lie", () => {
    let value: unknown = bytes;
    for (let depth = 0; depth < 80; depth++) value = depth % 2 === 0 ? [value] : { a: value };
    expect(writeJson(value)).toContain('"AQL/"');
  });
});

describe("values without a JSON form", () => {
  test.each([
    ["undefined", undefined],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a toJSON that returns nothing", { toJSON: () => undefined }],
    ["NaN", Number.NaN],
  ])("%s is null", (_name, value) => {
    expect(writeJson(value)).toBe("null");
    expect(writeJson([value])).toBe("[null]");
  });

  test("members that are undefined are left out", () => {
    expect(writeJson({ a: undefined, b: 1 })).toBe('{"b":1}');
  });

  test("a BigInt, a circle and a bottomless value are a TypeError", () => {
    const circle: unknown[] = [];
    circle.push([circle]);
    let deep: unknown = 1;
    for (let depth = 0; depth < 20_000; depth++) deep = [deep];
    for (const value of [1n, circle, deep, [Uint8Array.of(1), 1n]]) expect(() => writeJson(value)).toThrow(TypeError);
    expect(() => writeJson(circle)).toThrow(/circular/); // said by JSON.stringify, not by an exhausted stack
  });

  test("what a toJSON throws passes through", () => {
    const error = new Error("mine");
    const value = {
      toJSON: () => {
        throw error;
      },
    };
    expect(() => writeJson(value)).toThrow(error);
  });
});
