import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  concat,
  cut,
  hubMessage,
  jsonValue,
  messagePackValue,
  mutation,
  reasonOf,
} from "../../test/arbitrary-messages.js";
import { createBinaryReader, createTextReader } from "./framing.js";
import { jsonCodec } from "./json-codec.js";
import { messagePackCodec } from "./messagepack-codec.js";
import { decodeLimitDefaults } from "./messages.js";
import type { HubCodec, HubMessage } from "./messages.js";

/** Laws both codecs obey, together with the framing of each. */
const limits = { ...decodeLimitDefaults, maxBytes: 1e6, maxNodes: 1e6 };
const codecs = [
  { name: "json", codec: jsonCodec, createReader: createTextReader, message: hubMessage(jsonValue) },
  {
    name: "messagepack",
    codec: messagePackCodec,
    createReader: createBinaryReader,
    message: hubMessage(messagePackValue),
  },
] as const;

const reasons = [undefined, "bad_request", "too_deep", "malformed_unicode", "message_too_big"];

describe.each(codecs)("$name", ({ codec, createReader, message }) => {
  const bodyOf = (sent: HubMessage): Uint8Array => {
    const [body] = createReader({ maxBytes: limits.maxBytes }).read(codec.encode(sent));
    return body ?? new Uint8Array(0);
  };

  test("what is encoded is decoded to the same message", () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(codec.decode(bodyOf(sent), limits)).toEqual(sent);
      }),
    );
  });

  test("messages survive a stream that is cut anywhere", () => {
    const places = fc.array(fc.nat(), { maxLength: 10 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), places, (sent, where) => {
        const reader = createReader({ maxBytes: limits.maxBytes });
        const stream = concat(...sent.map((one) => codec.encode(one)));
        const bodies = cut(stream, where).flatMap((chunk) => reader.read(chunk));
        expect(bodies.map((body) => codec.decode(body, limits))).toEqual(sent);
      }),
    );
  });

  test("what is encoded twice has the same bytes", () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(codec.encode(sent)).toEqual(codec.encode(sent));
      }),
    );
  });

  test("any bytes are a message, ignored, or refused with a reason", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(reasons).toContain(reasonOf(() => codec.decode(bytes)));
      }),
      { numRuns: 2000 },
    );
  });

  test("a damaged message is a sound message, ignored, or refused with a reason", () => {
    fc.assert(
      fc.property(message, fc.array(mutation, { minLength: 1, maxLength: 4 }), (sent, mutations) => {
        const damaged = mutations.reduce((bytes, mutate) => mutate(bytes), bodyOf(sent));
        let received: HubMessage | undefined;
        expect(reasons).toContain(reasonOf(() => (received = codec.decode(damaged, limits))));
        if (received !== undefined) assertSound(codec, received, bodyOf);
      }),
      { numRuns: 3000 },
    );
  });
});

/** Whatever gets through can be handled: no name of the prototype in it, and it can be sent on unchanged. */
function assertSound(codec: HubCodec, received: HubMessage, bodyOf: (message: HubMessage) => Uint8Array): void {
  expect(Object.prototype).toEqual({});
  expect(holdsProto(received)).toBe(false);
  const again = codec.decode(bodyOf(received), limits);
  expect(again).toBeDefined();
  if (again !== undefined) expect(codec.encode(again)).toEqual(codec.encode(received));
}

function holdsProto(value: unknown): boolean {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return false;
  const isPlain = Array.isArray(value) || value instanceof Date || Object.getPrototypeOf(value) === Object.prototype;
  return !isPlain || Object.hasOwn(value, "__proto__") || Object.values(value).some(holdsProto);
}

test("both encodings carry the same message", () => {
  fc.assert(
    fc.property(hubMessage(jsonValue), (sent) => {
      const [text] = createTextReader({ maxBytes: 1e6 }).read(jsonCodec.encode(sent));
      const [binary] = createBinaryReader({ maxBytes: 1e6 }).read(messagePackCodec.encode(sent));
      expect(text && jsonCodec.decode(text, limits)).toEqual(binary && messagePackCodec.decode(binary, limits));
    }),
  );
});
