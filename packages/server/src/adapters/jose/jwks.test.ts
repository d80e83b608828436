import { generateKeyPairSync, randomBytes, type KeyObject } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Algorithm } from "./algorithms.js";
import { createKeySet, localJwks, readJwks } from "./jwks.js";
import type { KeySource } from "./key-source.js";
import type { Jwk } from "./public-key.js";
import { VerificationKey } from "./verification-key.js";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const anotherEc = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");

const jwkOf = (key: KeyObject, members: object = {}): Jwk => ({ ...key.export({ format: "jwk" }), ...members }) as Jwk;
const find = (source: KeySource, algorithm: Algorithm, keyId?: string): VerificationKey | undefined =>
  source.find({ algorithm, keyId }) as VerificationKey | undefined;
const idsOf = (keys: readonly Jwk[]): unknown[] => readJwks({ keys }).map(({ keyId }) => keyId);

const good = jwkOf(ec.publicKey, { kid: "good" });

describe("RFC 7517: a local key set", () => {
  const source = localJwks({
    keys: [jwkOf(rsa.publicKey, { kid: "r" }), jwkOf(ec.publicKey, { kid: "e" }), jwkOf(ed.publicKey, { kid: "d" })],
  });

  test("serves the algorithms of its keys, each key its own", () => {
    expect(source.algorithms).toEqual(["RS256", "ES256", "EdDSA"]);
    expect(find(source, "RS256", "r")?.algorithm).toBe("RS256");
    expect(find(source, "ES256", "e")?.algorithm).toBe("ES256");
    expect(find(source, "EdDSA", "d")?.algorithm).toBe("EdDSA");
  });

  test("the key id selects and never authorises: the algorithm must fit as well", () => {
    expect(find(source, "ES256", "r")).toBeUndefined();
    expect(find(source, "HS256", "r")).toBeUndefined();
  });

  test.each(["__proto__", "constructor", "toString", "../../r", "/etc/passwd", "R", "r/", "r".repeat(256)])(
    "the unknown key id %s finds nothing",
    (keyId) => {
      expect(find(source, "RS256", keyId)).toBeUndefined();
    },
  );

  test("a token without key id is served where exactly one key fits", () => {
    expect(find(source, "ES256")?.keyId).toBe("e");
    const two = localJwks({ keys: [good, jwkOf(anotherEc.publicKey, { kid: "another" })] });
    expect(find(two, "ES256")).toBeUndefined();
  });

  test("a key without id never answers to a name", () => {
    const nameless = localJwks({ keys: [jwkOf(ec.publicKey)] });
    expect(find(nameless, "ES256", "any")).toBeUndefined();
    expect(find(nameless, "ES256")).toBeInstanceOf(VerificationKey);
  });

  test("one key id for two types of key is legal, and the algorithm tells them apart", () => {
    const shared = localJwks({ keys: [jwkOf(rsa.publicKey, { kid: "k" }), jwkOf(ec.publicKey, { kid: "k" })] });
    expect(find(shared, "RS256", "k")?.algorithm).toBe("RS256");
    expect(find(shared, "ES256", "k")?.algorithm).toBe("ES256");
  });

  test("two keys of one id and algorithm are refused, and serve nobody where a set holds them all the same", () => {
    const keys = [good, jwkOf(anotherEc.publicKey, { kid: "good" })];
    expect(() => localJwks({ keys })).toThrow(RangeError);
    const set = createKeySet(readJwks({ keys }), ["ES256"]);
    expect(find(set, "ES256", "good")).toBeUndefined();
    expect(find(set, "ES256")).toBeUndefined();
  });

  test("changing the object afterwards changes nothing", () => {
    const keys = [good];
    const read = localJwks({ keys });
    keys[0] = jwkOf(anotherEc.publicKey, { kid: "good" });
    expect(find(read, "ES256", "good")?.fingerprint).toBe(
      VerificationKey.fromPublicKey(ec.publicKey, "good").fingerprint,
    );
  });

  test("holds what it serves and no namesake", () => {
    expect(source.holds(VerificationKey.fromPublicKey(ec.publicKey, "e"))).toBe(true);
    expect(source.holds(VerificationKey.fromPublicKey(anotherEc.publicKey, "e"))).toBe(false);
  });
});

describe("RFC 7517 4 and 5: keys that are left out", () => {
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey;

  test.each<[string, unknown]>([
    ["an unknown key type", { kty: "AKP", alg: "ML-DSA-44", kid: "x", pub: "AAAA" }],
    ["an unknown key type whose members mean something else", { kty: "NEW", kid: "x", k: "AAAA", d: "AAAA" }],
    ["a key type that is a member of every object", { kty: "constructor", kid: "x" }],
    ["a key without type", { kid: "x" }],
    ["no key at all", null],
    ["use: enc", jwkOf(rsa.publicKey, { kid: "x", use: "enc" })],
    ["key_ops without verify", jwkOf(rsa.publicKey, { kid: "x", key_ops: ["wrapKey"] })],
    ["alg of another padding", jwkOf(rsa.publicKey, { kid: "x", alg: "PS256" })],
    ["alg of an encryption", jwkOf(rsa.publicKey, { kid: "x", alg: "RSA-OAEP" })],
    ["alg of the symmetric family", jwkOf(rsa.publicKey, { kid: "x", alg: "HS256" })],
    ["RSA of 1024 bits", jwkOf(weak, { kid: "x" })],
    ["another curve", jwkOf(p384, { kid: "x" })],
    ["a key for key agreement", jwkOf(generateKeyPairSync("x25519").publicKey, { kid: "x" })],
    ["a malformed key", { kty: "EC", crv: "P-256", x: "AAAA", y: "AAAA", kid: "x" }],
    ["a point outside the curve", jwkOf(ec.publicKey, { kid: "x", y: Buffer.alloc(32, 1).toString("base64url") })],
    ["a key id of other characters", jwkOf(rsa.publicKey, { kid: "a b" })],
    ["a key id of 257 characters", jwkOf(rsa.publicKey, { kid: "k".repeat(257) })],
    ["a key id that is no text", jwkOf(rsa.publicKey, { kid: 1 })],
  ])("%s", (_what, key) => {
    expect(idsOf([key as Jwk, good])).toEqual(["good"]);
    expect(() => localJwks({ keys: [key as Jwk] })).toThrow(RangeError);
  });
});

describe("key sets that are refused whole", () => {
  test("one that holds a private key", () => {
    for (const { privateKey } of [rsa, ec, ed])
      expect(() => readJwks({ keys: [good, jwkOf(privateKey)] })).toThrow(TypeError);
  });

  test("one that holds a symmetric key", () => {
    const secret = { kty: "oct", k: randomBytes(32).toString("base64url"), alg: "HS256", kid: "s" };
    expect(() => readJwks({ keys: [good, secret] })).toThrow(TypeError);
    expect(() => localJwks({ keys: [secret] })).toThrow(TypeError);
  });

  test.each([[undefined], [null], [[]], ["{}"], [{}], [{ keys: {} }], [{ keys: "x" }]])(
    "what is no key set: %j",
    (jwks) => {
      expect(() => readJwks(jwks)).toThrow(TypeError);
    },
  );

  test("an empty one is no key source", () => {
    expect(() => localJwks({ keys: [] })).toThrow(RangeError);
  });
});
