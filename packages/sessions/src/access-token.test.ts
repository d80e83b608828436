import { createLocalJWKSet, createRemoteJWKSet, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from "jose";
import { describe, expect, it } from "vitest";
import { accessTokenOf, createFixture, loginRequest, T } from "../test/fixture.js";
import { accessTokenSeconds } from "./access-token.js";
import { generateSigningKey } from "./signing-key.js";

const verification = {
  issuer: "https://ward.example/auth",
  audience: "clinic",
  typ: "at+jwt",
  algorithms: ["ES256"],
  requiredClaims: ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"], // RFC 9068 2.2
  currentDate: new Date(T),
};

describe("an access token", () => {
  it("is accepted by jose through the JWKS, as an RFC 9068 access token, with these claims and no others", async () => {
    const { sessions, signingKey } = await createFixture();
    const response = await sessions.start({
      subject: "nurse-7",
      tenant: "st-mary",
      claims: { roles: ["nurse"] },
      request: loginRequest(),
    });
    const keys = createLocalJWKSet(sessions.jwks());
    const { payload, protectedHeader } = await jwtVerify(await accessTokenOf(response), keys, verification);
    expect(protectedHeader).toEqual({ alg: "ES256", typ: "at+jwt", kid: signingKey.keyId });
    expect(payload).toEqual({
      iss: "https://ward.example/auth",
      aud: "clinic",
      sub: "nurse-7",
      client_id: "https://ward.example",
      iat: T / 1000,
      exp: T / 1000 + 300,
      jti: expect.stringMatching(/^[\w-]{22}$/),
      sid: expect.stringMatching(/^[\w-]{22}$/),
      tenant: "st-mary",
      roles: ["nurse"],
    });
  });

  it("has no tenant where there is none, and the client it was started for", async () => {
    const { sessions } = await createFixture({ clientId: "ward-desk" });
    const claimsOf = async (clientId?: string) => {
      const response = await sessions.start({ subject: "nurse-7", clientId, request: loginRequest() });
      const keys = createLocalJWKSet(sessions.jwks());
      return (await jwtVerify(await accessTokenOf(response), keys, verification)).payload;
    };
    expect(await claimsOf()).not.toHaveProperty("tenant");
    expect((await claimsOf())["client_id"]).toBe("ward-desk");
    expect((await claimsOf("phone"))["client_id"]).toBe("phone");
  });

  it("never repeats a jti", async () => {
    const { sessions } = await createFixture();
    const keys = createLocalJWKSet(sessions.jwks());
    const ids = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const response = await sessions.start({ subject: "nurse-7", request: loginRequest() });
        return (await jwtVerify(await accessTokenOf(response), keys, verification)).payload.jti;
      }),
    );
    expect(new Set(ids).size).toBe(50);
  });

  it("is refused by a verifier of another application's keys, audience or token type", async () => {
    const { sessions } = await createFixture();
    const other = await createFixture();
    const token = await accessTokenOf(await sessions.start({ subject: "nurse-7", request: loginRequest() }));
    const keys = createLocalJWKSet(sessions.jwks());
    await expect(jwtVerify(token, createLocalJWKSet(other.sessions.jwks()), verification)).rejects.toThrow();
    await expect(jwtVerify(token, keys, { ...verification, audience: "billing" })).rejects.toThrow('"aud"');
    await expect(jwtVerify(token, keys, { ...verification, typ: "JWT" })).rejects.toThrow('"typ"');
    await expect(jwtVerify(token, keys, { ...verification, currentDate: new Date(T + 300_000) })).rejects.toThrow(
      '"exp"',
    );
  });

  it.each([
    ["the configured lifetime", 300, T + 1_000_000, T, 300],
    ["what is left of the session", 300, T + 100_000, T, 100],
    ["at least one second", 300, T + 500, T, 1],
    ["whole seconds, never beyond the end", 300, T + 100_900, T + 800, 100],
  ])("lives for %s", (_name, lifetime, endsAt, now, seconds) => {
    expect(accessTokenSeconds(lifetime, endsAt, now)).toBe(seconds);
  });
});

describe("changing the signing key", () => {
  it("new tokens name the new key, tokens of the old one stay good, and the JWKS holds no private part", async () => {
    const [oldKey, newKey] = [await generateSigningKey(), await generateSigningKey()];
    const before = await createFixture({ signingKey: oldKey });
    const after = await createFixture({ signingKey: newKey, olderKeys: [oldKey.publicJwk, newKey.publicJwk] });
    const oldToken = await accessTokenOf(await before.sessions.start({ subject: "a", request: loginRequest() }));
    const newToken = await accessTokenOf(await after.sessions.start({ subject: "b", request: loginRequest() }));
    const keys = createLocalJWKSet(after.sessions.jwks());
    expect((await jwtVerify(oldToken, keys, verification)).payload.sub).toBe("a");
    expect((await jwtVerify(newToken, keys, verification)).payload.sub).toBe("b");
    expect(decodeProtectedHeader(newToken).kid).toBe(newKey.keyId);
    expect(after.sessions.publicKeys().map((key) => key.kid)).toEqual([newKey.keyId, oldKey.keyId]);
  });

  it("an older key given with its private part is published without it", async () => {
    const oldKey = await generateSigningKey();
    const leaky = { ...oldKey.publicJwk, ...oldKey.privateKey.export({ format: "jwk" }), kid: oldKey.keyId };
    const { sessions } = await createFixture({ olderKeys: [leaky as never] });
    expect(JSON.stringify(sessions.jwks())).not.toContain('"d"');
    expect(sessions.publicKeys()[1]).toEqual(oldKey.publicJwk);
  });
});

describe("the JWKS reply", () => {
  it("is a JWK Set that jose's remote key set reads", async () => {
    const { sessions } = await createFixture();
    const reply = sessions.jwksResponse();
    expect(reply.status).toBe(200);
    expect(reply.headers.get("content-type")).toBe("application/jwk-set+json");
    expect(reply.headers.get("cache-control")).toBe("no-store");
    expect((await reply.clone().json()) as JSONWebKeySet).toEqual(sessions.jwks());
    const token = await accessTokenOf(await sessions.start({ subject: "nurse-7", request: loginRequest() }));
    const { customFetch } = await import("jose");
    const keys = createRemoteJWKSet(new URL("https://ward.example/.well-known/jwks.json"), {
      [customFetch]: async () => sessions.jwksResponse(),
    });
    expect((await jwtVerify(token, keys, verification)).payload.sub).toBe("nurse-7");
  });

  it("cannot be changed by who was given it", async () => {
    const { sessions } = await createFixture();
    sessions.jwks().keys.pop();
    expect(sessions.jwks().keys).toHaveLength(1);
  });
});
