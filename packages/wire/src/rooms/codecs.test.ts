import { decode as decodeReference, encode as encodeReference } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { binaryValue, hex, jsonValue, messagePackValue, reasonOf, utf8 } from "../../test/arbitrary-messages.js";
import { frameOf, roomsFrame, roomsRequest } from "../../test/rooms-frames.js";
import type { Wire } from "../../test/rooms-frames.js";
import { HubwardError } from "../reasons.js";
import { frameHeaders, renderFrame } from "../websocket/frame.js";
import { roomsCodecs } from "./codecs.js";
import { roomsLimitDefaults } from "./messages.js";
import type { RoomsCodec, RoomsFrame } from "./messages.js";

const { json, messagepack } = roomsCodecs;
const limits = roomsLimitDefaults;

function encode(codec: RoomsCodec, frame: RoomsFrame): Uint8Array {
  const bytes = codec.encode(frame);
  if (bytes === undefined) throw new Error("the frame has no form");
  return bytes;
}

const textOf = (frame: RoomsFrame): string => new TextDecoder().decode(encode(json, frame));
const mapOf = (frame: RoomsFrame): unknown => decodeReference(encode(messagepack, frame), { useBigInt64: false });
const message = (...args: readonly unknown[]): RoomsFrame => ({ type: "message", room: "r", event: "e", args });

describe("what is sent", () => {
  test.each<[string, RoomsFrame, string]>([
    [
      "ready without a request",
      { type: "ready", id: undefined, connectionId: "c", expiresInSeconds: 540.9, heartbeatSeconds: 15 },
      '{"type":"ready","connection_id":"c","expires_in":540,"heartbeat":15}',
    ],
    [
      "seconds that have passed already are none",
      { type: "ready", id: 0, connectionId: "c", expiresInSeconds: -3, heartbeatSeconds: 0.5 },
      '{"type":"ready","id":0,"connection_id":"c","expires_in":0,"heartbeat":0.5}',
    ],
    [
      "a message to one person",
      { ...message(1), room: undefined } as RoomsFrame,
      '{"type":"message","event":"e","payload":1}',
    ],
    ["a message without arguments", message(), '{"type":"message","room":"r","event":"e","args":[]}'],
    ["a message with two", message(1, undefined), '{"type":"message","room":"r","event":"e","args":[1,null]}'],
    ["one that is a list", message([1]), '{"type":"message","room":"r","event":"e","payload":[1]}'],
    ["one that is undefined", message(undefined), '{"type":"message","room":"r","event":"e","payload":null}'],
    ["one that is a function", message(() => 1), '{"type":"message","room":"r","event":"e","payload":null}'],
    [
      "one that says it is nothing",
      message({ toJSON: () => undefined }),
      '{"type":"message","room":"r","event":"e","payload":null}',
    ],
    ["a result that is null", { type: "ack", id: 1, result: null }, '{"type":"ack","id":1,"result":null}'],
    ["no result", { type: "ack", id: 1, result: undefined }, '{"type":"ack","id":1}'],
    [
      "a refusal of what was no request",
      {
        type: "error",
        id: undefined,
        request: "malformed",
        room: undefined,
        error: new HubwardError("bad_request", { detail: "d" }),
      },
      '{"type":"error","reason":"bad_request","action":"fix-request","detail":"d"}',
    ],
    [
      "part of a second is a second",
      {
        type: "error",
        id: 1,
        request: "who",
        room: "r",
        error: new HubwardError("rate_limited", { retryAfterSeconds: 0.01 }),
      },
      '{"type":"error","id":1,"request":"who","room":"r","reason":"rate_limited","action":"retry-after","retry_after":1}',
    ],
    [
      "closing says nothing of details",
      { type: "closing", error: new HubwardError("forbidden", { detail: "for logs", cause: new Error("secret") }) },
      '{"type":"closing","code":4403,"reason":"forbidden"}',
    ],
    [
      "a reason without a code closes with 1011",
      { type: "closing", error: { reason: "not_member", retryAfterSeconds: Number.NaN } },
      '{"type":"closing","code":1011,"reason":"not_member"}',
    ],
    [
      "a credential that has ended",
      {
        type: "notice",
        notice: { kind: "expired", reason: "auth_unavailable;action=retry-after;retry_after=7", graceSeconds: 10 },
      },
      '{"type":"notice","notice":"expired","reason":"auth_unavailable","action":"retry-after","retry_after":7,"grace":10}',
    ],
    [
      "what is missing, and in which rooms",
      { type: "notice", notice: { kind: "gap", dropped: 12, groups: ["ward/icu", "ward/er"] } },
      '{"type":"notice","notice":"gap","dropped":12,"rooms":["ward/icu","ward/er"]}',
    ],
    [
      "what is missing, and in no room that it is in",
      { type: "notice", notice: { kind: "gap", dropped: 1, groups: [] } },
      '{"type":"notice","notice":"gap","dropped":1}',
    ],
  ])("%s", (_, frame, expected) => {
    expect(textOf(frame)).toBe(expected);
    expect(mapOf(frame)).toEqual(JSON.parse(expected));
  });

  it("says in JSON what it was given", () => {
    fc.assert(
      fc.property(roomsFrame(jsonValue), (frame) => {
        expect(frameOf(JSON.parse(textOf(frame)) as Wire)).toEqual(frame);
      }),
    );
  });

  it("says in MessagePack what it was given, as the reference implementation reads it", () => {
    fc.assert(
      fc.property(roomsFrame(messagePackValue), (frame) => {
        const map = decodeReference(encode(messagepack, frame), { useBigInt64: true });
        expect(frameOf(withNumbers(map as Wire))).toEqual(frame);
      }),
    );
  });

  it("stands behind a WebSocket's header as if it had been put there", () => {
    fc.assert(
      fc.property(roomsFrame(jsonValue), fc.constantFrom(json, messagepack), (frame, codec) => {
        const { opcode } = codec;
        expect(codec.encode(frame, frameHeaders[opcode])).toEqual(renderFrame(opcode, encode(codec, frame)));
      }),
    );
    const long = message("x".repeat(70_000));
    for (const codec of [json, messagepack])
      expect(codec.encode(long, frameHeaders[codec.opcode])).toEqual(renderFrame(codec.opcode, encode(codec, long)));
  });

  it("cannot leave its string, whatever the texts are", () => {
    const texts = ['"', "\\", '"}', "\u2028\u2029", "\0\n\u001e", "\ud800", "a\udfff", "</script>", "é😀"];
    for (const each of texts) {
      const frame: RoomsFrame = { type: "message", room: each, event: each, args: [{ [each]: each }] };
      expect(JSON.parse(textOf(frame))).toEqual({
        type: "message",
        room: each,
        event: each,
        payload: { [each]: each },
      });
    }
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(0xffff), (start, unit) => {
        const odd = start + String.fromCharCode(unit);
        const frame: RoomsFrame = { type: "joined", id: odd, room: odd };
        expect(JSON.parse(textOf(frame))).toEqual({ type: "joined", id: odd, room: odd });
      }),
    );
  });

  it("writes bytes and times in each encoding's own way", () => {
    const payload = { bytes: Uint8Array.of(1, 2, 255), at: new Date(0), none: undefined };
    expect(JSON.parse(textOf(message(payload)))).toMatchObject({
      payload: { bytes: "AQL/", at: "1970-01-01T00:00:00.000Z" },
    });
    expect(mapOf(message(payload))).toMatchObject({ payload: { bytes: payload.bytes, at: payload.at } });
  });

  it("is refused where a value has no form", () => {
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    expect(() => json.encode(message(1n))).toThrow(TypeError);
    expect(() => messagepack.encode(message(2n ** 64n))).toThrow(TypeError);
    for (const codec of [json, messagepack]) {
      expect(() => codec.encode(message(circle))).toThrow(TypeError);
      expect(() =>
        codec.encode({ type: "notice", notice: { kind: "expired", reason: "application's own", graceSeconds: 1 } }),
      ).toThrow(TypeError);
    }
    expect(mapOf(message("after all that")), "the buffer is sound").toMatchObject({ payload: "after all that" });
  });
});

describe("what arrives", () => {
  it("is read from JSON however it is laid out", () => {
    fc.assert(
      fc.property(
        roomsRequest(jsonValue),
        fc.constantFrom(undefined, 1, "\t"),
        fc.boolean(),
        (request, indent, turned) => {
          const members = Object.entries(request);
          const text = JSON.stringify(Object.fromEntries(turned ? members.toReversed() : members), undefined, indent);
          expect(json.decode(utf8(text), limits)).toEqual(request);
        },
      ),
    );
  });

  it("is read from MessagePack as the reference implementation writes it", () => {
    fc.assert(
      fc.property(roomsRequest(fc.oneof(messagePackValue, binaryValue)), (request) => {
        const body = encodeReference(request, { useBigInt64: true, ignoreUndefined: true });
        expect(messagepack.decode(body, limits)).toEqual(request);
      }),
    );
  });

  it("has a payload of null where there was none", () => {
    const bare = { type: "publish", room: "r", event: "e" };
    const expected = { ...bare, payload: null };
    expect(json.decode(utf8(JSON.stringify(bare)), limits)).toEqual(expected);
    expect(messagepack.decode(encodeReference(bare), limits)).toEqual(expected);
  });

  test.each([
    "[]",
    "[1]",
    "1",
    '"join"',
    "null",
    "true",
    "",
    "{",
    '{"type":"ping"}{}',
    '{"type":"ping"}\x1e',
    "{}x",
    "\ufeff{}",
  ])("JSON that is no object is refused: %s", (text) => {
    expect(reasonOf(() => json.decode(utf8(text), limits))).toBe("bad_request");
  });

  test.each([
    "",
    "c0",
    "c1",
    "90",
    "91 80",
    "a4 6a 6f 69 6e",
    "c4 00",
    "d6 ff 00 00 00 00",
    "01",
    "80 80",
    "81 01 01",
    "81 c0 c0",
  ])("MessagePack that is no map is refused: %s", (digits) => {
    expect(reasonOf(() => messagepack.decode(hex(digits), limits))).toBe("bad_request");
  });

  it("is refused with a member twice in the message itself", () => {
    expect(reasonOf(() => json.decode(utf8('{"type":"ping","type":"join","room":"r"}'), limits))).toBe("bad_request");
    expect(reasonOf(() => json.decode(utf8('{"type":"ping","\\u0074ype":"ping"}'), limits))).toBe("bad_request");
    expect(reasonOf(() => messagepack.decode(hex("82 a1 61 01 a1 61 01"), limits))).toBe("bad_request");
  });

  it("is refused with a prototype anywhere in it", () => {
    for (const member of ['"__proto__":1', String.raw`"\u005f_proto__":{}`, '"payload":[{"__proto__":null}]'])
      expect(reasonOf(() => json.decode(utf8(`{"type":"ping",${member}}`), limits))).toBe("bad_request");
    const name = "a9 5f 5f 70 72 6f 74 6f 5f 5f";
    for (const digits of [`81 ${name} 80`, `81 a1 61 91 81 ${name} c0`])
      expect(reasonOf(() => messagepack.decode(hex(digits), limits))).toBe("bad_request");
  });

  it("is refused with half a character in it", () => {
    for (const text of [
      String.raw`{"type":"join","room":"\ud800"}`,
      String.raw`{"type":"publish","payload":{"\udfff":1}}`,
    ])
      expect(reasonOf(() => json.decode(utf8(text), limits))).toBe("malformed_unicode");
    expect(reasonOf(() => json.decode(Uint8Array.of(...utf8('{"type":"'), 0xc3, 0x28, ...utf8('"}')), limits))).toBe(
      "malformed_unicode",
    );
    expect(reasonOf(() => messagepack.decode(hex("81 a1 61 a3 ed a0 80"), limits))).toBe("malformed_unicode");
  });
});

/** The reference implementation reads every 64-bit integer as a bigint when told to; requests have numbers. */
function withNumbers(wire: Wire): Wire {
  const names = ["id", "expires_in", "heartbeat", "grace", "dropped", "retry_after"];
  const number = (name: string, value: unknown): unknown =>
    names.includes(name) && typeof value === "bigint" ? Number(value) : restoreSafe(value);
  return Object.fromEntries(Object.entries(wire).map(([name, value]) => [name, number(name, value)]));
}

/** Safe integers beyond 32 bits, too, wherever they stand. */
function restoreSafe(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(restoreSafe);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, restoreSafe(each)]));
}
