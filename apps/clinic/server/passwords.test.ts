import { expect, test } from "vitest";
import { createPasswords } from "./passwords.js";

const passwords = createPasswords();

test("the password passes and another does not", async () => {
  const hash = await passwords.hash("correct horse");
  expect(await passwords.verify("correct horse", hash)).toBe(true);
  expect(await passwords.verify("correct horse ", hash)).toBe(false);
  expect(await passwords.verify("", hash)).toBe(false);
});

test("equal passwords do not look equal at rest", async () => {
  const [one, other] = await Promise.all([passwords.hash("demo"), passwords.hash("demo")]);
  expect(one?.key.equals(other!.key)).toBe(false);
});

test("no hash is never right", async () => {
  expect(await passwords.verify("demo", undefined)).toBe(false);
});

test("more at once than may run at the same time all get their answer", async () => {
  const hash = await passwords.hash("demo");
  const answers = await Promise.all(
    Array.from({ length: 9 }, (_, index) => passwords.verify(index % 2 ? "demo" : "x", hash)),
  );
  expect(answers).toEqual([false, true, false, true, false, true, false, true, false]);
});
