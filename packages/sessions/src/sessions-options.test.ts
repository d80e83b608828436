import { createSecretKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createMemorySessionStore } from "./memory-session-store.js";
import { importRefreshKey } from "./refresh-token.js";
import { resolveSessionsOptions, sessionsDefaults, type SessionsOptions } from "./sessions-options.js";
import { generateSigningKey } from "./signing-key.js";

const required: SessionsOptions = {
  issuer: "https://ward.example/auth",
  audience: "clinic",
  publicOrigin: "https://ward.example",
  signingKey: await generateSigningKey(),
  refreshKey: importRefreshKey(randomBytes(32)),
  store: createMemorySessionStore(),
};

describe("options that are left out", () => {
  it("have the documented defaults: 5 minutes, 14 days, 30 days, 10 seconds, a minute", () => {
    const resolved = resolveSessionsOptions(required);
    expect(resolved.accessTokenSeconds).toBe(300);
    expect(resolved.limits).toEqual({
      idleLifetimeMs: 14 * 24 * 3_600_000,
      absoluteLifetimeMs: 30 * 24 * 3_600_000,
      retryWindowMs: 10_000,
      supersededWindowMs: 60_000,
    });
    expect([...resolved.allowedOrigins]).toEqual(["https://ward.example"]);
    expect(resolved.clientId).toBe("https://ward.example");
    expect(resolved.cookie).toEqual({ name: "__Secure-hubward-refresh", path: "/auth", isSecure: true });
  });

  it("may be undefined as well, and the caller's object stays as it was", () => {
    const options = Object.freeze({ ...required, idleLifetimeMs: undefined, allowedOrigins: undefined });
    expect(resolveSessionsOptions(options).limits.idleLifetimeMs).toBe(sessionsDefaults.idleLifetimeMs);
  });
});

describe("options that cannot work are refused:", () => {
  const hour = 3_600_000;
  it.each<[string, Partial<SessionsOptions>]>([
    ["no issuer", { issuer: "" }],
    ["no audience", { audience: "" }],
    ["an origin with a path", { publicOrigin: "https://ward.example/" }],
    ["an origin in capitals", { publicOrigin: "https://Ward.example" }],
    ["an origin with its default port", { publicOrigin: "https://ward.example:443" }],
    ["another scheme", { publicOrigin: "ws://ward.example" }],
    ["no origin", { publicOrigin: "ward.example" }],
    ["any origin", { allowedOrigins: ["*"] }],
    ["the opaque origin", { allowedOrigins: ["null"] }],
    ["a pattern of origins", { allowedOrigins: ["https://*.ward.example/"] }],
    ["an access token without a life", { accessTokenSeconds: 0 }],
    ["an access token of two hours", { accessTokenSeconds: 7_200 }],
    ["half a second", { accessTokenSeconds: 0.5 }],
    ["an endless idle lifetime", { idleLifetimeMs: Number.POSITIVE_INFINITY }],
    ["an absolute lifetime that is no number", { absoluteLifetimeMs: Number.NaN }],
    ["a negative retry window", { retryWindowMs: -1 }],
    ["a retry window of an hour", { retryWindowMs: hour }],
    ["a retry window longer than the superseded one", { retryWindowMs: 20_000, supersededWindowMs: 10_000 }],
    ["a refresh key of 16 bytes", { refreshKey: createSecretKey(randomBytes(16)) }],
    ["a refresh key that is a key pair's", { refreshKey: generateKeyPairSync("ed25519").privateKey }],
    ["a cookie name with its own prefix", { cookieName: "__Host-a" }],
    ["a cookie path that is none", { cookiePath: "auth" }],
    ["an older key that is none", { olderKeys: [{ kty: "oct" } as never] }],
  ])("%s", (_name, wrong) => {
    expect(() => resolveSessionsOptions({ ...required, ...wrong })).toThrow(
      /^(issuer|audience|publicOrigin, allowedOrigins|accessTokenSeconds|idleLifetimeMs|absoluteLifetimeMs|retryWindowMs|supersededWindowMs|refreshKey|cookieName|cookiePath|signing key): /,
    );
  });
});
