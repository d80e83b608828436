import { describe, expect, it } from "vitest";
import { LineDialect, text } from "../../test/connection-fixture.js";
import type { GroupKey, GroupPlace } from "./groups/group.js";
import type { WhenSlow } from "./groups/when-slow.js";
import { Publication, type Frame } from "./publication.js";

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

describe("a publication to a group with a rule for slow peers", () => {
  const icu = "icu" as GroupKey;
  const placeOf = (whenSlow: WhenSlow | undefined): GroupPlace => ({
    template: { pattern: "icu", whenSlow },
    values: {},
  });
  const yieldsOf = (whenSlow: WhenSlow | undefined, event = "vitals", group = icu): Frame["yields"] =>
    new Publication(event, ["7"], group, placeOf(whenSlow)).frameFor(new LineDialect())?.yields;

  it("says in its frames how they make way", () => {
    expect([undefined, "close", "drop-oldest"].map((rule) => yieldsOf(rule as WhenSlow))).toEqual([
      undefined,
      undefined,
      "drop",
    ]);
    const latest = { latest: (_: string, [bed]: readonly unknown[]) => bed as string };
    const key = yieldsOf(latest);
    expect(key).toEqual({ key: expect.any(String) as string });
    expect(yieldsOf(latest)).toEqual(key);
    // Numbers are taken as their text.
    expect(yieldsOf({ latest: () => 7 })).toEqual(key);
    expect([yieldsOf(latest, "alarm"), yieldsOf(latest, "vitals", "er" as GroupKey)]).not.toContainEqual(key);
    expect(yieldsOf({ latest: () => undefined })).toBeUndefined();
  });

  it("asks for its key once for all dialects, and not before it is rendered", () => {
    const asked: unknown[] = [];
    const latest = (...said: readonly unknown[]): string => {
      asked.push(said);
      return "7";
    };
    const publication = new Publication("vitals", ["7", 80], icu, placeOf({ latest }));
    expect(asked).toEqual([]);
    const frames = [new LineDialect(), new LineDialect()].map((dialect) => publication.frameFor(dialect));
    expect(asked).toEqual([["vitals", ["7", 80]]]);
    expect(frames[0]?.yields).toBe(frames[1]?.yields);
  });

  it.each([
    ["throws", () => JSON.parse("{")],
    ["is no text and no number", () => ({}) as string],
    ["is promised, and does not come", () => Promise.reject(new Error("late")) as unknown as string],
  ])("is told all the same where its key %s, and stands for itself", (_, latest) => {
    const publication = new Publication("vitals", [], icu, placeOf({ latest: latest as () => string }));
    const frames = [new LineDialect(), new LineDialect()].map((dialect) => publication.frameFor(dialect));
    expect(frames.map((frame) => [text(frame?.bytes ?? new Uint8Array()), frame?.yields])).toEqual([
      ["vitals([])\n", undefined],
      ["vitals([])\n", undefined],
    ]);
    expect(publication.failure).toBeInstanceOf(Error);
  });
});
