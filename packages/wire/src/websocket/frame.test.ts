import { once } from "node:events";
import type { Writable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as ws from "ws";
import { hex, utf8 } from "../../test/arbitrary-messages.js";
import { isSendableCloseCode, renderClose, renderFrame, renderPing } from "./frame.js";

// Exported by the package, but missing from its types.
const { Receiver } = ws as unknown as {
  Receiver: new (options: { readonly isServer: boolean; readonly maxPayload: number }) => Writable;
};

describe("the examples of RFC 6455 5.7", () => {
  test("a text message, a ping", () => {
    expect(renderFrame("text", utf8("Hello"))).toEqual(hex("81 05 48 65 6c 6c 6f"));
    expect(renderPing(utf8("Hello"))).toEqual(hex("89 05 48 65 6c 6c 6f"));
  });

  test.each([
    [0, "82 00"],
    [125, "82 7d"],
    [126, "82 7e 00 7e"],
    [256, "82 7e 01 00"],
    [65_535, "82 7e ff ff"],
    [65_536, "82 7f 00 00 00 00 00 01 00 00"],
  ])("a binary message of %i bytes", (length, header) => {
    const payload = new Uint8Array(length).fill(7);
    const expected = hex(header);
    const frame = renderFrame("binary", payload);
    expect(frame.subarray(0, expected.length)).toEqual(expected);
    expect(frame.subarray(expected.length)).toEqual(payload);
  });
});

test("a receiver of the ws package reads each kind of frame", async () => {
  const receiver = new Receiver({ isServer: false, maxPayload: 1e6 });
  const seen: unknown[] = [];
  receiver.on("message", (data: Buffer, isBinary: boolean) => seen.push([isBinary, data.length]));
  receiver.on("ping", (data: Buffer) => seen.push(["ping", data.toString()]));
  const concluded = once(receiver, "conclude");
  receiver.write(renderFrame("text", utf8("text")));
  receiver.write(renderFrame("binary", new Uint8Array(70_000)));
  receiver.write(renderPing(utf8("p")));
  receiver.write(renderPing());
  receiver.write(renderClose(4401, "token_expired;action=refresh"));
  const [code, reason] = (await concluded) as [number, Buffer];
  expect(seen).toEqual([
    [false, 4],
    [true, 70_000],
    ["ping", "p"],
    ["ping", ""],
  ]);
  expect([code, reason.toString()]).toEqual([4401, "token_expired;action=refresh"]);
});

describe("renderClose", () => {
  test("writes the code and the reason", () => {
    expect(renderClose(1000)).toEqual(hex("88 02 03 e8"));
    expect(renderClose(4401, "a")).toEqual(hex("88 03 11 31 61"));
    expect(renderClose(1000, "x".repeat(123))).toHaveLength(127);
  });

  test.each([0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_536, 1000.5, Number.NaN])(
    "does not send the code %d",
    (code) => {
      expect(isSendableCloseCode(code)).toBe(false);
      expect(() => renderClose(code)).toThrow(RangeError);
    },
  );

  test.each([1000, 1003, 1007, 1014, 3000, 4999])("sends the code %d", (code) => {
    expect(isSendableCloseCode(code)).toBe(true);
  });

  test.each(["x".repeat(124), "é", "line\nbreak", "\x7f", "\0"])("does not send the reason %j", (reason) => {
    expect(() => renderClose(1000, reason)).toThrow(RangeError);
  });
});

test("a ping carries at most 125 bytes", () => {
  expect(renderPing(new Uint8Array(125))).toHaveLength(127);
  expect(() => renderPing(new Uint8Array(126))).toThrow(RangeError);
});

test("a frame never shares memory with its payload", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (payload) => {
      const frame = renderFrame("binary", payload);
      expect(frame.buffer).not.toBe(payload.buffer);
    }),
  );
});
