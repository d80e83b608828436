import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { groupOf, template } from "../../../test/hub-fixture.js";
import { groupKey, parsePattern } from "./group.js";

const ward = template("ward/{ward}");
const bed = template("ward/{ward}/bed/{bed}");
const lobby = template("lobby");

/** Names out of everything a separator, a pattern or a tenant could be confused with. */
const hostileName = fc
  .oneof(
    fc.string({
      unit: fc.constantFrom("-", ":", "/", "{", "}", "1", "2", "7", "a", "é", "general", "ward"),
      minLength: 1,
      maxLength: 8,
    }),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }).map((name) => name.normalize("NFC")),
    fc.constantFrom("__proto__", "constructor", "ward/{ward}", "-", "0:", "2:ab"),
  )
  .filter((name) => name.length > 0 && !/[\p{Cc}\p{Cs}]/u.test(name) && name.normalize("NFC") === name);
const tenant = fc.option(fc.oneof(hostileName, fc.constant("")), { nil: undefined });

describe("the key of a group", () => {
  it("is the same for the same tenant, template and values, and for nothing else, however hostile the names", () => {
    const some = fc.oneof(
      fc.record({ tenant, kind: fc.constant(lobby), values: fc.constant({}) }),
      fc.record({ tenant, kind: fc.constant(ward), values: fc.record({ ward: hostileName }) }),
      fc.record({ tenant, kind: fc.constant(bed), values: fc.record({ ward: hostileName, bed: hostileName }) }),
    );
    fc.assert(
      fc.property(some, some, (a, b) => {
        const isSame =
          a.tenant === b.tenant &&
          a.kind === b.kind &&
          a.kind.parameters.every(
            (name) => (a.values as Record<string, string>)[name] === (b.values as Record<string, string>)[name],
          );
        const keys = [a, b].map((each) => groupKey(each.tenant, groupOf(each.kind, each.values)));
        expect(keys[0] === keys[1]).toBe(isSame);
      }),
      { numRuns: 3_000 },
    );
  });

  it("tells tenants apart that a joined string would not", () => {
    const keys = [
      groupKey("a", groupOf(ward, { ward: "b" })),
      groupKey("a1:b", groupOf(ward, { ward: "b" })),
      groupKey(undefined, groupOf(ward, { ward: "b" })),
      groupKey("", groupOf(ward, { ward: "b" })),
      groupKey("-", groupOf(ward, { ward: "b" })),
      groupKey("a", groupOf(ward, { ward: "B" })),
      groupKey("a", groupOf(bed, { ward: "b", bed: "b" })),
      groupKey("a", groupOf(bed, { ward: "bb", bed: "b" })),
      groupKey("a", groupOf(template("ward/{other}"), { other: "b" })),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it.each([
    ["a name that is not in NFC", "e\u0301"],
    ["a lone high surrogate", "r\ud800"],
    ["a lone low surrogate", "r\udfff"],
    ["surrogates the wrong way round", "\udc00\ud800"],
    ["a line feed", "icu\nforged"],
    ["a NUL", "icu\u0000"],
    ["an escape", "\u001b[31m"],
    ["a C1 control", "\u0085"],
    ["an empty name", ""],
    ["a name that is too long", "x".repeat(129)],
    ["a number", 7],
    ["nothing", undefined],
    ["an object", { toString: () => "icu" }],
    ["a text object", Object("icu")],
  ])("does not exist for %s", (_, name) => {
    expect(() => groupKey("general", groupOf(ward, { ward: name as string }))).toThrow(TypeError);
  });

  it.each(["é", "\u{1f3e5}", "x".repeat(128), "a b", "__proto__", "{ward}", "../.."])("exists for %j", (name) => {
    expect(groupKey("general", groupOf(ward, { ward: name }))).toContain(name);
  });

  it("does not read values from the prototype", () => {
    const values = Object.create({ ward: "icu" }) as Record<string, string>;
    expect(groupKey(undefined, groupOf(ward, { ...values, ward: "er" }))).toContain("er");
    expect(() => groupKey(undefined, groupOf(template("x/{constructor}"), {}))).toThrow(TypeError);
  });
});

describe("a group's template", () => {
  it.each<[string, string[]]>([
    ["lobby", []],
    ["ward/{ward}", ["ward"]],
    ["Ward-1/a_b/{x}/c/{y1}", ["x", "y1"]],
  ])("%s has parameters %j", (pattern, parameters) => {
    expect(parsePattern(pattern)).toEqual(parameters);
  });

  it.each([
    "",
    "/",
    "ward/",
    "/ward",
    "ward//x",
    "{ward}",
    "ward/{}",
    "ward/{a}{b}",
    "ward/x{a}",
    "ward/{a b}",
    "wärd",
    "1ward",
    "ward/{a}\n",
    "ward/{a}/{a}",
    "ward {a}",
  ])("%j is none", (pattern) => {
    expect(() => parsePattern(pattern)).toThrow(TypeError);
  });
});

describe("a reference that a peer wrote", () => {
  it("names no group, whatever its shape: only declared templates do", () => {
    const forged = {
      template: { pattern: "ward/{ward}", parameters: ["ward"], requirements: [] },
      values: { ward: "a" },
    };
    expect(() => groupKey("t", forged)).toThrow(TypeError);
    expect(groupKey("t", groupOf(ward, { ward: "a" }))).toContain("ward");
  });
});
