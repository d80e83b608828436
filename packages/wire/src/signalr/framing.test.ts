import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat, cut, hex, mutation, reasonOf, utf8 } from "../../test/arbitrary-messages.js";
import { createBinaryReader, createTextReader, frameBinary, frameText, RECORD_SEPARATOR } from "./framing.js";
import type { MessageReader } from "./framing.js";

const kinds = [
  { name: "text", create: createTextReader, frame: frameText },
  { name: "binary", create: createBinaryReader, frame: frameBinary },
] as const;

const readAll = (reader: MessageReader, chunks: readonly Uint8Array[]): number[][] =>
  chunks.flatMap((chunk) => reader.read(chunk)).map((body) => [...body]);

const bodies = fc.array(
  fc
    .uint8Array({ minLength: 1, maxLength: 300 })
    .map((bytes) => bytes.map((byte) => (byte === RECORD_SEPARATOR ? 0 : byte))),
  { maxLength: 8 },
);
const places = fc.array(fc.nat(), { maxLength: 12 });

describe.each(kinds)("a $name reader", ({ create, frame }) => {
  test("returns the same bodies however the stream is cut", () => {
    fc.assert(
      fc.property(bodies, places, (sent, where) => {
        const reader = create({ maxBytes: 300 });
        expect(readAll(reader, cut(concat(...sent.map(frame)), where))).toEqual(sent.map((body) => [...body]));
        expect(reader.bufferedBytes).toBe(0);
      }),
    );
  });

  test("returns the same bodies byte by byte", () => {
    const sent = [utf8("a"), new Uint8Array(200).fill(7), utf8("bc")];
    const reader = create({ maxBytes: 200 });
    const stream = concat(...sent.map(frame));
    expect(
      readAll(
        reader,
        [...stream].map((byte) => Uint8Array.of(byte)),
      ),
    ).toEqual(sent.map((body) => [...body]));
  });

  test("does not copy what arrives whole", () => {
    const chunk = concat(frame(utf8("one")), frame(utf8("two")));
    const read = create({ maxBytes: 10 }).read(chunk);
    expect(read).toHaveLength(2);
    expect(read.every((body) => body.buffer === chunk.buffer)).toBe(true);
  });

  test("lets go of a body it has put together", () => {
    const reader = create({ maxBytes: 100 });
    const stream = concat(frame(utf8("first")), frame(utf8("other")));
    const [first] = [...reader.read(stream.subarray(0, 3)), ...reader.read(stream.subarray(3, 9))];
    reader.read(stream.subarray(9));
    expect(first).toEqual(utf8("first"));
  });

  test("does not keep a view of a chunk", () => {
    const reader = create({ maxBytes: 100 });
    const stream = frame(utf8("abcdef"));
    const chunk = stream.slice(0, 5);
    reader.read(chunk);
    chunk.fill(0);
    expect(readAll(reader, [stream.subarray(5)])).toEqual([[...utf8("abcdef")]]);
  });

  test("takes single bytes without copying the beginning each time", () => {
    const stream = frame(new Uint8Array(1_000_000).fill(65));
    const reader = create({ maxBytes: 1_000_000 });
    let read: readonly Uint8Array[] = [];
    for (let at = 0; at < stream.length; at++) read = reader.read(stream.subarray(at, at + 1));
    expect(read.map((body) => body.length)).toEqual([1_000_000]);
  });

  test("accepts a message of the largest size and refuses one byte more", () => {
    expect(create({ maxBytes: 128 }).read(frame(new Uint8Array(128)))).toHaveLength(1);
    expect(reasonOf(() => create({ maxBytes: 128 }).read(frame(new Uint8Array(129))))).toBe("message_too_big");
  });

  test("refuses an empty message", () => {
    expect(reasonOf(() => create({ maxBytes: 10 }).read(frame(new Uint8Array(0))))).toBe("bad_request");
    expect(reasonOf(() => create({ maxBytes: 10 }).read(concat(frame(utf8("a")), frame(new Uint8Array(0)))))).toBe(
      "bad_request",
    );
  });

  test("stays spent after an error", () => {
    const reader = create({ maxBytes: 10 });
    expect(reasonOf(() => reader.read(frame(new Uint8Array(11))))).toBe("message_too_big");
    expect(reader.bufferedBytes).toBe(0);
    expect(reasonOf(() => reader.read(frame(utf8("fine"))))).toBe("message_too_big");
  });

  test("never holds more than the largest message and never fails in another way", () => {
    fc.assert(
      fc.property(bodies, fc.array(mutation, { maxLength: 3 }), places, (sent, mutations, where) => {
        const stream = mutations.reduce((bytes, mutate) => mutate(bytes), concat(...sent.map(frame)));
        const reader = create({ maxBytes: 200 });
        const reason = reasonOf(() => {
          for (const chunk of cut(stream, where)) {
            for (const body of reader.read(chunk)) {
              expect(body.length).toBeGreaterThan(0);
              expect(body.length).toBeLessThanOrEqual(200);
            }
            expect(reader.bufferedBytes).toBeLessThanOrEqual(200);
          }
        });
        expect([undefined, "bad_request", "message_too_big"]).toContain(reason);
      }),
    );
  });

  test("gives the same verdict however the stream is cut", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), places, (stream, where) => {
        const whole = reasonOf(() => create({ maxBytes: 40 }).read(stream));
        expect(reasonOf(() => readAll(create({ maxBytes: 40 }), cut(stream, where)))).toBe(whole);
      }),
    );
  });

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("does not start with %d for maxBytes", (maxBytes) => {
    expect(() => create({ maxBytes })).toThrow(RangeError);
  });
});

describe("a text reader", () => {
  test("refuses an unfinished message as soon as it is too long", () => {
    const reader = createTextReader({ maxBytes: 10 });
    expect(reader.read(new Uint8Array(10))).toEqual([]);
    expect(reader.bufferedBytes).toBe(10);
    expect(reasonOf(() => reader.read(Uint8Array.of(0)))).toBe("message_too_big");
  });

  test("stops a flood of separators at the first", () => {
    const flood = new Uint8Array(32 * 1024).fill(RECORD_SEPARATOR);
    expect(reasonOf(() => createTextReader({ maxBytes: 32 * 1024 }).read(flood))).toBe("bad_request");
  });
});

describe("a binary reader", () => {
  const read = (digits: string, maxBytes = 2 ** 31): number[][] =>
    readAll(createBinaryReader({ maxBytes }), [hex(digits)]);

  test("reads the example of HubProtocol.md", () => {
    expect(read("0b 68 65 6c 6c 6f 0a 77 6f 72 6c 64 02 01 02")).toEqual([[...utf8("hello\nworld")], [1, 2]]);
  });

  test("refuses a length as soon as it is read", () => {
    expect(reasonOf(() => read("0b", 10))).toBe("message_too_big");
    expect(reasonOf(() => read("80 29", 5247))).toBe("message_too_big");
    expect(read("80 29", 5248)).toEqual([]);
  });

  test("refuses a length that is too large before all of its bytes are there", () => {
    expect(reasonOf(() => read("ff ff", 10_000))).toBe("message_too_big");
  });

  test.each(["ff ff ff ff 07", "ff ff ff ff 0f", "80 80 80 80 08", "ff ff ff ff 7f", "ff ff ff ff ff 01"])(
    "does not take the length %s for a small or negative one",
    (digits) => {
      expect(reasonOf(() => read(digits, 32 * 1024))).toBe("message_too_big");
    },
  );

  test("takes lengths beyond 31 bits for what they are", () => {
    const reader = createBinaryReader({ maxBytes: 2 ** 33 });
    expect(reader.read(hex("80 80 80 80 08 01"))).toEqual([]); // 2^31, and the first byte of it
    expect(reader.bufferedBytes).toBe(1);
  });

  test.each(["80 00", "81 00", "81 80 00", "80 80 80 80 00"])("refuses the overlong length %s", (digits) => {
    expect(reasonOf(() => read(digits))).toBe("bad_request");
  });

  test("refuses a length of more than five bytes", () => {
    expect(reasonOf(() => read("80 80 80 80 80 01"))).toBe("bad_request");
  });

  test("does not allocate what a length promises", () => {
    const reader = createBinaryReader({ maxBytes: 2 ** 31 });
    reader.read(hex("ff ff ff ff 07 01 02"));
    expect(reader.bufferedBytes).toBe(2);
  });

  test("stops a flood of empty messages at the first", () => {
    expect(reasonOf(() => createBinaryReader({ maxBytes: 10 }).read(new Uint8Array(32 * 1024)))).toBe("bad_request");
  });
});

describe("frameBinary", () => {
  test.each([
    [1, "01"],
    [127, "7f"],
    [128, "80 01"],
    [5248, "80 29"],
    [16_383, "ff 7f"],
    [16_384, "80 80 01"],
    [2_097_151, "ff ff 7f"],
    [2_097_152, "80 80 80 01"],
  ])("puts the shortest length in front of %i bytes", (length, prefix) => {
    const framed = frameBinary(new Uint8Array(length));
    const expected = hex(prefix);
    expect(framed).toHaveLength(expected.length + length);
    expect(framed.subarray(0, expected.length)).toEqual(expected);
  });
});
