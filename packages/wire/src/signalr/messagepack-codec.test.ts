import { describe, expect, test } from "vitest";
import { hex, reasonOf } from "../../test/arbitrary-messages.js";
import { frameBinary } from "./framing.js";
import { messagePackCodec } from "./messagepack-codec.js";
import type { HubMessage } from "./messages.js";

const xyz = "a3 78 79 7a";
const method = "a6 6d 65 74 68 6f 64";

describe("the examples of HubProtocol.md", () => {
  const examples: readonly (readonly [string, string, HubMessage])[] = [
    [
      "Invocation",
      `96 01 80 ${xyz} ${method} 91 2a 90`,
      { type: 1, invocationId: "xyz", target: "method", arguments: [42] },
    ],
    ["Invocation, non-blocking", `96 01 80 c0 ${method} 91 2a 90`, { type: 1, target: "method", arguments: [42] }],
    [
      "Invocation with headers",
      `96 01 82 a1 78 a1 79 a1 7a a1 7a ${xyz} ${method} 91 2a 90`,
      { type: 1, headers: { x: "y", z: "z" }, invocationId: "xyz", target: "method", arguments: [42] },
    ],
    [
      "Invocation with streams",
      `96 01 80 ${xyz} ${method} 90 92 a1 31 a1 32`,
      { type: 1, invocationId: "xyz", target: "method", arguments: [], streamIds: ["1", "2"] },
    ],
    [
      "StreamInvocation",
      `96 04 80 ${xyz} ${method} 91 2a 90`,
      { type: 4, invocationId: "xyz", target: "method", arguments: [42] },
    ],
    ["StreamItem", `94 02 80 ${xyz} 2a`, { type: 2, invocationId: "xyz", item: 42 }],
    [
      "Completion with an error",
      `95 03 80 ${xyz} 01 a5 45 72 72 6f 72`,
      { type: 3, invocationId: "xyz", outcome: { kind: "error", error: "Error" } },
    ],
    ["Completion without result", `94 03 80 ${xyz} 02`, { type: 3, invocationId: "xyz", outcome: { kind: "void" } }],
    [
      "Completion with a result",
      `95 03 80 ${xyz} 03 2a`,
      { type: 3, invocationId: "xyz", outcome: { kind: "value", value: 42 } },
    ],
    [
      "Completion with nil",
      `95 03 80 ${xyz} 03 c0`,
      { type: 3, invocationId: "xyz", outcome: { kind: "value", value: null } },
    ],
    ["CancelInvocation", `93 05 80 ${xyz}`, { type: 5, invocationId: "xyz" }],
    ["Ping", "91 06", { type: 6 }],
    ["Close with an error", `92 07 ${xyz}`, { type: 7, error: "xyz" }],
    ["Close that allows reconnects", `93 07 ${xyz} c3`, { type: 7, error: "xyz", allowReconnect: true }],
    ["Close without an error", "92 07 c0", { type: 7 }],
    ["Ack", "92 08 24", { type: 8, sequenceId: 36 }],
    ["Sequence", "92 09 cc c8", { type: 9, sequenceId: 200 }],
  ];

  test.each(examples)("%s is read", (_name, digits, message) => {
    expect(messagePackCodec.decode(hex(digits))).toEqual(message);
  });

  test.each(examples)("%s is written to the bit", (_name, digits, message) => {
    expect(messagePackCodec.encode(message)).toEqual(frameBinary(hex(digits)));
  });

  test("integers in a longer form than needed are read", () => {
    expect(messagePackCodec.decode(hex("92 08 cc 24"))).toEqual({ type: 8, sequenceId: 36 });
    expect(messagePackCodec.decode(hex("92 cd 00 09 cf 00 00 00 00 00 00 00 13"))).toEqual({ type: 9, sequenceId: 19 });
    expect(messagePackCodec.decode(hex("92 d3 00 00 00 00 00 00 00 09 ca 3f 80 00 00"))).toEqual({
      type: 9,
      sequenceId: 1,
    });
  });

  test("a call of five elements, as stock clients write it, is read", () => {
    expect(messagePackCodec.decode(hex(`95 01 80 ${xyz} ${method} 91 2a`))).toEqual({
      type: 1,
      invocationId: "xyz",
      target: "method",
      arguments: [42],
    });
  });

  test("a ping in full: its length, then 91 06", () => {
    expect(messagePackCodec.encode({ type: 6 })).toEqual(hex("02 91 06"));
  });
});

describe("refused", () => {
  test.each([
    ["nothing", ""],
    ["no array", "06"],
    ["a map", "81 a1 61 01"],
    ["an empty array", "90"],
    ["a type that is text", "91 a1 36"],
    ["a call of four elements", `94 01 80 c0 ${method}`],
    ["an item of three elements", `93 02 80 ${xyz}`],
    ["a cancellation of two elements", "92 05 80"],
    ["a close of one element", "91 07"],
    ["an ack of one element", "91 08"],
    ["an ack with a bigint", "92 08 cf ff ff ff ff ff ff ff ff"],
    ["bytes behind the message", "91 06 00"],
    ["the byte that is never used, in an argument", `95 01 80 c0 ${method} 91 c1`],
    ["a key that is a number, in a header", `93 05 81 01 a1 61 ${xyz}`],
    ["an unknown extension in a message of a later version", "92 0a d4 05 00"],
  ])("%s", (_name, digits) => {
    expect(reasonOf(() => messagePackCodec.decode(hex(digits)))).toBe("bad_request");
  });

  test("text that is not UTF-8, in a target", () => {
    expect(reasonOf(() => messagePackCodec.decode(hex("95 01 80 c0 a2 c3 28 90")))).toBe("malformed_unicode");
  });
});

describe("writing", () => {
  test("a value that is undefined is nil, so its element never vanishes", () => {
    expect(messagePackCodec.encode({ type: 2, invocationId: "xyz", item: undefined })).toEqual(
      frameBinary(hex(`94 02 80 ${xyz} c0`)),
    );
    const completion: HubMessage = { type: 3, invocationId: "xyz", outcome: { kind: "value", value: undefined } };
    expect(messagePackCodec.encode(completion)).toEqual(frameBinary(hex(`95 03 80 ${xyz} 03 c0`)));
    expect(messagePackCodec.encode({ type: 1, target: "method", arguments: [undefined] })).toEqual(
      frameBinary(hex(`96 01 80 c0 ${method} 91 c0 90`)),
    );
  });

  test("allowReconnect: false leaves no trace", () => {
    expect(messagePackCodec.encode({ type: 7, allowReconnect: false })).toEqual(frameBinary(hex("92 07 c0")));
  });

  test("what is no hub message is a TypeError", () => {
    expect(() => messagePackCodec.encode({ type: 77 } as unknown as HubMessage)).toThrow(TypeError);
  });

  test("every call returns bytes of its own", () => {
    const first = messagePackCodec.encode({ type: 2, invocationId: "xyz", item: 1 });
    const copy = first.slice();
    messagePackCodec.encode({ type: 2, invocationId: "abc", item: 2 });
    expect(first).toEqual(copy);
    // Not the buffer it was written in: whoever keeps a short message keeps little beside it.
    expect(first.buffer.byteLength).toBeLessThanOrEqual(1024);
  });
});
