import { describe, expect, test } from "vitest";
import { systemClock } from "../../platform/system-clock.js";
import { jwks, type RemoteKeyOptions } from "./index.js";
import { remoteKeyDefaults, resolveRemoteKeyOptions } from "./remote-key-options.js";

describe("what is left out", () => {
  test("gets the strict defaults", () => {
    const { onFailure, clock, ca, ...rest } = resolveRemoteKeyOptions();
    expect(rest).toEqual(remoteKeyDefaults);
    expect(rest).toEqual({
      algorithms: ["RS256", "ES256", "EdDSA"],
      maxAgeMs: 600_000,
      maxStaleMs: 3_600_000,
      cooldownMs: 30_000,
      timeoutMs: 3000,
      maxBytes: 524_288,
      maxKeys: 100,
      allowLoopbackHttp: false,
    });
    expect(clock).toBe(systemClock);
    expect(ca).toBeUndefined();
    expect(onFailure(new Error("ignored"))).toBeUndefined();
  });

  test("a longer age is a longer stale bound as well", () => {
    expect(resolveRemoteKeyOptions({ maxAgeMs: 7_200_000 }).maxStaleMs).toBe(7_200_000);
  });
});

describe("options that could not be safe", () => {
  test.each<[unknown, typeof TypeError | typeof RangeError]>([
    [{ algorithms: ["HS256"] }, RangeError],
    [{ algorithms: ["RS256", "HS256"] }, RangeError],
    [{ algorithms: ["none"] }, RangeError],
    [{ algorithms: [] }, RangeError],
    [{ maxAgeMs: 999 }, RangeError],
    [{ maxAgeMs: Infinity }, RangeError],
    [{ maxStaleMs: 599_999 }, RangeError],
    [{ cooldownMs: 0 }, RangeError],
    [{ timeoutMs: 0 }, RangeError],
    [{ timeoutMs: NaN }, RangeError],
    [{ timeoutMs: 60_001 }, RangeError],
    [{ maxBytes: Infinity }, RangeError],
    [{ maxKeys: 0 }, RangeError],
    [{ maxKeys: 1.5 }, RangeError],
    [{ allowLoopbackHttp: "yes" }, TypeError],
    [{ ca: [] }, TypeError],
    [{ ca: [Buffer.from("")] }, TypeError],
    [{ onFailure: "log" }, TypeError],
  ])("%j", (options, kind) => {
    expect(() => jwks("https://login.example.com/jwks", options as RemoteKeyOptions)).toThrow(kind);
  });
});
