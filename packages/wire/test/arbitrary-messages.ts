/** Generators of hub messages and of damage, for the property tests of this package. */

import fc from "fast-check";
import { HubwardError, messageType } from "../src/index.js";
import type { HubMessage, ReasonName } from "../src/index.js";

/** Well-formed text of at most 4 bytes a character. */
const text = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: "binary", minLength, maxLength });

const id = text(1, 16);

function isFreeOfProto(value: unknown): boolean {
  return !JSON.stringify(value).includes(`"__proto__"`);
}

/** Values both encodings carry unchanged; neither tells -0 from 0. */
export const jsonValue: fc.Arbitrary<unknown> = fc
  .jsonValue({ maxDepth: 4, stringUnit: "binary" })
  .filter(isFreeOfProto)
  .map((value): unknown => JSON.parse(JSON.stringify(value)));

/** Values only MessagePack carries unchanged. */
export const binaryValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.date({ noInvalidDate: true }),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
  fc.double().filter((number) => !Object.is(number, -0)),
  fc.maxSafeInteger().filter((number) => !Object.is(number, -0)),
);

/** Values of MessagePack, nested. */
export const messagePackValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    jsonValue,
    binaryValue,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(
      text(0, 20).filter((key) => key !== "__proto__"),
      tie("value"),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value;

/** Any hub message in the form in which both codecs return it: lists and maps that would be empty are absent. */
export function hubMessage(value: fc.Arbitrary<unknown>): fc.Arbitrary<HubMessage> {
  const headers = fc.option(
    fc.dictionary(
      text(0, 10).filter((key) => key !== "__proto__"),
      text(0, 10),
      { minKeys: 1, maxKeys: 4, noNullPrototype: true },
    ),
    { nil: undefined },
  );
  const streamIds = fc.option(fc.array(id, { minLength: 1, maxLength: 4 }), { nil: undefined });
  const call = { target: text(1, 32), arguments: fc.array(value, { maxLength: 6 }), streamIds, headers };
  const outcome = fc.oneof(
    fc.record({ kind: fc.constant("error" as const), error: text(1, 40) }),
    fc.record({ kind: fc.constant("void" as const) }),
    fc.record({ kind: fc.constant("value" as const), value }),
  );
  return fc.oneof(
    fc.record({
      type: fc.constant(messageType.invocation),
      invocationId: fc.option(id, { nil: undefined }),
      ...call,
    }),
    fc.record({ type: fc.constant(messageType.streamInvocation), invocationId: id, ...call }),
    fc.record({ type: fc.constant(messageType.streamItem), invocationId: id, item: value, headers }),
    fc.record({ type: fc.constant(messageType.completion), invocationId: id, outcome, headers }),
    fc.record({ type: fc.constant(messageType.cancelInvocation), invocationId: id, headers }),
    fc.record({ type: fc.constant(messageType.ping) }),
    fc.record({
      type: fc.constant(messageType.close),
      error: fc.option(text(1, 60), { nil: undefined }),
      allowReconnect: fc.constantFrom(true, undefined),
    }),
    fc.record({
      type: fc.constantFrom(messageType.ack, messageType.sequence),
      sequenceId: fc.maxSafeNat(),
    }),
  );
}

/** One thing that can happen to bytes on their way. Positions are fractions of the length. */
export const mutation: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc.oneof(
  fc.tuple(fc.nat(9999), fc.integer({ min: 1, max: 255 })).map(([where, bits]) => (bytes: Uint8Array) => {
    const copy = Uint8Array.from(bytes);
    const at = Math.floor((where / 10_000) * copy.length);
    if (copy.length > 0) copy[at] = (copy[at] ?? 0) ^ bits;
    return copy;
  }),
  fc.tuple(fc.nat(9999), fc.uint8Array({ minLength: 1, maxLength: 6 })).map(([where, extra]) => (bytes: Uint8Array) => {
    const at = Math.floor((where / 10_000) * (bytes.length + 1));
    return Uint8Array.from([...bytes.subarray(0, at), ...extra, ...bytes.subarray(at)]);
  }),
  fc.tuple(fc.nat(9999), fc.nat(9999)).map(([from, to]) => (bytes: Uint8Array) => {
    const [start, end] = [from, to].sort((a, b) => a - b).map((at) => Math.floor((at / 10_000) * (bytes.length + 1)));
    return Uint8Array.from([...bytes.subarray(0, start), ...bytes.subarray(end)]);
  }),
  fc.nat(9999).map((where) => (bytes: Uint8Array) => {
    return bytes.slice(0, Math.floor((where / 10_000) * bytes.length));
  }),
);

/** Cuts bytes at random places. */
export function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.slice(ends[index - 1] ?? 0, end));
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** The reason an action is refused for; an error of any other class fails the test. */
export function reasonOf(action: () => unknown): ReasonName | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof HubwardError) return error.reason;
    throw error;
  }
}

/** Bytes from hex digits; spaces are for reading. */
export function hex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/[\da-f]{2}/gi) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function utf8(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
