import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allocate } from "./memory.js";

describe("memory that is handed out", () => {
  it("is as long as asked for, zero, and nobody else's", () => {
    const lengths = fc.array(fc.oneof(fc.nat(300), fc.constantFrom(0, 256, 257, 1024, 5_000)), { maxLength: 100 });
    fc.assert(
      fc.property(lengths, (asked) => {
        const pieces = asked.map((length) => allocate(length));
        pieces.forEach((piece, index) => {
          expect(piece.length).toBe(asked[index]);
          expect(piece.every((byte) => byte === 0)).toBe(true);
          piece.fill(1 + (index % 255));
        });
        pieces.forEach((piece, index) => expect(piece.every((byte) => byte === 1 + (index % 255))).toBe(true));
      }),
    );
  });

  it("is kept in blocks of a kilobyte at most by a short piece, and alone by a long one", () => {
    for (let count = 0; count < 100; count++) expect(allocate(100).buffer.byteLength).toBe(1024);
    expect(allocate(257).buffer.byteLength).toBe(257);
  });
});
