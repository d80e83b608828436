import { describe, expect, it } from "vitest";
import { LineDialect, text } from "../../test/connection-fixture.js";
import type { GroupKey } from "./groups/group.js";
import { Publication } from "./publication.js";

describe("a publication", () => {
  it("is rendered when first asked for, once per dialect, whatever the order of asking", () => {
    const dialects = [new LineDialect(), new LineDialect(), new LineDialect()] as const;
    const publication = new Publication("note", ["a", 1], "icu" as GroupKey);
    expect(dialects.map(({ rendered }) => rendered)).toEqual([0, 0, 0]);
    const [first, second, third] = dialects.map((dialect) => publication.frameFor(dialect));
    for (const index of [2, 0, 1, 1, 0, 2]) {
      const dialect = dialects[index] as LineDialect;
      expect(publication.frameFor(dialect)).toBe([first, second, third][index]);
    }
    expect(dialects.map(({ rendered }) => rendered)).toEqual([1, 1, 1]);
    expect(new Set([first, second, third]).size).toBe(3);
    expect(first).toMatchObject({ group: "icu" });
    expect(text(first?.bytes ?? new Uint8Array())).toBe('note(["a",1])\n');
  });

  it("that has no form in one dialect is tried there once, remembers why, and is told in the others", () => {
    let tries = 0;
    const failure = new TypeError("no form for this");
    const dialect = {
      name: "broken",
      renderEvent: (): Uint8Array => {
        tries++;
        throw failure;
      },
    };
    const publication = new Publication("note", [], undefined);
    expect(publication.failure).toBeUndefined();
    expect([publication.frameFor(dialect), publication.frameFor(dialect), tries]).toEqual([undefined, undefined, 1]);
    expect(publication.frameFor(new LineDialect())?.bytes).toHaveLength("note([])\n".length);
    expect(publication.failure).toBe(failure);
  });
});
