import { encode as encodeReference } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { concat, hex, jsonValue, messagePackValue, mutation, reasonOf, utf8 } from "../../test/arbitrary-messages.js";
import { roomsRequest } from "../../test/rooms-frames.js";
import { utf8Length } from "../encoding/utf8.js";
import { HubwardError } from "../reasons.js";
import { roomsCodecs } from "./codecs.js";
import { roomsLimitDefaults } from "./messages.js";
import type { RoomsCodec, RoomsRequest } from "./messages.js";

const { json, messagepack, chat } = roomsCodecs;
const limits = roomsLimitDefaults;
const codecs = [json, messagepack, chat];
const decodeErrors = ["bad_request", "too_deep", "malformed_unicode", "message_too_big"];
const types = ["auth", "join", "leave", "publish", "who", "ping", "notices", "malformed"];

/** What is accepted is a sound request; what is not is refused with one of the four reasons. */
function assertSound(codec: RoomsCodec, body: Uint8Array): RoomsRequest | undefined {
  let request: RoomsRequest;
  try {
    request = codec.decode(body, limits);
  } catch (error) {
    if (!(error instanceof HubwardError)) throw error;
    expect(decodeErrors).toContain(error.reason);
    return undefined;
  }
  const { type, id } = request;
  expect(types).toContain(type);
  if (typeof id === "string") expect(id.length).toSatisfy((length: number) => length >= 1 && length <= 64);
  else if (id !== undefined) expect(Number.isSafeInteger(id) && id >= 0).toBe(true);
  if (type === "publish") {
    expect(request.payload).not.toBeUndefined();
    assertNoProto(request.payload);
  }
  for (const name of ["room", "event", "command", "token", "proof"] as const) {
    const value: unknown = (request as unknown as Record<string, unknown>)[name];
    expect(value === undefined || (typeof value === "string" && utf8Length(value) >= 0)).toBe(true);
  }
  return request;
}

function assertNoProto(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  expect(Object.hasOwn(value, "__proto__")).toBe(false);
  const prototypes: readonly unknown[] = [Object.prototype, Array.prototype, Uint8Array.prototype, Date.prototype];
  expect(prototypes).toContain(Object.getPrototypeOf(value));
  if (!(value instanceof Uint8Array)) for (const each of Object.values(value)) assertNoProto(each);
}

describe("bytes", () => {
  const sound: fc.Arbitrary<readonly [RoomsCodec, Uint8Array]> = fc.oneof(
    roomsRequest(jsonValue).map((request) => [json, utf8(JSON.stringify(request))] as const),
    roomsRequest(jsonValue).map((request) => [chat, utf8(JSON.stringify(request))] as const),
    roomsRequest(messagePackValue).map(
      (request) => [messagepack, encodeReference(request, { useBigInt64: true, ignoreUndefined: true })] as const,
    ),
  );

  it("that were damaged are a sound request or refused", () => {
    let accepted = 0;
    let refused = 0;
    fc.assert(
      fc.property(sound, fc.array(mutation, { minLength: 1, maxLength: 3 }), ([codec, body], mutations) => {
        const damaged = mutations.reduce((bytes, mutate) => mutate(bytes), body);
        if (assertSound(codec, damaged) === undefined) refused++;
        else accepted++;
      }),
      { numRuns: 1500 },
    );
    expect(Math.min(accepted, refused), "both happen").toBeGreaterThan(20);
  });

  it("of any kind are a sound request or refused", () => {
    fc.assert(
      fc.property(fc.constantFrom(...codecs), fc.uint8Array({ maxLength: 200 }), (codec, body) => {
        assertSound(codec, body);
      }),
      { numRuns: 500 },
    );
  });

  it("that are JSON are refused or read as JSON.parse reads them, and nothing else is taken", () => {
    const pieces = '{ } [ ] , : " "a" 1 - 0 null true \\ \\u0061 \\ud83d\\ude00 é \n \u2028 "__proto__" "id":1,'.split(
      " ",
    );
    const piece = fc.constantFrom('{"type":"publish","room":"r","event":"e","payload":', " ", ...pieces);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (chosen) => {
        const text = chosen.join("");
        const request = assertSound(json, utf8(text));
        if (request === undefined) return;
        const parsed = JSON.parse(text) as Record<string, unknown>;
        if (request.type === "publish") expect(request.payload).toEqual(parsed["payload"] ?? null);
        else expect(request.type).toBe("malformed");
      }),
      { numRuns: 1500 },
    );
    const payload = fc.jsonValue().filter((value) => !JSON.stringify(value).includes("__proto__"));
    fc.assert(
      fc.property(payload, (value) => {
        const text = `{"type":"publish","room":"r","event":"e","payload":${JSON.stringify(value)}}`;
        expect(json.decode(utf8(text), limits)).toMatchObject({
          payload: (JSON.parse(text) as Record<string, unknown>)["payload"],
        });
      }),
    );
  });
});

describe("bounds are looked at before anything is made of the bytes", () => {
  const publishHead = '{"type":"publish","room":"r","event":"e","payload":';

  test("a message of 64 KiB is taken and one byte more is not", () => {
    const fill = (length: number): string => {
      const empty = `${publishHead}""}`;
      return `${publishHead}"${"x".repeat(length - empty.length)}"}`;
    };
    expect(json.decode(utf8(fill(65_536)), limits)).toMatchObject({ type: "publish" });
    for (const codec of [json, chat])
      expect(reasonOf(() => codec.decode(utf8(fill(65_537)), limits))).toBe("message_too_big");
    const head = hex("81 a4 74 79 70 65 db 00 00 ff f5");
    expect(messagepack.decode(concat(head, new Uint8Array(65_525).fill(0x78)), limits)).toMatchObject({
      type: "malformed",
    });
    expect(reasonOf(() => messagepack.decode(new Uint8Array(65_537), limits))).toBe("message_too_big");
  });

  test("32 levels are taken and 33 are not", () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
    for (const [depth, reason] of [
      [31, undefined],
      [32, "too_deep"],
    ] as const) {
      const request = { type: "publish", room: "r", event: "e", payload: nested(depth) };
      expect(reasonOf(() => json.decode(utf8(JSON.stringify(request)), limits))).toBe(reason);
      expect(reasonOf(() => messagepack.decode(encodeReference(request), limits))).toBe(reason);
    }
    expect(reasonOf(() => json.decode(utf8(`${publishHead}${"[".repeat(60_000)}`), limits))).toBe("too_deep");
    expect(reasonOf(() => json.decode(utf8(`${publishHead}${'{"a":'.repeat(10_000)}`), limits))).toBe("too_deep");
    expect(reasonOf(() => messagepack.decode(concat(hex("81 a1 61"), new Uint8Array(60_000).fill(0x91)), limits))).toBe(
      "too_deep",
    );
  });

  test("10,000 values are taken and one more is not", () => {
    // The message, its four members and the list's elements.
    for (const [elements, reason] of [
      [9_995, undefined],
      [9_996, "message_too_big"],
    ] as const) {
      const request = { type: "publish", room: "r", event: "e", payload: Array<number>(elements).fill(1) };
      expect(reasonOf(() => json.decode(utf8(JSON.stringify(request)), limits))).toBe(reason);
      expect(reasonOf(() => messagepack.decode(encodeReference(request), limits))).toBe(reason);
    }
  });

  test.each([
    ["a list of 4 billion", "dd ff ff ff ff"],
    ["a map of 4 billion", "df ff ff ff ff"],
    ["a list of 4 billion in a map", "81 a1 61 dd ff ff ff ff"],
    ["a map of 4 billion in a map", "81 a1 61 df ff ff ff ff"],
    ["a text of 4 GB", "81 a1 61 db ff ff ff ff"],
    ["a name of 4 GB", "81 db ff ff ff ff"],
    ["bytes of 4 GB", "81 a1 61 c6 ff ff ff ff"],
    ["an extension of 4 GB", "81 a1 61 c9 ff ff ff ff ff"],
    ["15 members, and none", "8f"],
    ["a list of 65,535, and one", "81 a1 61 dc ff ff 01"],
  ])("%s in a few bytes is refused", (_, digits) => {
    expect(reasonOf(() => messagepack.decode(hex(digits), limits))).toBe("bad_request");
  });

  test("32 nested lists of a million each are refused without making room for them", () => {
    const header = "dd 00 0f 42 40 ";
    const before = process.memoryUsage().arrayBuffers;
    for (const body of [hex(header.repeat(32)), hex(`81 a1 61 ${header.repeat(31)}`)])
      expect(["bad_request", "message_too_big", "too_deep"]).toContain(
        reasonOf(() => messagepack.decode(body, limits)),
      );
    // With enough bytes behind them for the first, but never for all.
    const padded = concat(hex(`81 a1 61 ${"dd 00 00 1f ff ".repeat(31)}`), new Uint8Array(40_000).fill(0xc0));
    expect(["message_too_big", "too_deep"]).toContain(reasonOf(() => messagepack.decode(padded, limits)));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6);
  });
});

it("an error holds nothing of what was sent", () => {
  const secret = "s3cr3t-token";
  const bodies = [
    `{"type":"auth","token":"${secret}"`,
    `{"${secret}":1,"${secret}":2}`,
    `"${secret}"`,
    `{"type":"auth","__proto__":"${secret}"}`,
  ];
  for (const body of bodies) {
    try {
      json.decode(utf8(body), limits);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(HubwardError);
      expect(`${(error as Error).stack} ${JSON.stringify(error)} ${String((error as Error).cause)}`).not.toContain(
        secret,
      );
    }
  }
  expect(
    JSON.stringify(json.decode(utf8(`{"type":"${secret}","room":"${secret}","id":["${secret}"]}`), limits)),
  ).not.toContain(secret);
});
