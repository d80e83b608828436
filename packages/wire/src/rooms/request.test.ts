import { encode as encodeReference } from "@msgpack/msgpack";
import { describe, expect, it, test } from "vitest";
import { utf8 } from "../../test/arbitrary-messages.js";
import { roomsCodecs } from "./codecs.js";
import { roomsLimitDefaults } from "./messages.js";
import type { RoomsRequest } from "./messages.js";
import { readRequest } from "./request.js";
import type { Members } from "./request.js";

/** Through both encodings, which must agree. */
function read(members: Members): RoomsRequest {
  const limits = { ...roomsLimitDefaults, maxBytes: 1e6 };
  const request = roomsCodecs.json.decode(utf8(JSON.stringify(members)), limits);
  expect(roomsCodecs.messagepack.decode(encodeReference(members, { ignoreUndefined: true }), limits)).toEqual(request);
  return request;
}

const publish = { type: "publish", id: "3", room: "r", event: "e" };

describe("an id", () => {
  test.each<string | number>(["1", "x".repeat(64), "é😀", " ", "__proto__", "constructor", 0, 1, 2 ** 53 - 1])(
    "may be %j",
    (id) => {
      expect(read({ type: "ping", id })).toEqual({ type: "ping", id });
    },
  );

  test.each<unknown>(["", "x".repeat(65), -1, 0.5, 2 ** 53, 1e300, true, false, null, [], ["1"], {}, { toString: 1 }])(
    "may not be %j, and the refusal has none",
    (id) => {
      expect(read({ type: "join", id, room: "r" })).toEqual({
        type: "malformed",
        id: undefined,
        request: "join",
        room: undefined,
        detail: "id must be a text of 1 to 64 characters or a whole number",
      });
    },
  );

  it("may not be a number that JSON has no digits for", () => {
    for (const id of [Number.NaN, Number.POSITIVE_INFINITY, 2n ** 60n, new Date(0), Uint8Array.of(1)]) {
      const body = encodeReference({ type: "ping", id }, { useBigInt64: true });
      expect(roomsCodecs.messagepack.decode(body, roomsLimitDefaults)).toMatchObject({
        type: "malformed",
        id: undefined,
      });
    }
  });
});

describe("a type", () => {
  const unknown: readonly unknown[] = [
    undefined,
    null,
    "",
    "Join",
    "join ",
    "message",
    "ready",
    "malformed",
    "constructor",
    "toString",
    "hasOwnProperty",
    "valueOf",
    "__proto__",
    1,
    0,
    true,
    ["join"],
    { join: 1 },
  ];
  test.each(unknown)("that is %j is refused, and not repeated", (type) => {
    const expected = { type: "malformed", id: 7, request: undefined, room: undefined, detail: expect.any(String) };
    expect(read({ type, id: 7, room: "r", token: "t" })).toEqual(expected);
    expect(read({ type, id: "", room: "r" })).toMatchObject({ type: "malformed", id: undefined, request: undefined });
  });
});

describe("a member of the wrong kind", () => {
  const notTexts = [undefined, null, 1, true, [], ["r"], {}, { length: 1 }];
  const cases: readonly (readonly [members: Members, detail: string])[] = [
    ...notTexts.flatMap((wrong) =>
      ["join", "leave", "publish", "who"].map(
        (type) => [{ ...publish, type, room: wrong }, "room must be a text"] as const,
      ),
    ),
    ...[...notTexts, "", "x".repeat(129)].map(
      (event) => [{ ...publish, event }, "event must be a text of 1 to 128 characters"] as const,
    ),
    ...[...notTexts.slice(1), "", "x".repeat(129)].map(
      (command) => [{ ...publish, command }, "command must be a text of 1 to 128 characters"] as const,
    ),
    ...[...notTexts, ""].map((token) => [{ type: "auth", id: "3", token }, "token must be a text"] as const),
    ...[...notTexts.slice(1), ""].map(
      (proof) => [{ type: "auth", id: "3", token: "t", proof }, "proof must be a text"] as const,
    ),
    ...[null, 0, 1, "true", [], {}].map(
      (follow) => [{ type: "who", id: "3", room: "r", follow }, "follow must be true or false"] as const,
    ),
  ];
  test.each(cases)("is refused with the id and the name of the request: %j", (members, detail) => {
    expect(read(members)).toEqual({
      type: "malformed",
      id: "3",
      request: members["type"],
      room: undefined,
      detail,
    });
  });
});

it("texts of the longest length are taken", () => {
  const longest = { ...publish, event: "e".repeat(128), command: "c".repeat(128), payload: null };
  expect(read(longest)).toEqual(longest);
});

it("names of the prototype are names like any other", () => {
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty", "prototype"]) {
    const request = { type: "publish", room: name, event: name, command: name, payload: name };
    expect(read(request)).toEqual(request);
  }
});

it("nothing comes from a prototype", () => {
  const members = Object.assign(Object.create(null) as Record<string, unknown>, {
    type: "publish",
    room: "r",
    event: "e",
  });
  expect(readRequest(members)).toEqual({ type: "publish", room: "r", event: "e", payload: null });
});

it("members that nobody knows are ignored", () => {
  const more = { constructor: 1, toJSON: "x", connection_id: "c", args: [1], tenant: "other", why: null };
  expect(read({ type: "who", room: "r", ...more })).toEqual({ type: "who", room: "r" });
  expect(Object.keys(read({ ...publish, ...more }))).toEqual(["type", "id", "room", "event", "payload", "command"]);
});
