import { encode as encodeReference } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { binaryValue, concat, hex, messagePackValue, reasonOf } from "../../test/arbitrary-messages.js";
import { readMessagePack } from "./messagepack-reader.js";
import type { ReadLimits } from "./limits.js";

const limits: ReadLimits = { maxBytes: 32 * 1024, maxDepth: 32, maxNodes: 10_000 };
const read = (digits: string, changed: Partial<typeof limits> = {}): unknown =>
  readMessagePack(hex(digits), { ...limits, ...changed });

describe("every format of the specification", () => {
  test.each<[string, string, unknown]>([
    ["positive fixint", "7f", 127],
    ["negative fixint", "e0", -32],
    ["nil", "c0", null],
    ["false", "c2", false],
    ["true", "c3", true],
    ["uint 8", "cc ff", 255],
    ["uint 16", "cd ff ff", 65_535],
    ["uint 32", "ce ff ff ff ff", 4_294_967_295],
    ["uint 64, exact", "cf 00 1f ff ff ff ff ff ff", Number.MAX_SAFE_INTEGER],
    ["uint 64, beyond", "cf 00 20 00 00 00 00 00 00", 2n ** 53n],
    ["uint 64, largest", "cf ff ff ff ff ff ff ff ff", 2n ** 64n - 1n],
    ["int 8", "d0 80", -128],
    ["int 16", "d1 80 00", -32_768],
    ["int 32", "d2 80 00 00 00", -2_147_483_648],
    ["int 64, exact", "d3 ff e0 00 00 00 00 00 01", Number.MIN_SAFE_INTEGER],
    ["int 64, beyond", "d3 ff e0 00 00 00 00 00 00", -(2n ** 53n)],
    ["int 64, smallest", "d3 80 00 00 00 00 00 00 00", -(2n ** 63n)],
    ["float 32", "ca 3f c0 00 00", 1.5],
    ["float 64", "cb 3f f8 00 00 00 00 00 00", 1.5],
    ["fixstr", "a2 c3 a9", "é"],
    ["str 8", "d9 01 61", "a"],
    ["str 16", "da 00 01 61", "a"],
    ["str 32", "db 00 00 00 01 61", "a"],
    ["bin 8", "c4 02 01 02", Uint8Array.of(1, 2)],
    ["bin 16", "c5 00 01 05", Uint8Array.of(5)],
    ["bin 32", "c6 00 00 00 00", new Uint8Array(0)],
    ["fixarray", "92 01 90", [1, []]],
    ["array 16", "dc 00 01 c0", [null]],
    ["array 32", "dd 00 00 00 01 c0", [null]],
    ["fixmap", "82 a1 61 01 a1 62 80", { a: 1, b: {} }],
    ["map 16", "de 00 01 a1 61 01", { a: 1 }],
    ["map 32", "df 00 00 00 01 d9 01 61 01", { a: 1 }],
    ["map with long key headers", "82 da 00 01 61 01 db 00 00 00 01 62 02", { a: 1, b: 2 }],
    ["timestamp", "d6 ff 00 00 00 01", new Date(1000)],
  ])("%s", (_name, digits, expected) => {
    expect(read(digits)).toEqual(expected);
  });
});

test("what the reference implementation writes is read to the same value", () => {
  fc.assert(
    fc.property(messagePackValue, (value) => {
      // With bigints the reference writes integers beyond 32 bits as floats, which read the same.
      expect(readMessagePack(encodeReference(value, { useBigInt64: true }), limits)).toEqual(value);
    }),
  );
});

test("binary is a copy, and a Uint8Array also where the message is a Node Buffer", () => {
  const body = Buffer.from(hex("00 c4 02 01 02")).subarray(1);
  const value = readMessagePack(body, limits) as Uint8Array;
  body.fill(0);
  expect(value).toStrictEqual(Uint8Array.of(1, 2));
  expect(Object.getPrototypeOf(value)).toBe(Uint8Array.prototype);
});

describe("lengths that lie", () => {
  test("the 160 bytes that kill a common decoder are refused at their first header", () => {
    const bomb = concat(...Array<Uint8Array>(32).fill(hex("dd 01 f7 8a 40"))); // 32 times "33 million elements follow"
    expect(bomb).toHaveLength(160);
    expect(reasonOf(() => readMessagePack(bomb, limits))).toBe("bad_request");
  });

  test("nested headers that each claim all remaining bytes are stopped by the number of values", () => {
    const levels = 30;
    const padding = 20_000;
    const headers = Array.from({ length: levels }, (_, level) => {
      const remaining = padding + 3 * (levels - level - 1);
      return Uint8Array.of(0xdc, remaining >> 8, remaining & 0xff);
    });
    const body = concat(...headers, new Uint8Array(padding));
    expect(reasonOf(() => readMessagePack(body, { ...limits, maxBytes: 1e6 }))).toBe("message_too_big");
  });

  test.each([
    ["str 32", "db ff ff ff ff 61"],
    ["bin 32", "c6 ff ff ff ff 61"],
    ["array 32", "dd ff ff ff ff c0"],
    ["map 32", "df ff ff ff ff a0 c0"],
    ["ext 32", "c9 ff ff ff ff ff 00"],
    ["str 8", "d9 02 61"],
    ["bin 16", "c5 00 02 61"],
    ["fixstr", "a2 61"],
    ["fixarray", "92 c0"],
    ["fixmap, whose entries need two bytes each", "82 a0 c0 a1"],
    ["map 16, announced by as many bytes as entries", "de 00 04 a0 c0 a0 c0"],
    ["ext 8", "c7 0c ff 00"],
  ])("%s is refused", (_name, digits) => {
    expect(reasonOf(() => read(digits))).toBe("bad_request");
  });

  test("every proper beginning of a message is refused", () => {
    fc.assert(
      fc.property(fc.oneof(messagePackValue, binaryValue), (value) => {
        const bytes = encodeReference(value, { useBigInt64: true });
        for (let end = 0; end < Math.min(bytes.length, 200); end++) {
          expect(reasonOf(() => readMessagePack(bytes.subarray(0, end), limits))).toBe("bad_request");
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("bounds", () => {
  test("a message one byte too long is refused", () => {
    expect(read("92 01 02", { maxBytes: 3 })).toEqual([1, 2]);
    expect(reasonOf(() => read("92 01 02", { maxBytes: 2 }))).toBe("message_too_big");
  });

  test("depth counts arrays and maps, the message being the first", () => {
    expect(read("91 81 a1 61 90", { maxDepth: 3 })).toEqual([{ a: [] }]);
    expect(reasonOf(() => read("91 81 a1 61 90", { maxDepth: 2 }))).toBe("too_deep");
    expect(read("94 90 90 80 90", { maxDepth: 2 })).toEqual([[], [], {}, []]);
  });

  test("200,000 nested arrays or maps are refused", () => {
    const changed = { ...limits, maxBytes: 1e6 };
    expect(reasonOf(() => readMessagePack(new Uint8Array(200_000).fill(0x91), changed))).toBe("too_deep");
    const maps = concat(...Array<Uint8Array>(40_000).fill(hex("81 a1 61")));
    expect(reasonOf(() => readMessagePack(maps, changed))).toBe("too_deep");
  });

  test("the number of values is exact: the message, entries, elements, but no keys", () => {
    expect(read("93 01 81 a1 61 02 90", { maxNodes: 5 })).toEqual([1, { a: 2 }, []]);
    expect(reasonOf(() => read("93 01 81 a1 61 02 90", { maxNodes: 4 }))).toBe("message_too_big");
  });
});

describe("what the format allows and Hubward does not", () => {
  test.each([
    ["a number as a key", "81 01 02"],
    ["nil as a key", "81 c0 02"],
    ["binary as a key", "81 c4 01 61 02"],
    ["a list as a key", "81 90 02"],
    ["the same key twice", "82 a1 61 01 a1 61 02"],
    ["the same key in two spellings", "82 a1 61 01 d9 01 61 02"],
    ["an unknown extension", "d4 05 00"],
    ["an unknown extension of length 0", "c7 00 01"],
    ["the byte that is never used", "c1"],
    ["the byte that is never used, nested", "91 c1"],
    ["bytes behind the message", "90 00"],
    ["two messages", "91 06 91 06"],
    ["nothing", ""],
  ])("%s is refused", (_name, digits) => {
    expect(reasonOf(() => read(digits))).toBe("bad_request");
  });

  test("the prototype's name is refused and nothing is polluted", () => {
    const key = "a9 5f 5f 70 72 6f 74 6f 5f 5f";
    expect(reasonOf(() => read(`81 ${key} 81 a1 78 01`))).toBe("bad_request");
    expect(reasonOf(() => read(`91 81 a1 61 81 d9 09 ${key.slice(3)} 01`))).toBe("bad_request");
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });

  test("other names of Object.prototype are ordinary members", () => {
    const value = read("82 ab 63 6f 6e 73 74 72 75 63 74 6f 72 01 a8 74 6f 53 74 72 69 6e 67 02") as object;
    expect(Object.entries(value)).toEqual([
      ["constructor", 1],
      ["toString", 2],
    ]);
  });

  test.each([
    ["short", "a2 c3 28"],
    ["long", "d9 0e 61 61 61 61 61 61 61 61 61 61 61 61 c3 28"],
    ["a surrogate", "a3 ed a0 80"],
    ["as a key", "81 a2 c3 28 01"],
  ])("text that is not UTF-8 is refused (%s)", (_name, digits) => {
    expect(reasonOf(() => read(digits))).toBe("malformed_unicode");
  });
});
