import fc from "fast-check";
import { expect, test } from "vitest";
import { hex, reasonOf, utf8 } from "../../test/arbitrary-messages.js";
import { decodeUtf8, utf8Length } from "./utf8.js";

test.each([
  ["a continuation byte that is none", "c3 28"],
  ["an overlong slash", "c0 af"],
  ["a surrogate", "ed a0 80"],
  ["a character beyond Unicode", "f4 90 80 80"],
  ["a cut character", "e2 82"],
])("%s is refused, not replaced", (_name, bytes) => {
  expect(reasonOf(() => decodeUtf8(hex(bytes)))).toBe("malformed_unicode");
});

test("a byte order mark stays part of the text", () => {
  expect(decodeUtf8(hex("ef bb bf 61"))).toBe("\uFEFFa");
});

test("the length of well-formed text is the number of its bytes", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => utf8Length(text) === utf8(text).length));
});

test("text with a lone surrogate has no length", () => {
  const loneSurrogate = /\p{Surrogate}/u;
  const anyUnits = fc.array(fc.oneof(fc.integer({ min: 0xd7f0, max: 0xe00f }), fc.nat(0xffff)), { maxLength: 8 });
  fc.assert(
    fc.property(anyUnits, (units) => {
      const text = String.fromCharCode(...units);
      expect(utf8Length(text)).toBe(loneSurrogate.test(text) ? -1 : utf8(text).length);
    }),
  );
});
