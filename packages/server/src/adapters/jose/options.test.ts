import { generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { localJwks } from "./jwks.js";
import { publicKey, sharedSecret, type KeySource } from "./key-source.js";
import { resolveJwtOptions } from "./options.js";
import { spkiPem, type Jwk } from "./public-key.js";

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const good = { issuer: "https://issuer.example/", audience: "hub", keys: publicKey(ec.publicKey) };

describe("what is left out", () => {
  test("gets the strict defaults", () => {
    const { header, claims, maxTokenBytes, maxCachedTokens } = resolveJwtOptions(good);
    expect(header).toEqual({
      algorithms: new Set(["ES256"]),
      types: new Set(["at+jwt"]),
      allowMissingType: false,
    });
    expect(claims).toEqual({
      issuer: "https://issuer.example/",
      audience: new Set(["hub"]),
      clientIds: undefined,
      requiredClaims: new Map(),
      tenantClaim: undefined,
      clockSkewMs: 60_000,
      maxTokenAgeMs: undefined,
    });
    expect(maxTokenBytes).toBe(8192);
    expect(maxCachedTokens).toBe(10_000);
  });

  test("algorithms follow from the keys", () => {
    const keysOf = (keys: KeySource): unknown => resolveJwtOptions({ ...good, keys }).header.algorithms;
    const jwks = { keys: [ec, ed].map(({ publicKey: key }) => key.export({ format: "jwk" }) as unknown as Jwk) };
    expect(keysOf(sharedSecret(randomBytes(32)))).toEqual(new Set(["HS256"]));
    expect(keysOf(publicKey(ed.publicKey))).toEqual(new Set(["EdDSA"]));
    expect(keysOf(localJwks(jwks))).toEqual(new Set(["ES256", "EdDSA"]));
  });
});

describe("options that could not be safe", () => {
  const build =
    (options: object): (() => unknown) =>
    () =>
      resolveJwtOptions({ ...good, ...options });
  const mixed: KeySource = { algorithms: ["HS256", "RS256"], find: () => undefined, holds: () => false };

  test("RFC 8725 3.1: symmetric and asymmetric never stand in one authenticator", () => {
    expect(build({ keys: mixed })).toThrow(RangeError);
    expect(build({ keys: mixed, algorithms: ["RS256"] })).toThrow(RangeError);
    expect(build({ algorithms: ["ES256", "HS256"] })).toThrow(RangeError);
  });

  test.each([[[]], [["none"]], [["es256"]], [["RS512"]], [["RS256"]], [["HS256"]]])(
    "algorithms %j do not go with a P-256 key",
    (algorithms) => {
      expect(build({ algorithms })).toThrow(RangeError);
    },
  );

  test("text is no key source", () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = rsa.publicKey.export({ format: "pem", type: "spki" }) as string;
    for (const keys of [pem, randomBytes(32), rsa.publicKey, {}, undefined, null])
      expect(build({ keys })).toThrow(TypeError);
    expect(resolveJwtOptions({ ...good, keys: publicKey(spkiPem(pem)) }).header.algorithms).toEqual(new Set(["RS256"]));
  });

  test.each([
    [{ issuer: "" }, RangeError],
    [{ issuer: undefined }, TypeError],
    [{ issuer: ["a"] }, TypeError],
    [{ audience: "" }, RangeError],
    [{ audience: [] }, RangeError],
    [{ audience: undefined }, TypeError],
    [{ audience: ["hub", ""] }, RangeError],
    [{ audience: { clientIds: [] } }, RangeError],
    [{ audience: { clientIds: "web" } }, TypeError],
    [{ audience: { clientIds: [1] } }, TypeError],
    [{ audience: {} }, TypeError],
    [{ audience: null }, TypeError],
    [{ requiredClaims: { token_use: [] } }, RangeError],
    [{ requiredClaims: { token_use: "" } }, RangeError],
    [{ requiredClaims: { token_use: false } }, TypeError],
    [{ requiredClaims: { "": "x" } }, RangeError],
    [{ types: [] }, RangeError],
    [{ types: "JWT" }, TypeError],
    [{ allowMissingType: "yes" }, TypeError],
    [{ tenantClaim: "" }, RangeError],
    [{ clockSkewSeconds: -1 }, RangeError],
    [{ clockSkewSeconds: 301 }, RangeError],
    [{ clockSkewSeconds: NaN }, RangeError],
    [{ maxTokenAgeSeconds: 0 }, RangeError],
    [{ maxTokenAgeSeconds: Infinity }, RangeError],
    [{ maxTokenBytes: 10_000_000 }, RangeError],
    [{ maxCachedTokens: -1 }, RangeError],
    [{ maxCachedTokens: 0.5 }, RangeError],
  ])("%j", (options, kind) => {
    expect(build(options)).toThrow(kind);
  });
});
