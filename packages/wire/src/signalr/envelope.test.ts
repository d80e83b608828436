import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { reasonOf, utf8 } from "../../test/arbitrary-messages.js";
import { jsonCodec } from "./json-codec.js";
import { messagePackCodec } from "./messagepack-codec.js";
import { decodeLimitDefaults } from "./messages.js";
import type { DecodeLimits, HubMessage } from "./messages.js";

/** The shape rules, tried through both encodings: every verdict must be the same. */
type Fields = Readonly<Record<string, unknown>>;

const decodeJson = (fields: Fields, limits?: DecodeLimits): HubMessage | undefined =>
  jsonCodec.decode(utf8(JSON.stringify(fields)), limits);

/** Absent fields become nil: MessagePack has no other way to leave one out. */
function decodeMessagePack(fields: Fields, limits?: DecodeLimits): HubMessage | undefined {
  const { type, headers = {}, invocationId = null } = fields;
  const head = [type, headers, invocationId];
  const elements = ((): unknown[] => {
    switch (type) {
      case 1:
      case 4:
        return [
          ...head,
          fields["target"],
          fields["arguments"],
          ...("streamIds" in fields ? [fields["streamIds"]] : []),
        ];
      case 2:
        return "item" in fields ? [...head, fields["item"]] : head;
      case 5:
        return head;
      case 7:
        return [type, fields["error"], ...("allowReconnect" in fields ? [fields["allowReconnect"]] : [])];
      case 8:
      case 9:
        return [type, fields["sequenceId"]];
      default:
        return [type];
    }
  })();
  return messagePackCodec.decode(encode(elements), limits);
}

const encodings = [
  ["json", decodeJson],
  ["messagepack", decodeMessagePack],
] as const;

describe.each(encodings)("in %s", (_name, decode) => {
  const call = { type: 1, target: "T", arguments: [] };

  test.each<[string, Fields]>([
    ["a type that is text", { type: "1", target: "T", arguments: [] }],
    ["a type that is null", { type: null }],
    ["a type that is missing", {}],
    ["a type with a fraction", { type: 1.5, target: "T", arguments: [] }],
    ["no target", { type: 1, arguments: [] }],
    ["a target that is a number", { ...call, target: 7 }],
    ["no arguments", { type: 1, target: "T" }],
    ["arguments that are null", { ...call, arguments: null }],
    ["arguments that are an object", { ...call, arguments: { 0: 1, length: 1 } }],
    ["an id that is a number", { ...call, invocationId: 1 }],
    ["a stream call without an id", { ...call, type: 4 }],
    ["a stream call with an empty id", { ...call, type: 4, invocationId: "" }],
    ["stream ids that are text", { ...call, streamIds: "1" }],
    ["a stream id that is a number", { ...call, streamIds: [1] }],
    ["a stream id that is empty", { ...call, streamIds: [""] }],
    ["headers that are a list", { ...call, headers: [] }],
    ["headers that are text", { ...call, headers: "a" }],
    ["a header that is a number", { ...call, headers: { a: "b", c: 1 } }],
    ["an item without an id", { type: 2, item: 1 }],
    ["a stream item without an item", { type: 2, invocationId: "1" }],
    ["a cancellation without an id", { type: 5 }],
    ["a close with a number for an error", { type: 7, error: 1 }],
    ["a close with text for allowReconnect", { type: 7, allowReconnect: "true" }],
    ["an ack without a number", { type: 8 }],
    ["an ack with a fraction", { type: 8, sequenceId: 1.5 }],
    ["an ack below zero", { type: 8, sequenceId: -1 }],
    ["an ack that is text", { type: 8, sequenceId: "1" }],
    ["a sequence beyond exact numbers", { type: 9, sequenceId: 2 ** 53 }],
    ["a sequence that is null", { type: 9, sequenceId: null }],
  ])("%s is refused", (_title, fields) => {
    expect(reasonOf(() => decode(fields))).toBe("bad_request");
  });

  test.each<[string, Fields, HubMessage | undefined]>([
    ["an id that is null", { ...call, invocationId: null }, { type: 1, target: "T", arguments: [] }],
    ["a target that is empty", { ...call, target: "" }, { type: 1, target: "", arguments: [] }],
    ["an id that is empty", { ...call, invocationId: "" }, { type: 1, target: "T", arguments: [] }],
    ["stream ids that are null", { ...call, streamIds: null }, { type: 1, target: "T", arguments: [] }],
    ["stream ids that are none", { ...call, streamIds: [] }, { type: 1, target: "T", arguments: [] }],
    ["headers that are null", { ...call, headers: null }, { type: 1, target: "T", arguments: [] }],
    ["headers that are none", { ...call, headers: {} }, { type: 1, target: "T", arguments: [] }],
    ["a close error that is null", { type: 7, error: null, allowReconnect: true }, { type: 7, allowReconnect: true }],
    ["allowReconnect that is null", { type: 7, error: "e", allowReconnect: null }, { type: 7, error: "e" }],
    ["allowReconnect that is false", { type: 7, error: "e", allowReconnect: false }, { type: 7, error: "e" }],
    ["an item that is null", { type: 2, invocationId: "1", item: null }, { type: 2, invocationId: "1", item: null }],
    ["the largest sequence", { type: 9, sequenceId: 2 ** 53 - 1 }, { type: 9, sequenceId: 2 ** 53 - 1 }],
    ["a type of a later version", { type: 10 }, undefined],
    ["a negative type", { type: -1 }, undefined],
    ["type zero", { type: 0 }, undefined],
  ])("%s is accepted", (_title, fields, message) => {
    expect(decode(fields)).toEqual(message);
  });

  test("names are measured in bytes of UTF-8", () => {
    const atLimit = { type: 1, invocationId: "é".repeat(32), target: "é".repeat(64), arguments: [] };
    expect(decode(atLimit)).toMatchObject(atLimit);
    expect(reasonOf(() => decode({ ...atLimit, target: `${"é".repeat(64)}a` }))).toBe("bad_request");
    expect(reasonOf(() => decode({ ...atLimit, target: "a".repeat(129) }))).toBe("bad_request");
    expect(reasonOf(() => decode({ ...atLimit, invocationId: `${"é".repeat(32)}a` }))).toBe("bad_request");
    expect(reasonOf(() => decode({ ...atLimit, streamIds: ["1", "a".repeat(65)] }))).toBe("bad_request");
  });

  test("arguments and streams are counted", () => {
    const atLimit = { ...call, arguments: Array(16).fill(1), streamIds: Array(8).fill("s") };
    expect(decode(atLimit)).toMatchObject(atLimit);
    expect(reasonOf(() => decode({ ...atLimit, arguments: Array(17).fill(1) }))).toBe("bad_request");
    expect(reasonOf(() => decode({ ...atLimit, streamIds: Array(9).fill("s") }))).toBe("bad_request");
  });

  test("the limits of the caller replace the defaults", () => {
    const limits = { ...decodeLimitDefaults, maxArguments: 1, maxTargetBytes: 2, maxIdBytes: 1, maxStreams: 1 };
    const atLimit = { type: 4, invocationId: "1", target: "ab", arguments: [1], streamIds: ["2"] };
    expect(decode(atLimit, limits)).toMatchObject(atLimit);
    expect(reasonOf(() => decode({ ...atLimit, arguments: [1, 2] }, limits))).toBe("bad_request");
    expect(reasonOf(() => decode({ ...atLimit, target: "abc" }, limits))).toBe("bad_request");
    expect(reasonOf(() => decode({ ...atLimit, invocationId: "12" }, limits))).toBe("bad_request");
    expect(reasonOf(() => decode({ ...atLimit, streamIds: ["2", "3"] }, limits))).toBe("bad_request");
  });
});

describe("completions", () => {
  test.each<[string, Fields]>([
    ["a result and an error", { type: 3, invocationId: "1", result: 1, error: "e" }],
    ["null as a result and an error", { type: 3, invocationId: "1", result: null, error: "e" }],
    ["an error that is a number", { type: 3, invocationId: "1", error: 1 }],
    ["no id", { type: 3, result: 1 }],
    ["an empty id", { type: 3, invocationId: "", result: 1 }],
  ])("in JSON with %s are refused", (_title, fields) => {
    expect(reasonOf(() => decodeJson(fields))).toBe("bad_request");
  });

  test("in JSON with null for an error are none", () => {
    expect(decodeJson({ type: 3, invocationId: "1", error: null })).toMatchObject({ outcome: { kind: "void" } });
    expect(decodeJson({ type: 3, invocationId: "1", error: null, result: 2 })).toMatchObject({
      outcome: { kind: "value", value: 2 },
    });
  });

  test.each<[string, unknown[]]>([
    ["no kind", [3, {}, "1"]],
    ["an unknown kind", [3, {}, "1", 4, 1]],
    ["a kind that is text", [3, {}, "1", "3", 1]],
    ["an error kind without an error", [3, {}, "1", 1]],
    ["an error kind with nil", [3, {}, "1", 1, null]],
    ["an error kind with a number", [3, {}, "1", 1, 5]],
    ["a value kind without a value", [3, {}, "1", 3]],
    ["no id", [3, {}, null, 2]],
  ])("in MessagePack with %s are refused", (_title, elements) => {
    expect(reasonOf(() => messagePackCodec.decode(encode(elements)))).toBe("bad_request");
  });
});

test("unknown properties are ignored in JSON, further elements in MessagePack", () => {
  expect(decodeJson({ type: 6, later: [1] })).toEqual({ type: 6 });
  expect(decodeJson({ type: 5, invocationId: "1", target: 7, arguments: 8 })).toEqual({ type: 5, invocationId: "1" });
  expect(messagePackCodec.decode(encode([6, "later"]))).toEqual({ type: 6 });
  expect(messagePackCodec.decode(encode([1, {}, null, "T", [], [], "later"]))).toEqual({
    type: 1,
    target: "T",
    arguments: [],
  });
  expect(messagePackCodec.decode(encode([3, {}, "1", 2, "later"]))).toMatchObject({ outcome: { kind: "void" } });
});

test.each<[string, unknown]>([
  ["binary", new Uint8Array(0)],
  ["a time", new Date(0)],
  ["a number", 1],
])("in MessagePack headers that are %s are refused", (_title, headers) => {
  expect(reasonOf(() => messagePackCodec.decode(encode([5, headers, "1"])))).toBe("bad_request");
});
