import { HubwardError } from "@hubward/wire";
import { expect, test } from "vitest";
import { createFakeClock } from "../../../../../../tests/support/fake-clock.js";
import { createSeenIds } from "../seen-ids.js";
import { createOncePerId } from "./once-per-id.js";

function setUp(maxRunning = 10) {
  const clock = createFakeClock();
  const once = createOncePerId(createSeenIds({ clock, maxIds: 10, whenFull: "forget-oldest" }), maxRunning);
  const ends: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const task = () => new Promise<void>((resolve, reject) => ends.push({ resolve, reject }));
  return { clock, once, ends, task };
}

test("who comes while it runs shares its outcome; who comes after it succeeded calls nothing, for a time", async () => {
  const { clock, once, ends, task } = setUp();
  const both = [once.run("a", 1000, task), once.run("a", 1000, task)];
  expect(ends).toHaveLength(1);
  ends[0]?.resolve();
  await Promise.all(both);
  clock.advance(999);
  await once.run("a", 1000, task);
  expect(ends).toHaveLength(1);
  clock.advance(1);
  const again = once.run("a", 1000, task);
  expect(ends).toHaveLength(2);
  ends[1]?.resolve();
  await again;
});

test("a failure is everybody's who waited, and is not remembered", async () => {
  const { once, ends, task } = setUp();
  const both = [once.run("a", 1000, task), once.run("a", 1000, task)];
  ends[0]?.reject(new Error("full disk"));
  for (const run of both) await expect(run).rejects.toThrow("full disk");
  const again = once.run("a", 1000, task);
  expect(ends).toHaveLength(2);
  ends[1]?.resolve();
  await again;
});

test("too many at once are refused for a moment, and other ids are not each other's", async () => {
  const { once, ends, task } = setUp(2);
  const running = [once.run("a", 1000, task), once.run("b", 1000, task)];
  expect(ends).toHaveLength(2);
  await expect(once.run("c", 1000, task)).rejects.toBeInstanceOf(HubwardError);
  const shared = once.run("a", 1000, task);
  for (const { resolve } of ends) resolve();
  await Promise.all([...running, shared]);
  const later = once.run("c", 1000, task);
  ends[2]?.resolve();
  await later;
});
