/** Hub messages in MessagePack that no client should send. */

import { describe, expect, test } from "vitest";
import { BAD_REQUEST, endingOf, TOO_BIG, TOO_DEEP } from "./ending-of.js";
import { pack } from "./pack.js";
import { underAttack } from "./target.js";

/** One MessagePack message with its length in front. */
function framed(body: Uint8Array): Uint8Array {
  const prefix: number[] = [];
  for (let length = body.length; ; length >>= 7) {
    prefix.push(length > 0x7f ? (length & 0x7f) | 0x80 : length);
    if (length <= 0x7f) return Buffer.concat([Buffer.from(prefix), body]);
  }
}

const bytes = (...values: readonly number[]): Buffer => Buffer.from(values);
const array32 = bytes(0xdd, 0x01, 0xf7, 0x8a, 0x40);

const fatalBinary: readonly (readonly [string, Uint8Array, string])[] = [
  ["an empty message", bytes(0), BAD_REQUEST],
  ["empty messages alone", Buffer.alloc(10_000), BAD_REQUEST],
  ["a length of six bytes", bytes(0x80, 0x80, 0x80, 0x80, 0x80, 0x01), BAD_REQUEST],
  ["a length longer than need be", bytes(0x80, 0x80, 0x00), BAD_REQUEST],
  ["a length of 2 GB", bytes(0xff, 0xff, 0xff, 0xff, 0x07), TOO_BIG],
  ["a length with its 32nd bit set", bytes(0xff, 0xff, 0xff, 0xff, 0x0f), TOO_BIG],
  [
    "32 nested headers that claim 33 million items each",
    framed(Buffer.concat(Array.from({ length: 32 }, () => array32))),
    BAD_REQUEST,
  ],
  ["one header that claims 33 million items", framed(array32), BAD_REQUEST],
  ["a map that claims 4 billion entries", framed(bytes(0xdf, 0xff, 0xff, 0xff, 0xff)), BAD_REQUEST],
  ["text that claims 4 GB", framed(bytes(0x91, 0xdb, 0xff, 0xff, 0xff, 0xff)), BAD_REQUEST],
  ["bytes that claim 4 GB", framed(bytes(0x91, 0xc6, 0xff, 0xff, 0xff, 0xff)), BAD_REQUEST],
  ["the byte that is never used", framed(bytes(0xc1)), BAD_REQUEST],
  ["no array", framed(bytes(0x80)), BAD_REQUEST],
  ["an empty array", framed(bytes(0x90)), BAD_REQUEST],
  ["a type that is text", framed(pack(["1", {}, null, "Echo", [1]])), BAD_REQUEST],
  ["too few fields", framed(pack([1, {}, "1"])), BAD_REQUEST],
  ["bytes behind the message", framed(Buffer.concat([pack([6]), bytes(0x01)])), BAD_REQUEST],
  [
    "an unknown extension",
    framed(
      Buffer.concat([
        bytes(0x96, 0x01, 0x80, 0xa1, 0x31, 0xa4),
        Buffer.from("Echo"),
        bytes(0x91, 0xd4, 0x72, 0x00, 0x90),
      ]),
    ),
    BAD_REQUEST,
  ],
  [
    "a key that names the prototype",
    framed(pack([1, {}, "1", "Echo", [JSON.parse('{"__proto__":{"isAdmin":1}}')], []])),
    BAD_REQUEST,
  ],
  [
    "10,000 nested arrays",
    framed(
      Buffer.concat([
        bytes(0x96, 0x01, 0x80, 0xa1, 0x31, 0xa4),
        Buffer.from("Echo"),
        Buffer.alloc(10_000, 0x91),
        bytes(0xc0, 0x90),
      ]),
    ),
    TOO_DEEP,
  ],
  [
    "more values than are accepted",
    framed(pack([1, {}, "1", "Echo", [Array.from({ length: 12_000 }, () => 1)], []])),
    TOO_BIG,
  ],
  ["more bytes than are accepted", framed(pack([1, {}, "1", "Echo", ["x".repeat(33_000)], []])), TOO_BIG],
];

describe("a connection ends for", () => {
  test.each(fatalBinary)("%s", (_, body, ending) =>
    underAttack(async ({ enter, entered }) => {
      const socket = await enter("messagepack");
      socket.sendBinary(body);
      expect(await endingOf(socket)).toBe(ending);
      expect(entered).toEqual([]);
      expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
    })(),
  );
});

test(
  "a well-formed call, written the same way, is answered: the others end for what is wrong with them",
  underAttack(async ({ enter, entered }) => {
    const socket = await enter("messagepack");
    socket.sendBinary(framed(pack([1, {}, "1", "Echo", [{ a: [1, null, "x"] }], []])));
    await socket.frames.take(2);
    expect(entered).toEqual([{ method: "Echo", args: [{ a: [1, null, "x"] }] }]);
  }),
);
