import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Authentication } from "../../core/auth/authentication.js";
import type { EpochMs } from "../../core/clock.js";
import { VerificationKey } from "./verification-key.js";
import { createVerifiedTokenCache, type VerifiedToken, type VerifiedTokenCache } from "./verified-token-cache.js";

const key = VerificationKey.fromSecret(randomBytes(32), "key-1");

function setUp(maxTokens = 10): {
  cache: VerifiedTokenCache;
  verify: (token: string) => Promise<VerifiedToken>;
  verified: string[];
  world: { now: number; isKeyHeld: boolean };
} {
  const world = { now: 1000, isKeyHeld: true };
  const verified: string[] = [];
  const cache = createVerifiedTokenCache({
    maxTokens,
    now: () => world.now as EpochMs,
    holds: (asked) => asked === key && world.isKeyHeld,
  });
  const verify = async (token: string): Promise<VerifiedToken> => {
    verified.push(token);
    if (token.startsWith("bad")) throw new Error("refused");
    const authentication = { subject: token, expiresAt: 2000 } as Authentication;
    return { authentication, key };
  };
  return { cache, verify, verified, world };
}

describe("the verified-token cache", () => {
  test("answers a known token at once, with the same object", async () => {
    const { cache, verify, verified } = setUp();
    const first = cache.resolve("a", verify);
    expect(first).toBeInstanceOf(Promise);
    const again = cache.resolve("a", verify);
    expect(again).toBe(first);
    const authentication = await first;
    expect(cache.resolve("a", verify)).toBe(authentication);
    expect(verified).toEqual(["a"]);
  });

  test("verifies again from the instant of expiry on", async () => {
    const { cache, verify, verified, world } = setUp();
    await cache.resolve("a", verify);
    world.now = 1999;
    expect(cache.resolve("a", verify)).not.toBeInstanceOf(Promise);
    world.now = 2000;
    await cache.resolve("a", verify);
    expect(verified).toEqual(["a", "a"]);
    expect(cache.size).toBe(0);
  });

  test("verifies again once the key no longer counts", async () => {
    const { cache, verify, verified, world } = setUp();
    await cache.resolve("a", verify);
    world.isKeyHeld = false;
    expect(cache.resolve("a", verify)).toBeInstanceOf(Promise);
    expect(verified).toEqual(["a", "a"]);
  });

  test("does not remember what lost its key while it was verified", async () => {
    const { cache, verify, world } = setUp();
    const flight = cache.resolve("a", verify);
    world.isKeyHeld = false;
    await flight;
    expect(cache.size).toBe(0);
  });

  test("drops the least recently used token first", async () => {
    const { cache, verify, verified } = setUp(2);
    await cache.resolve("a", verify);
    await cache.resolve("b", verify);
    await cache.resolve("a", verify);
    await cache.resolve("c", verify);
    expect(cache.size).toBe(2);
    expect(cache.resolve("a", verify)).not.toBeInstanceOf(Promise);
    expect(cache.resolve("c", verify)).not.toBeInstanceOf(Promise);
    await cache.resolve("b", verify);
    expect(verified).toEqual(["a", "b", "c", "b"]);
  });

  test("never holds more than its limit, and nothing at 0", async () => {
    const { cache, verify } = setUp(3);
    await Promise.all(Array.from({ length: 50 }, (_, i) => cache.resolve(`t${i}`, verify)));
    expect(cache.size).toBe(3);
    const none = setUp(0);
    await none.cache.resolve("a", none.verify);
    expect(none.cache.size).toBe(0);
  });

  test("verifies a token once however many ask for it at the same time", async () => {
    const { cache, verify, verified } = setUp();
    const answers = await Promise.all(Array.from({ length: 100 }, () => cache.resolve("a", verify)));
    expect(new Set(answers).size).toBe(1);
    expect(verified).toEqual(["a"]);
  });

  test("does not remember failures, and everybody who waited hears of them", async () => {
    const { cache, verify, verified } = setUp();
    const answers = await Promise.allSettled([cache.resolve("bad", verify), cache.resolve("bad", verify)]);
    expect(answers.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(verified).toEqual(["bad"]);
    await expect(cache.resolve("bad", verify)).rejects.toThrow("refused");
    expect(verified).toEqual(["bad", "bad"]);
    expect(cache.size).toBe(0);
  });

  test("forgets everything when cleared", async () => {
    const { cache, verify, verified } = setUp();
    await cache.resolve("a", verify);
    cache.clear();
    expect(cache.size).toBe(0);
    await cache.resolve("a", verify);
    expect(verified).toEqual(["a", "a"]);
  });

  test("does not remember, nor share, a verification that began before it was cleared", async () => {
    const { cache, verify, verified } = setUp();
    const old = cache.resolve("a", verify);
    cache.clear();
    const fresh = cache.resolve("a", verify);
    expect(fresh).not.toBe(old);
    const [, authentication] = await Promise.all([old, fresh]);
    expect(verified).toEqual(["a", "a"]);
    expect(cache.resolve("a", verify)).toBe(authentication);
  });

  test("an old verification that ends first does not part those who wait for the new one", async () => {
    const { cache, verify, verified } = setUp();
    const old = cache.resolve("bad", verify);
    cache.clear();
    let finish: (verified: VerifiedToken) => void = () => {};
    const fresh = cache.resolve("bad", () => new Promise((resolve) => (finish = resolve)));
    await expect(old).rejects.toThrow("refused");
    expect(cache.resolve("bad", verify)).toBe(fresh);
    const authentication = { subject: "new", expiresAt: 2000 } as Authentication;
    finish({ authentication, key });
    expect(await fresh).toBe(authentication);
    expect(verified).toEqual(["bad"]);
  });

  test("an old verification that ends late takes nothing away from the new generation", async () => {
    const { cache, verify, verified } = setUp();
    let finish: (verified: VerifiedToken) => void = () => {};
    const old = cache.resolve("a", () => new Promise((resolve) => (finish = resolve)));
    cache.clear();
    const authentication = await cache.resolve("a", verify);
    finish({ authentication: { subject: "old", expiresAt: 9000 } as Authentication, key });
    await old;
    expect(cache.resolve("a", verify)).toBe(authentication);
    expect(verified).toEqual(["a"]);
  });
});
