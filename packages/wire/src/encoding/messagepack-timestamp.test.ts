import { decode as decodeReference, encode as encodeReference } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex, reasonOf } from "../../test/arbitrary-messages.js";
import { readTimestamp, renderTimestamp } from "./messagepack-timestamp.js";

function read(digits: string): Date {
  const bytes = hex(digits);
  return readTimestamp(new DataView(bytes.buffer), 0, bytes.length);
}

test.each([
  ["the epoch in 32 bits", "d6 ff 00 00 00 00", 0],
  ["the last second of 32 bits", "d6 ff ff ff ff ff", 4_294_967_295_000],
  ["a millisecond in 64 bits", "d7 ff 00 3d 09 00 00 00 00 00", 1],
  ["a second beyond 32 bits", "d7 ff 00 00 00 01 00 00 00 00", 4_294_967_296_000],
  ["the last second of 34 bits", "d7 ff 00 00 00 03 ff ff ff ff", 17_179_869_183_000],
  ["a second beyond 34 bits", "c7 0c ff 00 00 00 00 00 00 00 04 00 00 00 00", 17_179_869_184_000],
  ["a millisecond before the epoch", "c7 0c ff 3b 8b 87 c0 ff ff ff ff ff ff ff ff", -1],
])("%s is written and read to the bit", (_name, digits, ms) => {
  expect(renderTimestamp(new Date(ms))).toEqual(hex(digits));
  const payload = digits.startsWith("c7") ? digits.slice(9) : digits.slice(6);
  expect(read(payload)).toEqual(new Date(ms));
});

test("agrees with the reference implementation on every time", () => {
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true }), (time) => {
      expect(renderTimestamp(time)).toEqual(encodeReference(time));
      expect(decodeReference(renderTimestamp(time))).toEqual(time);
    }),
  );
});

test("what is finer than a millisecond is cut off", () => {
  expect(read("3b 9a c9 ff 00 00 00 00 00 00 00 00")).toEqual(new Date(999));
  expect(read("3b 9a c9 ff ff ff ff ff ff ff ff ff")).toEqual(new Date(-1));
});

describe("refused", () => {
  test.each([
    ["a second of nanoseconds in 64 bits", "ee 6b 28 00 00 00 00 00"],
    ["a second of nanoseconds in 96 bits", "3b 9a ca 00 00 00 00 00 00 00 00 00"],
    ["a time no Date has", "00 00 00 00 7f ff ff ff ff ff ff ff"],
    ["a time no Date has, long ago", "00 00 00 00 80 00 00 00 00 00 00 00"],
    ["another length", "00 00 00"],
    ["no length", ""],
  ])("%s", (_name, digits) => {
    expect(reasonOf(() => read(digits))).toBe("bad_request");
  });

  test("an invalid Date has no form", () => {
    expect(() => renderTimestamp(new Date(Number.NaN))).toThrow(TypeError);
  });
});
