import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { createFakeClock } from "../../../../../../tests/support/fake-clock.js";
import { dpopNonces } from "../index.js";

const secret = randomBytes(32);

test("a nonce is given out for its window and accepted for one more", () => {
  const clock = createFakeClock(); // at the start of a window
  const nonces = dpopNonces(secret, { clock });
  const first = nonces.current();
  clock.advance(59_999);
  expect(nonces.current()).toBe(first);
  clock.advance(1);
  expect(nonces.current()).not.toBe(first);
  clock.advance(59_999);
  expect(nonces.accepts(first)).toBe(true);
  clock.advance(1);
  expect(nonces.accepts(first)).toBe(false);
});

test("a nonce of the future is none yet", () => {
  const [ahead, clock] = [createFakeClock(), createFakeClock()];
  ahead.advance(60_000);
  expect(dpopNonces(secret, { clock }).accepts(dpopNonces(secret, { clock: ahead }).current())).toBe(false);
});

test("servers that share the secret accept each other's, others do not", () => {
  const clock = createFakeClock();
  const nonce = dpopNonces(secret, { clock }).current();
  expect(dpopNonces(secret, { clock }).accepts(nonce)).toBe(true);
  expect(dpopNonces(randomBytes(32), { clock }).accepts(nonce)).toBe(false);
  expect(dpopNonces(secret, { clock, windowMs: 30_000 }).accepts(nonce)).toBe(false);
  for (const wrong of ["", "x", `${nonce}x`, nonce.slice(1), nonce.toLowerCase()]) {
    expect(dpopNonces(secret, { clock }).accepts(wrong)).toBe(false);
  }
});

test("secrets that are none are refused, and a good one does not print", () => {
  expect(() => dpopNonces("x".repeat(32) as unknown as Uint8Array)).toThrow(TypeError);
  expect(() => dpopNonces(randomBytes(31))).toThrow(RangeError);
  expect(() => dpopNonces(secret, { windowMs: 999 })).toThrow(RangeError);
  expect(() => dpopNonces(secret, { windowMs: 600_001 })).toThrow(RangeError);
  const shown = inspect(dpopNonces(secret), { depth: 9, showHidden: true }) + JSON.stringify(dpopNonces(secret));
  expect(shown).not.toContain(secret.toString("hex"));
});
