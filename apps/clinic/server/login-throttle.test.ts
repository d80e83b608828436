import { beforeEach, expect, test } from "vitest";
import { createLoginThrottle, type LoginThrottle } from "./login-throttle.js";

let time = 0;
let throttle: LoginThrottle;

beforeEach(() => {
  time = 5_000;
  throttle = createLoginThrottle({ now: () => time });
});

const wrong = async (): Promise<undefined> => undefined;
const right = async (): Promise<string> => "in";

async function failTimes(count: number, name: (index: number) => string, address = "10.0.0.1"): Promise<void> {
  for (let index = 0; index < count; index++) await throttle.attempt(name(index), address, wrong);
}

test("ten failures are allowed for one name; then even the right password has to wait for a minute to pass", async () => {
  await failTimes(10, () => "doctor-icu");
  expect(await throttle.attempt("doctor-icu", "10.0.0.1", right)).toEqual({ allowed: false, retryAfterSeconds: 60 });
  time += 59_001;
  expect(await throttle.attempt("doctor-icu", "10.0.0.1", right)).toEqual({ allowed: false, retryAfterSeconds: 1 });
  time += 999;
  expect(await throttle.attempt("doctor-icu", "10.0.0.1", right)).toEqual({ allowed: true, value: "in" });
});

test("the name counts whatever the address, and others may sign in from the same address", async () => {
  for (let index = 0; index < 10; index++) await throttle.attempt("admin", `10.0.0.${index}`, wrong);
  expect(await throttle.attempt("admin", "10.0.0.99", right)).toMatchObject({ allowed: false });
  expect(await throttle.attempt("visitor", "10.0.0.1", right)).toMatchObject({ allowed: true });
});

test("a hundred failures are allowed for one address, whatever the names", async () => {
  await failTimes(99, (index) => `guess-${index}`);
  expect(await throttle.attempt("visitor", "10.0.0.1", right)).toMatchObject({ allowed: true });
  await failTimes(1, () => "last");
  expect(await throttle.attempt("visitor", "10.0.0.1", right)).toEqual({ allowed: false, retryAfterSeconds: 60 });
  expect(await throttle.attempt("visitor", "10.0.0.2", right)).toMatchObject({ allowed: true });
});

test("successes never count, however many there are", async () => {
  const all = await Promise.all(Array.from({ length: 200 }, () => throttle.attempt("admin", "10.0.0.1", right)));
  expect(all.every(({ allowed }) => allowed)).toBe(true);
});

test("a refused attempt is not looked at and does not prolong the wait", async () => {
  await failTimes(10, () => "admin");
  let looked = 0;
  time += 30_000;
  const refused = await throttle.attempt("admin", "10.0.0.1", async () => {
    looked++;
    return undefined;
  });
  expect(refused).toEqual({ allowed: false, retryAfterSeconds: 30 });
  expect(looked).toBe(0);
});

test("guesses at the same time are no way round: never more are looked at than may fail", async () => {
  let looked = 0;
  const all = await Promise.all(
    Array.from({ length: 50 }, () =>
      throttle.attempt("admin", "10.0.0.1", async () => {
        looked++;
        await Promise.resolve();
        return undefined;
      }),
    ),
  );
  expect(looked).toBe(10);
  expect(all.filter(({ allowed }) => allowed)).toHaveLength(10);
});

test("a check that could not be made is passed on and counts for nothing", async () => {
  const broken = async (): Promise<undefined> => {
    throw new Error("no directory");
  };
  for (let index = 0; index < 20; index++) {
    await expect(throttle.attempt("admin", "10.0.0.1", broken)).rejects.toThrow("no directory");
  }
  expect(await throttle.attempt("admin", "10.0.0.1", right)).toMatchObject({ allowed: true });
});

test("more sign-ins at once than it holds are told to come back in a second", async () => {
  const small = createLoginThrottle({ maxPending: 2, now: () => time });
  let finish = (): void => undefined;
  const slow = (): Promise<string> => new Promise((resolve) => (finish = () => resolve("in")));
  const first = small.attempt("a", "10.0.0.1", right);
  const second = small.attempt("b", "10.0.0.1", slow);
  expect(await small.attempt("c", "10.0.0.1", right)).toEqual({ allowed: false, retryAfterSeconds: 1 });
  finish();
  expect([await first, await second]).toEqual([
    { allowed: true, value: "in" },
    { allowed: true, value: "in" },
  ]);
  expect(await small.attempt("c", "10.0.0.1", right)).toMatchObject({ allowed: true });
});
