import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { frameHeaders, renderFrame } from "../websocket/frame.js";
import { jsonCodec } from "./json-codec.js";
import { messagePackCodec } from "./messagepack-codec.js";
import type { HubMessage } from "./messages.js";

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 6_000, size: "max" }),
  fc.stringMatching(/^[ -~]{0,150}$/),
);
const value = fc.oneof(text, fc.jsonValue(), fc.constantFrom(null, true, 0, -1.5, {}));
const message = fc
  .tuple(text, value)
  .chain(([invocationId, value]) =>
    fc.constantFrom<HubMessage>(
      { type: 3, invocationId, outcome: { kind: "value", value } },
      { type: 2, invocationId, item: value },
      { type: 1, target: invocationId, arguments: [value] },
      { type: 3, invocationId, outcome: { kind: "error", error: invocationId } },
    ),
  );

describe("what a call comes to", () => {
  it("is written as JSON.stringify writes it, whatever it is", () => {
    fc.assert(
      fc.property(text, value, (invocationId, result) => {
        const bytes = jsonCodec.encode({ type: 3, invocationId, outcome: { kind: "value", value: result } });
        const expected = `${JSON.stringify({ type: 3, invocationId, result })}\x1e`;
        expect(Buffer.from(bytes).toString()).toBe(Buffer.from(expected).toString());
        const item = jsonCodec.encode({ type: 2, invocationId, item: result });
        const expectedItem = `${JSON.stringify({ type: 2, invocationId, item: result })}\x1e`;
        expect(Buffer.from(item).toString()).toBe(Buffer.from(expectedItem).toString());
      }),
    );
  });

  it("runs a value's own toJSON once, also where its JSON is not plain", () => {
    let ran = 0;
    const result = { toJSON: () => `é${++ran}` };
    jsonCodec.encode({ type: 3, invocationId: "1", outcome: { kind: "value", value: result } });
    // Looking for bytes costs no second run.
    expect(ran).toBe(1);
  });
});

describe("a message behind a frame's header", () => {
  it.each([jsonCodec, messagePackCodec])("is what renderFrame makes of it: $name", (codec) => {
    fc.assert(
      fc.property(message, (one) => {
        const framed = codec.encode(one, frameHeaders[codec.transferFormat]);
        expect(Buffer.from(framed).equals(renderFrame(codec.transferFormat, codec.encode(one)))).toBe(true);
      }),
    );
  });

  it.each([100, 125, 126, 127, 1_300, 1_400, 65_535, 65_536, 70_000])("of about %i bytes", (length) => {
    for (const character of ["a", "é"])
      for (const less of [60, 50, 45, 44, 43, 42, 41, 40, 0]) {
        const item = character.repeat(Math.max(0, length - less));
        const one: HubMessage = { type: 2, invocationId: "1", item };
        const framed = jsonCodec.encode(one, frameHeaders.text);
        expect(Buffer.from(framed).equals(renderFrame("text", jsonCodec.encode(one)))).toBe(true);
      }
  });
});
