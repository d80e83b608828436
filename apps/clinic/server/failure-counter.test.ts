import { beforeEach, expect, test } from "vitest";
import { createFailureCounter, type FailureCounter } from "./failure-counter.js";

let time = 0;
let counter: FailureCounter;

beforeEach(() => {
  time = 1_000;
  counter = createFailureCounter({ maxFailures: 3, windowMs: 60_000, maxKeys: 4, now: () => time });
});

function fail(key: string): void {
  counter.begin(key).settle(true);
}

test("a key is blocked by the last failure it may have, until the first of them is a window old", () => {
  fail("a");
  time += 20_000;
  fail("a");
  expect(counter.blockedMs("a")).toBe(0);
  time += 10_000;
  fail("a");
  expect(counter.blockedMs("a")).toBe(30_000);
  time += 29_999;
  expect(counter.blockedMs("a")).toBe(1);
  time += 1;
  expect(counter.blockedMs("a")).toBe(0);
  fail("a");
  expect(counter.blockedMs("a")).toBe(20_000);
});

test("successes leave no trace and do not forgive failures", () => {
  fail("a");
  fail("a");
  counter.begin("a").settle(false);
  expect(counter.hasRoom("a")).toBe(true);
  fail("a");
  expect(counter.blockedMs("a")).toBe(60_000);
  counter.begin("b").settle(false);
  expect(counter.size).toBe(1);
});

test("attempts under way count as failures for room, not for blocking", () => {
  const attempts = [counter.begin("a"), counter.begin("a"), counter.begin("a")];
  expect(counter.hasRoom("a")).toBe(false);
  expect(counter.blockedMs("a")).toBe(0);
  attempts[0]?.settle(false);
  expect(counter.hasRoom("a")).toBe(true);
});

test("one key does not block another", () => {
  for (let count = 0; count < 3; count++) fail("a");
  expect(counter.blockedMs("b")).toBe(0);
  expect(counter.hasRoom("b")).toBe(true);
});

test("it never holds more keys than allowed, and forgets those whose last failure is oldest", () => {
  for (const key of ["a", "a", "a", "b", "c", "d"]) fail(key);
  fail("e");
  expect(counter.size).toBe(4);
  expect(counter.blockedMs("a")).toBe(0);
  for (let index = 0; index < 1_000; index++) fail(`key ${index}`);
  expect(counter.size).toBe(4);
});

test("keys whose failures are a window old are forgotten as others come", () => {
  for (const key of ["a", "b", "c"]) fail(key);
  time += 60_000;
  fail("d");
  expect(counter.size).toBe(1);
});

test("an attempt under way is not forgotten", () => {
  const attempt = counter.begin("a");
  for (let index = 0; index < 10; index++) fail(`key ${index}`);
  attempt.settle(true);
  fail("a");
  fail("a");
  expect(counter.blockedMs("a")).toBe(60_000);
});
