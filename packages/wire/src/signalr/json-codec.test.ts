import { describe, expect, test } from "vitest";
import { reasonOf, utf8 } from "../../test/arbitrary-messages.js";
import { jsonCodec } from "./json-codec.js";
import type { HubMessage } from "./messages.js";

const decode = (text: string): HubMessage | undefined => jsonCodec.decode(utf8(text));
const encode = (message: HubMessage): string => new TextDecoder().decode(jsonCodec.encode(message));

describe("the examples of HubProtocol.md", () => {
  const examples: readonly (readonly [string, string, HubMessage])[] = [
    [
      "Invocation",
      '{"type":1,"invocationId":"123","target":"Send","arguments":[42,"Test Message"]}',
      { type: 1, invocationId: "123", target: "Send", arguments: [42, "Test Message"] },
    ],
    [
      "Invocation, non-blocking",
      '{"type":1,"target":"Send","arguments":[42,"Test Message"]}',
      { type: 1, target: "Send", arguments: [42, "Test Message"] },
    ],
    [
      "Invocation with stream from caller",
      '{"type":1,"invocationId":"123","target":"Send","arguments":[42],"streamIds":["1"]}',
      { type: 1, invocationId: "123", target: "Send", arguments: [42], streamIds: ["1"] },
    ],
    [
      "Invocation with headers",
      '{"type":1,"headers":{"Foo":"Bar"},"invocationId":"123","target":"Send","arguments":[42,"Test Message"]}',
      { type: 1, headers: { Foo: "Bar" }, invocationId: "123", target: "Send", arguments: [42, "Test Message"] },
    ],
    [
      "StreamInvocation",
      '{"type":4,"invocationId":"123","target":"Send","arguments":[42,"Test Message"]}',
      { type: 4, invocationId: "123", target: "Send", arguments: [42, "Test Message"] },
    ],
    ["StreamItem", '{"type":2,"invocationId":"123","item":42}', { type: 2, invocationId: "123", item: 42 }],
    [
      "Completion without result",
      '{"type":3,"invocationId":"123"}',
      { type: 3, invocationId: "123", outcome: { kind: "void" } },
    ],
    [
      "Completion with a result",
      '{"type":3,"invocationId":"123","result":42}',
      { type: 3, invocationId: "123", outcome: { kind: "value", value: 42 } },
    ],
    [
      "Completion with null",
      '{"type":3,"invocationId":"123","result":null}',
      { type: 3, invocationId: "123", outcome: { kind: "value", value: null } },
    ],
    [
      "Completion with an error",
      '{"type":3,"invocationId":"123","error":"It didn\'t work!"}',
      { type: 3, invocationId: "123", outcome: { kind: "error", error: "It didn't work!" } },
    ],
    ["CancelInvocation", '{"type":5,"invocationId":"123"}', { type: 5, invocationId: "123" }],
    ["Ping", '{"type":6}', { type: 6 }],
    ["Close", '{"type":7}', { type: 7 }],
    ["Close with an error", '{"type":7,"error":"Closed!"}', { type: 7, error: "Closed!" }],
    [
      "Close that allows reconnects",
      '{"type":7,"error":"Closed!","allowReconnect":true}',
      { type: 7, error: "Closed!", allowReconnect: true },
    ],
    ["Ack", '{"type":8,"sequenceId":1394}', { type: 8, sequenceId: 1394 }],
    ["Sequence", '{"type":9,"sequenceId":1234}', { type: 9, sequenceId: 1234 }],
  ];

  test.each(examples)("%s is read", (_name, text, message) => {
    expect(decode(text)).toEqual(message);
  });

  test.each(examples)("%s is written to the letter", (_name, text, message) => {
    expect(encode(message)).toBe(`${text}\x1e`);
  });
});

describe("writing", () => {
  test("empty lists and maps, undefined fields and allowReconnect: false leave no trace", () => {
    const message: HubMessage = {
      type: 1,
      invocationId: undefined,
      target: "T",
      arguments: [],
      streamIds: [],
      headers: {},
    };
    expect(encode(message)).toBe('{"type":1,"target":"T","arguments":[]}\x1e');
    expect(encode({ type: 7, error: undefined, allowReconnect: false })).toBe('{"type":7}\x1e');
  });

  test("a value that is undefined or a function is null, so its member never vanishes", () => {
    const completion = (value: unknown): HubMessage => ({
      type: 3,
      invocationId: "1",
      outcome: { kind: "value", value },
    });
    for (const value of [undefined, () => 1, Symbol("s"), { toJSON: () => undefined }]) {
      expect(encode(completion(value))).toBe('{"type":3,"invocationId":"1","result":null}\x1e');
      expect(encode({ type: 2, invocationId: "1", item: value })).toBe('{"type":2,"invocationId":"1","item":null}\x1e');
      expect(encode({ type: 1, target: "T", arguments: [value] })).toBe(
        '{"type":1,"target":"T","arguments":[null]}\x1e',
      );
    }
  });

  test("bytes are base64 and times ISO 8601", () => {
    expect(encode({ type: 2, invocationId: "1", item: [Uint8Array.of(1, 2, 3), new Date(0)] })).toBe(
      '{"type":2,"invocationId":"1","item":["AQID","1970-01-01T00:00:00.000Z"]}\x1e',
    );
  });

  test("nothing in a text can break out of it or end the message", () => {
    const target = 'a"},\u001e\n\\';
    const written = encode({ type: 1, invocationId: target, target, arguments: [target] });
    expect(written.indexOf("\x1e")).toBe(written.length - 1);
    expect(decode(written.slice(0, -1))).toEqual({ type: 1, invocationId: target, target, arguments: [target] });
  });

  test("a lone surrogate is written as an escape", () => {
    expect(encode({ type: 2, invocationId: "1", item: "\ud800" })).toContain(String.raw`"\ud800"`);
  });

  test("a BigInt is a TypeError, and so is what is no hub message", () => {
    expect(() => encode({ type: 2, invocationId: "1", item: 1n })).toThrow(TypeError);
    expect(() => jsonCodec.encode({ type: 77 } as unknown as HubMessage)).toThrow(TypeError);
  });

  test("every call returns bytes of its own", () => {
    const first = jsonCodec.encode({ type: 6 });
    first.fill(0);
    expect(encode({ type: 6 })).toBe('{"type":6}\x1e');
  });
});

describe("reading", () => {
  test("the order of properties is free, white space too", () => {
    expect(decode(' { "arguments" : [ 1 ] , "target" : "T" , "type" : 1 } ')).toEqual({
      type: 1,
      target: "T",
      arguments: [1],
    });
  });

  test("names are compared to the letter", () => {
    expect(reasonOf(() => decode('{"Type":6}'))).toBe("bad_request");
  });

  test("payload is passed on as JSON.parse made it", () => {
    const text = String.raw`{"type":1,"target":"T","arguments":[{"a":[1.5,null,true,"\ud83d\ude00","é"]},1e400]}`;
    expect(decode(text)).toEqual({
      type: 1,
      target: "T",
      arguments: [{ a: [1.5, null, true, "😀", "é"] }, Number.POSITIVE_INFINITY],
    });
  });

  test("lone surrogates are refused, wherever they stand", () => {
    for (const text of [
      String.raw`{"type":1,"target":"T","arguments":["\ud800"]}`,
      String.raw`{"type":1,"target":"T","arguments":[{"a":[{"\uDFFF":1}]}]}`,
      String.raw`{"type":3,"invocationId":"1","result":"a\udbffb"}`,
      String.raw`{"type":1,"target":"r\uD800","arguments":[]}`,
      String.raw`{"type":1,"target":"\udfff","arguments":[]}`,
      String.raw`{"type":1,"invocationId":"r\uDFFF","target":"T","arguments":[]}`,
      String.raw`{"type":1,"target":"T","arguments":[],"streamIds":["\ud800x"]}`,
      String.raw`{"type":2,"invocationId":"\udc00\ud800","item":1}`,
    ]) {
      expect(reasonOf(() => decode(text))).toBe("malformed_unicode");
    }
    expect(decode(String.raw`{"type":1,"target":"\ud83d\ude00","arguments":[]}`)).toMatchObject({ target: "😀" });
  });
});
