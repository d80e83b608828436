import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { maxRoomNameBytes, parseRoomName, writeRoomName } from "./room-name.js";

/** As a group's values may be: what groupKey of the server accepts. */
const isGroupValue = (value: string): boolean =>
  value.length > 0 && value.length <= 128 && !/[\p{Cc}\p{Cs}]/u.test(value) && value.normalize("NFC") === value;

/** The documented characters of a value, character by character, said otherwise than the implementation says it. */
function isOnTheList(value: string): boolean {
  if (value === "." || value === ".." || value !== value.trim() || value.includes("  ")) return false;
  const characters = [...value];
  return characters.every((character, index) => {
    if (/\p{Default_Ignorable_Code_Point}/u.test(character)) return false;
    if (/\p{M}/u.test(character)) return index > 0 && /[\p{L}\p{Nd}\p{M}]/u.test(characters[index - 1] as string);
    return /[\p{L}\p{Nd}]/u.test(character) || " -_.~:@!$&'()*+,;=/%".includes(character);
  });
}

const strange = [
  "\u0301 \u0338 \u093f \u200b \u200d \u202e \u2066 \ufeff \u00ad \ufe0f \u034f \u3164 \u1160 \u2028 \u00a0 \u3000 \u212b",
  "\u1100 \u1161 😀 𝒜 ½ %2F %25 ..",
].flatMap((row) => row.split(" "));
const interesting = fc.constantFrom(..."aZéß中अא5٣ -_.~:@!$&'()*+,;=/%2F#?\"<\\|^`{}[]", ...strange);
const listed = fc.constantFrom(..."aZéß中अא5٣-_.~:@!$&'()*+,;=/%2F", "a\u0327", "b c");
const value = fc
  .oneof(
    { arbitrary: fc.string({ unit: listed, minLength: 1, maxLength: 6 }), weight: 3 },
    fc.string({ unit: interesting, minLength: 1, maxLength: 12 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 12 }),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
  )
  .filter(isGroupValue);
const generous = 10_000;

describe("a name that was written is read back", () => {
  it("to the values it was written from, where they are on the list, and refused where they are not", () => {
    let read = 0;
    fc.assert(
      fc.property(value, value, (ward, bed) => {
        const name = writeRoomName("ward/{ward}/bed/{bed}", { ward, bed });
        const expected = isOnTheList(ward) && isOnTheList(bed) ? ["ward", ward, "bed", bed] : undefined;
        expect(parseRoomName(name, generous)).toEqual(expected);
        if (expected !== undefined) read++;
      }),
      { numRuns: 3000 },
    );
    expect(read, "some are on the list").toBeGreaterThan(300);
  });

  it("also where they consist of nothing but what is escaped", () => {
    const escaped = fc.string({
      unit: fc.constantFrom("/", "%", "2", "F", "5", "f", "."),
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(escaped.filter(isOnTheList), (each) => {
        expect(parseRoomName(writeRoomName("r/{x}", { x: each }), generous)).toEqual(["r", each]);
      }),
    );
  });

  it("and written again it is the same: a room has one name", () => {
    const name = fc.oneof(
      fc.string({ unit: interesting, minLength: 1, maxLength: 12 }),
      fc.string({ unit: fc.constantFrom("a", "/", "%2F", "%25", "%2f", "%", ".", " "), minLength: 1, maxLength: 8 }),
    );
    fc.assert(
      fc.property(name, (text) => {
        const segments = parseRoomName(text, generous);
        if (segments === undefined) return;
        const values = Object.fromEntries(segments.map((segment, index) => [`v${index}`, segment]));
        expect(writeRoomName(segments.map((_, index) => `{v${index}}`).join("/"), values)).toBe(text);
      }),
      { numRuns: 3000 },
    );
  });
});

it("different values never give the same name, on the list or not", () => {
  const tricky = fc.string({
    unit: fc.constantFrom("a", "/", "%", "2", "F", "5", "😀", "\u202e", "\u0301", "#"),
    minLength: 1,
    maxLength: 4,
  });
  const pair = fc.tuple(tricky, tricky);
  fc.assert(
    fc.property(pair, pair, ([a, b], [c, d]) => {
      const same = a === c && b === d;
      expect(writeRoomName("w/{x}/{y}", { x: a, y: b }) === writeRoomName("w/{x}/{y}", { x: c, y: d })).toBe(same);
    }),
    { numRuns: 3000 },
  );
});

describe("a name", () => {
  test.each<[string, readonly string[]]>([
    ["lobby", ["lobby"]],
    ["ward/icu", ["ward", "icu"]],
    ["Ward/ICU", ["Ward", "ICU"]],
    ["ward/a%2Fb%25c", ["ward", "a/b%c"]],
    ["ward/%2F", ["ward", "/"]],
    ["ward/%252F", ["ward", "%2F"]],
    ["ward/..a", ["ward", "..a"]],
    ["ward/...", ["ward", "..."]],
    ["ward/.%2F.", ["ward", "./."]],
    ["ward/bed 4", ["ward", "bed 4"]],
    ["ward/o'neil+x@example.org", ["ward", "o'neil+x@example.org"]],
    ["ward/हिन्दी", ["ward", "हिन्दी"]],
    ["ward/סגול", ["ward", "סגול"]],
    ["ward/Ångström", ["ward", "Ångström"]],
    ["__proto__/constructor", ["__proto__", "constructor"]],
  ])("is %j", (name, segments) => {
    expect(parseRoomName(name)).toEqual(segments);
  });

  test.each<[what: string, name: string]>([
    ["empty", ""],
    ["an empty segment", "ward/"],
    ["an empty segment in front", "/ward"],
    ["an empty segment between", "ward//icu"],
    ["a slash", "/"],
    ["the folder itself", "ward/."],
    ["the folder above", "ward/../admin"],
    ["the folder above alone", ".."],
    ["a lower-case escape", "ward/a%2fb"],
    ["an escape nobody needs", "ward/%61"],
    ["an escaped dot", "ward/%2E%2E"],
    ["an escaped null", "ward/%00"],
    ["half an escape", "ward/%2"],
    ["a bare percent sign", "ward/100%"],
    ["a space in front", "ward/ icu"],
    ["a space behind", "ward/icu "],
    ["two spaces", "ward/bed  4"],
    ["a space alone", "ward/ "],
    ["a no-break space", "ward/bed\u00a04"],
    ["a line break", "ward/icu\n"],
    ["a tab", "ward/bed\t4"],
    ["a null", "ward/\0"],
    ["decomposed", "ward/e\u0301"],
    ["a compatibility letter that NFC changes", "ward/\u212b"],
    ["a mark on the slash", "ward/\u0301a"],
    ["a mark on an escape", "ward/%2F\u0307"],
    ["a mark on a sign", "ward/-\u0327"],
    ["right to left", "ward/\u202egnp"],
    ["an isolate", "ward/\u2066a\u2069"],
    ["a zero-width space", "ward/i\u200bcu"],
    ["a zero-width joiner", "ward/i\u200dcu"],
    ["a byte order mark", "\ufeffward/icu"],
    ["a soft hyphen", "ward/i\u00adcu"],
    ["a variation selector", "ward/a\ufe0f"],
    ["a grapheme joiner", "ward/a\u034f"],
    ["a Hangul filler", "ward/\u3164"],
    ["a lone surrogate", "ward/\ud800"],
    ["the other half", "ward/\udfffx"],
    ["an emoji", "ward/😀"],
    ["a private character", "ward/\ue000"],
    ["an unassigned one", "ward/\u0378"],
    ["a fraction", "ward/½"],
    ["a quote", 'ward/"'],
    ["a backslash", "ward\\icu"],
    ["an angle bracket", "ward/<b>"],
    ["a brace", "ward/{ward}"],
    ["a question mark", "ward/icu?x"],
    ["a number sign", "ward/#1"],
    ["another slash", "ward/a\u2215b"],
  ])("is not %s", (_, name) => {
    expect(parseRoomName(name)).toBeUndefined();
  });

  it("has 128 bytes at most, in UTF-8 and as it is written", () => {
    expect(maxRoomNameBytes).toBe(128);
    expect(parseRoomName("a".repeat(128))).toEqual(["a".repeat(128)]);
    expect(parseRoomName("a".repeat(129))).toBeUndefined();
    expect(parseRoomName("é".repeat(64))).toEqual(["é".repeat(64)]);
    expect(parseRoomName(`${"é".repeat(64)}a`)).toBeUndefined();
    expect(parseRoomName("%2F".repeat(43))).toBeUndefined();
    expect(parseRoomName("ward", 4)).toEqual(["ward"]);
    expect(parseRoomName("ward", 3)).toBeUndefined();
  });

  it("that is long and nearly right is refused in no time", () => {
    for (const unit of ["a\u0327", "a ", " ", "%2", "%2F", "a", "\u0327", "a/", "."])
      expect(parseRoomName(`${unit.repeat(100_000)}\0`, 1e7)).toBeUndefined();
  });
});

it("a parameter must have a value of its own", () => {
  expect(() => writeRoomName("ward/{ward}", {})).toThrow(TypeError);
  expect(() => writeRoomName("ward/{toString}", {})).toThrow(TypeError);
  expect(writeRoomName("lobby", {})).toBe("lobby");
  expect(writeRoomName("a/{x}/{y}", { x: "{y}", y: "$&" }), "values are not looked through").toBe("a/{y}/$&");
});
