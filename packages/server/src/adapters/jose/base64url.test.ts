import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { base64urlSecret, decodeBase64url } from "./base64url.js";

describe("base64url", () => {
  test("bytes come back from their encoding", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), (bytes) => {
        expect(decodeBase64url(Buffer.from(bytes).toString("base64url"))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test("every text that decodes is the one spelling of its bytes", () => {
    const text = fc.string({ unit: fc.constantFrom(..."ABQZabgwz059-_"), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(text, (spelling) => {
        const again = Buffer.from(spelling, "base64url").toString("base64url");
        expect(decodeBase64url(spelling) !== undefined).toBe(again === spelling);
      }),
    );
  });

  test.each(["", "A", "AB", "AAB", "AA==", "AA=", "A+A", "A/A", "AA\n", " AA", "AÄ", "AAAAA"])(
    "%j is refused",
    (text) => {
      expect(decodeBase64url(text)).toBeUndefined();
    },
  );

  test("the text of a secret is decoded, and refused where it is no base64url", () => {
    expect(base64urlSecret("_-8")).toEqual(new Uint8Array([0xff, 0xef]));
    expect(() => base64urlSecret("-----BEGIN PUBLIC KEY-----")).toThrow(TypeError);
    expect(() => base64urlSecret("AA==")).toThrow(TypeError);
  });
});
