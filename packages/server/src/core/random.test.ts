import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64url } from "./random.js";

describe("base64url", () => {
  it("writes what Node writes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        expect(base64url(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
      }),
    );
  });
});
