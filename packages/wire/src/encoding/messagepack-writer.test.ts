import { decode as decodeReference } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex, messagePackValue } from "../../test/arbitrary-messages.js";
import { renderFramed } from "./framed-buffer.js";
import { writeValue } from "./messagepack-writer.js";

function write(value: unknown): Uint8Array {
  return renderFramed(value, (to, written) => writeValue(to, written));
}

const readBack = (value: unknown): unknown => decodeReference(write(value), { useBigInt64: true });

describe("the shortest form", () => {
  test.each<[unknown, string]>([
    [0, "00"],
    [-0, "00"],
    [127, "7f"],
    [128, "cc 80"],
    [255, "cc ff"],
    [256, "cd 01 00"],
    [65_536, "ce 00 01 00 00"],
    [4_294_967_296, "cf 00 00 00 01 00 00 00 00"],
    [Number.MAX_SAFE_INTEGER, "cf 00 1f ff ff ff ff ff ff"],
    [2 ** 53, "cb 43 40 00 00 00 00 00 00"],
    [-1, "ff"],
    [-32, "e0"],
    [-33, "d0 df"],
    [-129, "d1 ff 7f"],
    [-32_769, "d2 ff ff 7f ff"],
    [-2_147_483_649, "d3 ff ff ff ff 7f ff ff ff"],
    [1.5, "cb 3f f8 00 00 00 00 00 00"],
    [1n, "cf 00 00 00 00 00 00 00 01"],
    [2n ** 64n - 1n, "cf ff ff ff ff ff ff ff ff"],
    [-1n, "d3 ff ff ff ff ff ff ff ff"],
    [-(2n ** 63n), "d3 80 00 00 00 00 00 00 00"],
    ["", "a0"],
    ["é", "a2 c3 a9"],
    [null, "c0"],
    [undefined, "c0"],
    [true, "c3"],
    [[], "90"],
    [{}, "80"],
    [Uint8Array.of(9), "c4 01 09"],
    [Buffer.from([9]), "c4 01 09"],
  ])("of %s", (value, digits) => {
    expect(write(value)).toEqual(hex(digits));
  });

  test.each([0, 1, 10, 11, 15, 16, 30, 31, 32, 85, 86, 127, 128, 255, 256, 21_845, 21_846, 65_535, 65_536])(
    "of texts, bytes, lists and maps around %i",
    (length) => {
      for (const character of ["a", "é", "€", "😀"]) {
        const text = character.repeat(Math.floor(length / character.length));
        const bytes = new TextEncoder().encode(text).length;
        const header = bytes <= 31 ? 1 : bytes <= 255 ? 2 : bytes <= 65_535 ? 3 : 5;
        expect(write(text)).toHaveLength(header + bytes);
        expect(readBack(text)).toBe(text);
      }
      const list = Array<number>(length).fill(7);
      expect(readBack(list)).toEqual(list);
      expect(write(list)).toHaveLength((length <= 15 ? 1 : length <= 65_535 ? 3 : 5) + length);
      const map = Object.fromEntries(list.map((value, index) => [`k${index}`, value]));
      expect(readBack(map)).toEqual(map);
      const binary = new Uint8Array(length).fill(3);
      expect(readBack(binary)).toEqual(binary);
      expect(write(binary)).toHaveLength((length <= 255 ? 2 : length <= 65_535 ? 3 : 5) + length);
    },
  );
});

test("the reference implementation reads every value back", () => {
  fc.assert(
    fc.property(messagePackValue, (value) => {
      const normal = JSON.parse(JSON.stringify(value, numbersAsText)) as unknown;
      expect(JSON.parse(JSON.stringify(readBack(value), numbersAsText))).toEqual(normal);
    }),
  );
});

/** The reference reads 64-bit integers as bigint always; which of the two it is does not matter here. */
function numbersAsText(_key: string, value: unknown): unknown {
  return typeof value === "number" || typeof value === "bigint" ? String(value) : value;
}

test.each<[string, unknown]>([
  ["8 bits", 200],
  ["16 bits", 300],
  ["32 bits", 70_000],
  ["64 bits", 7n],
  ["a float", 1.5],
  ["ASCII", "text"],
  ["text beyond ASCII", "é".repeat(20)],
  ["long text", "x".repeat(200)],
  ["a list", Array<number>(20).fill(1)],
  ["a member", { key: null }],
  ["bytes", Uint8Array.of(1, 2, 3)],
  ["a time", new Date(1)],
])("a value is whole where the buffer grows in it (%s)", (_name, value) => {
  const large = new Uint8Array(70_000); // after it the next message starts with a small buffer again
  for (let size = 1980; size < 2050; size++) {
    // Binary makes room for exactly its length, so the value behind it meets the end at every offset.
    const padding = new Uint8Array(size);
    expect(write(large)).toHaveLength(70_005);
    const [bytes, behind] = readBack([padding, value]) as [Uint8Array, unknown];
    expect(Buffer.compare(bytes, padding)).toBe(0); // toEqual would take its time over each of the bytes
    expect(behind).toEqual(value);
  }
});

describe("values mean what they mean in JSON", () => {
  test.each<[string, unknown]>([
    ["undefined members and elements", { a: undefined, b: [undefined, 1] }],
    ["functions and symbols", { a: () => 1, b: [() => 1, Symbol("s")], c: Symbol("s") }],
    ["toJSON", { a: { toJSON: () => ({ b: 1 }) }, url: new URL("https://example.test/") }],
    ["a toJSON that returns nothing, in a list", [{ toJSON: () => undefined }]],
    ["Map and Set", [new Map([[1, 2]]), new Set([1])]],
    [
      "instances",
      new (class Point {
        x = 1;
        #y = 2;
        get y() {
          return this.#y;
        }
      })(),
    ],
    ["holes", [, 1] as unknown[]], // eslint-disable-line no-sparse-arrays
    ["an object without a prototype", Object.assign(Object.create(null) as object, { a: 1 })],
  ])("%s", (_name, value) => {
    expect(readBack(value)).toEqual(JSON.parse(JSON.stringify(value)));
  });

  test("but NaN and the infinities are kept", () => {
    expect(readBack([Number.NaN, Number.POSITIVE_INFINITY])).toEqual([Number.NaN, Number.POSITIVE_INFINITY]);
  });
});

test("a lone surrogate becomes the replacement character, in short texts and long ones", () => {
  expect(readBack("a\ud800")).toBe("a\ufffd");
  expect(readBack(`${"a".repeat(100)}\udc00`)).toBe(`${"a".repeat(100)}\ufffd`);
});

describe("refused with a TypeError", () => {
  const circle: unknown[] = [];
  circle.push({ circle });

  test.each<[string, unknown]>([
    ["a bigint above 64 bits", 2n ** 64n],
    ["a bigint below 64 bits", -(2n ** 63n) - 1n],
    ["an invalid Date", [new Date(Number.NaN)]],
    ["a circle", circle],
  ])("%s", (_name, value) => {
    expect(() => write(value)).toThrow(TypeError);
  });

  test("and the next value is written as if nothing had happened", () => {
    expect(() => write(["left behind", circle])).toThrow(TypeError);
    expect(write(1)).toEqual(hex("01"));
  });
});

describe("code of the application that runs in between", () => {
  test("may write messages itself", () => {
    const inner: Uint8Array[] = [];
    const value = {
      a: "before",
      b: {
        toJSON: () => {
          inner.push(write(["inside"]));
          return "b";
        },
      },
      c: "after",
    };
    expect(readBack(value)).toEqual({ a: "before", b: "b", c: "after" });
    expect(inner.map((bytes) => decodeReference(bytes))).toEqual([["inside"]]);
  });

  test("cannot make a header lie", () => {
    const list: unknown[] = [];
    list.push({ toJSON: () => list.push("late") }, "x");
    expect(readBack(list)).toEqual([3, "x"]);
    let reads = 0;
    const fickle = Object.defineProperty({ b: 1 }, "a", {
      enumerable: true,
      get: () => (reads++ === 0 ? 1 : undefined),
    });
    expect(readBack(fickle)).toEqual({ a: 1, b: 1 });
    expect(reads).toBe(1);
  });
});
