import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HubwardError } from "../reasons.js";
import { buildMessage } from "./envelope.js";
import { jsonCodec } from "./json-codec.js";
import { outline } from "../encoding/json-outline.js";
import { readPlainCall } from "./json-plain-call.js";
import { decodeLimitDefaults } from "./messages.js";
import { decodeUtf8, encodeUtf8 } from "../encoding/utf8.js";

const members = {
  type: fc.constantFrom("1", "4", "3", "1.0", "11", '"1"', "1e0"),
  invocationId: fc.constantFrom('"0"', '"a b"', '""', "null", '"\\u0041"', '"é"', '"\t"', '"a","b"', '"a"1'),
  target: fc.constantFrom('"Echo"', '"echo"', '"E\\"cho"', "7", '"Echo', 'Echo"'),
  arguments: fc.constantFrom("[]", '["BP 120/80"]', "[1,[2,{}]]", "{}", "[1}", "[1],2", '["}"]', '["a,b:c"]', "[1,]"),
};
const member = fc
  .constantFrom(...(Object.keys(members) as (keyof typeof members)[]))
  .chain((name) => members[name].map((value) => `"${name}":${value}`));
/** Nearly all of it as clients write it, so that many are taken. */
const mostly = (usual: readonly string[], unusual: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...usual) }, unusual);
const usualMembers = fc.tuple(
  fc.constantFrom("1", "4"),
  mostly(["[]", '["BP 120/80"]', "[1,[2,{}]]", '["a,b:c"]', "[1}", "[1],2", "[1,]"], members.arguments),
  mostly(['"Echo"', '"e c-h.o"'], members.target),
  mostly(['"0"', '"a b"'], members.invocationId),
);
const separator = fc.oneof(
  { weight: 12, arbitrary: fc.constant(",") },
  fc.constantFrom(", ", ",,", "", "}", "},{", ":"),
);

/** Mostly calls as clients write them, some of them with something wrong in the middle. */
const nearlyCalls = fc
  .tuple(
    fc.oneof({ weight: 12, arbitrary: fc.constant("{") }, fc.constantFrom(" {", "[", "")),
    fc.oneof(
      { weight: 3, arbitrary: fc.tuple(...[1, 2, 3, 4].map(() => member)) },
      usualMembers.chain(([type, values, target, id]) => {
        const all = [`"arguments":${values}`, `"invocationId":${id}`, `"target":${target}`, `"type":${type}`];
        return fc.shuffledSubarray(all, { minLength: 3 });
      }),
    ),
    fc.array(separator, { minLength: 4, maxLength: 4 }),
    fc.oneof({ weight: 12, arbitrary: fc.constant("}") }, fc.constantFrom("} ", "}}", "]", "")),
  )
  .map(([open, parts, separators, close]) => {
    const body = parts.map((part, at) => (at === 0 ? part : `${separators[at]}${part}`)).join("");
    return `${open}${body}${close}`;
  });

function plain(text: string): unknown {
  const body = encodeUtf8(text);
  return readPlainCall(body, decodeUtf8(body), outline(body, decodeLimitDefaults), JSON.parse);
}

describe("a call without whitespace, escapes and anything unusual", () => {
  it("is read in whatever order its members stand", () => {
    const parts = ['"type":1', '"target":"Echo"', '"arguments":["a, b: {c}"]', '"invocationId":"7"'];
    for (let turn = 0; turn < parts.length; turn++) {
      const text = `{${[...parts.slice(turn), ...parts.slice(0, turn)].join(",")}}`;
      expect(plain(text)).toEqual({ type: 1, target: "Echo", arguments: ["a, b: {c}"], invocationId: "7" });
    }
    expect(plain('{"arguments":[],"target":"Ticks","type":4}')).toMatchObject({ type: 4, invocationId: undefined });
  });

  it.each([
    ["whitespace", '{"type":1, "target":"Echo","arguments":[]}'],
    ["an escape", '{"type":1,"target":"\\u0045cho","arguments":[]}'],
    ["more than ASCII", '{"type":1,"target":"Echo","arguments":["é"]}'],
    ["a member twice", '{"type":1,"type":1,"target":"Echo","arguments":[]}'],
    ["another member", '{"type":1,"target":"Echo","arguments":[],"streamIds":[]}'],
    ["another type", '{"type":2,"target":"Echo","arguments":[]}'],
    ["two objects", '{"type":1,"target":"Echo","arguments":[]}{"a":1}'],
  ])("is left to JSON.parse where it has %s", (_what, text) => {
    expect(plain(text)).toBeUndefined();
  });

  it("is never read otherwise than JSON.parse reads it, and nothing is taken that JSON.parse refuses", () => {
    let taken = 0;
    fc.assert(
      fc.property(nearlyCalls, (text) => {
        const expected = attempt(() => {
          const value: unknown = JSON.parse(text);
          if (typeof value !== "object" || value === null) throw new HubwardError("bad_request");
          return value;
        });
        const found = attempt(() => plain(text));
        if (found === undefined) return;
        taken++;
        // What JSON.parse refuses in the arguments it refuses in the whole.
        expect(found === "refused" ? found : JSON.parse(JSON.stringify(found))).toEqual(expected);
      }),
      { numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it("becomes the message that the long way round makes of it", () => {
    fc.assert(
      fc.property(nearlyCalls, (text) => {
        const long = attempt(() => {
          const raw = JSON.parse(text) as Record<string, unknown>;
          if (Object.keys(raw).length !== text.match(/"(type|target|arguments|invocationId)":/g)?.length)
            throw new HubwardError("bad_request");
          return buildMessage(raw, decodeLimitDefaults);
        });
        expect(attempt(() => jsonCodec.decode(encodeUtf8(text)))).toEqual(long);
      }),
      { numRuns: 2_000 },
    );
  });
});

function attempt<T>(run: () => T): T | "refused" {
  try {
    return run();
  } catch {
    return "refused";
  }
}
