import { expect, it } from "vitest";
import { deferred } from "../../../test/hub-fixture.js";
import type { Revocation } from "../auth/revocation.js";
import { createLiftAuthors } from "./lift-authors.js";

const entry = (number: number, kind: Revocation["kind"] = "lift"): Revocation => ({ number, kind }) as Revocation;

function createAuthors() {
  const told: [number, string | undefined][] = [];
  return { told, authors: createLiftAuthors(({ number }, by) => void told.push([number, by])) };
}

it("names who asked by the number that the log gave, whatever others lift meanwhile", async () => {
  const { told, authors } = createAuthors();
  const first = deferred<number>();
  const second = deferred<number>();
  const asked = [authors.run("ann", () => first.promise), authors.run("bob", () => second.promise)];
  expect([1, 2, 3].map((number) => authors.holds(entry(number)))).toEqual([true, true, true]);
  second.resolve(3);
  first.resolve(2);
  expect(await Promise.all(asked)).toEqual([2, 3]);
  expect(told).toEqual([
    [3, "bob"],
    [2, "ann"],
    [1, undefined],
  ]);
});

it("tells what others lifted where its own could not be kept", async () => {
  const { told, authors } = createAuthors();
  await expect(
    authors.run("ann", () => {
      expect(authors.holds(entry(7))).toBe(true);
      return Promise.reject(new Error("full"));
    }),
  ).rejects.toThrow("full");
  expect(told).toEqual([[7, undefined]]);
});

it("holds nothing back while nobody is to be named, and never another kind", async () => {
  const { told, authors } = createAuthors();
  expect(authors.holds(entry(1))).toBe(false);
  await authors.run(undefined, () => {
    expect(authors.holds(entry(2))).toBe(false);
    return Promise.resolve(2);
  });
  await authors.run("ann", () => {
    expect(authors.holds(entry(3, "suspension"))).toBe(false);
    return Promise.resolve(4);
  });
  expect(told).toEqual([]);
});
