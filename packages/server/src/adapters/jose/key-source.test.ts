import { createPublicKey, generateKeyPairSync, randomBytes, webcrypto, type KeyObject } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import type { Algorithm } from "./algorithms.js";
import { publicKey, sharedSecret, type KeySource } from "./key-source.js";
import { spkiPem, type Jwk, type PublicKeyInput } from "./public-key.js";
import { VerificationKey } from "./verification-key.js";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");

const pemOf = (key: KeyObject): string => key.export({ format: "pem", type: "spki" }) as string;
const jwkOf = (key: KeyObject, members: object = {}): Jwk => ({ ...key.export({ format: "jwk" }), ...members }) as Jwk;
const find = (source: KeySource, algorithm: Algorithm, keyId?: string): VerificationKey | undefined =>
  source.find({ algorithm, keyId }) as VerificationKey | undefined;

describe("a shared secret", () => {
  test("serves HS256 and nothing else", () => {
    const source = sharedSecret(randomBytes(32));
    expect(source.algorithms).toEqual(["HS256"]);
    expect(find(source, "HS256")).toBeInstanceOf(VerificationKey);
    expect(find(source, "RS256")).toBeUndefined();
  });

  test("RFC 7518 3.2, F11: fewer than 256 bits are refused", () => {
    expect(() => sharedSecret(randomBytes(16))).toThrow(RangeError);
    expect(() => sharedSecret(randomBytes(31))).toThrow(RangeError);
    expect(() => sharedSecret(new Uint8Array())).toThrow(RangeError);
  });

  test("F11, CVE-2026-34950: the PEM text of a public key is never a secret", () => {
    const pem = pemOf(rsa.publicKey);
    expect(() => sharedSecret(pem as never)).toThrow(TypeError);
    for (const text of [pem, ` \n\t${pem}`, `\ufeff${pem}`, `x${pem}`]) {
      expect(() => sharedSecret(new TextEncoder().encode(text))).toThrow(TypeError);
    }
    expect(() => sharedSecret(rsa.publicKey.export({ format: "der", type: "spki" }))).toThrow(TypeError);
  });

  test("the caller's bytes are copied", () => {
    const bytes = randomBytes(32);
    const key = VerificationKey.fromSecret(bytes);
    const before = VerificationKey.fromSecret(Uint8Array.from(bytes));
    bytes.fill(0);
    expect(key.fingerprint).toBe(before.fingerprint);
    expect(VerificationKey.fromSecret(bytes).fingerprint).not.toBe(before.fingerprint);
  });

  test("nothing prints it", () => {
    const bytes = Buffer.from("correct-horse-battery-staple-0123456789");
    const source = sharedSecret(bytes);
    const printed = inspect([source, find(source, "HS256")], { depth: Infinity, showHidden: true });
    for (const encoding of ["utf8", "hex", "base64url"] as const)
      expect(printed).not.toContain(bytes.toString(encoding));
  });
});

describe("a public key", () => {
  test.each<[Algorithm, KeyObject]>([
    ["RS256", rsa.publicKey],
    ["ES256", ec.publicKey],
    ["EdDSA", ed.publicKey],
  ])("%s follows from the key's type, given as KeyObject, PEM or JWK", (algorithm, key) => {
    for (const input of [
      key,
      spkiPem(pemOf(key)),
      jwkOf(key),
      jwkOf(key, { alg: algorithm, use: "sig", key_ops: ["verify"] }),
    ]) {
      const source = publicKey(input);
      expect(source.algorithms).toEqual([algorithm]);
      expect(find(source, algorithm)?.fingerprint).toBe(VerificationKey.fromPublicKey(key).fingerprint);
      expect(find(source, "HS256")).toBeUndefined();
    }
  });

  test.each<[Algorithm, KeyObject, webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams | { name: string }]>([
    ["RS256", rsa.publicKey, { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }],
    ["ES256", ec.publicKey, { name: "ECDSA", namedCurve: "P-256" }],
    ["EdDSA", ed.publicKey, { name: "Ed25519" }],
  ])("%s is read from a CryptoKey", async (algorithm, key, parameters) => {
    const der = key.export({ format: "der", type: "spki" });
    const cryptoKey = await webcrypto.subtle.importKey("spki", der, parameters, true, ["verify"]);
    expect(publicKey(cryptoKey).algorithms).toEqual([algorithm]);
  });

  test("one algorithm per key: a CryptoKey made for another is refused", async () => {
    const der = rsa.publicKey.export({ format: "der", type: "spki" });
    const sha512 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-512" };
    const pss = { name: "RSA-PSS", hash: "SHA-256" };
    for (const parameters of [sha512, pss]) {
      const key = await webcrypto.subtle.importKey("spki", der, parameters, true, ["verify"]);
      expect(() => publicKey(key)).toThrow(RangeError);
    }
    const oaep = await webcrypto.subtle.importKey("spki", der, { name: "RSA-OAEP", hash: "SHA-256" }, true, [
      "encrypt",
    ]);
    expect(() => publicKey(oaep)).toThrow(RangeError);
    const useless = await webcrypto.subtle.importKey(
      "spki",
      der,
      { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
      true,
      [],
    );
    expect(() => publicKey(useless)).toThrow(RangeError);
    const hmac = await webcrypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
    expect(() => publicKey(hmac as webcrypto.CryptoKey)).toThrow(TypeError);
  });

  test("RFC 7518 3.3: RSA below 2048 bits is refused", () => {
    const { publicKey: weak } = generateKeyPairSync("rsa", { modulusLength: 1024 });
    for (const input of [weak, spkiPem(pemOf(weak)), jwkOf(weak)]) expect(() => publicKey(input)).toThrow(RangeError);
  });

  test("an RSA exponent of 1 is refused: every message would be its own signature", () => {
    expect(() => publicKey(jwkOf(rsa.publicKey, { e: "AQ" }))).toThrow(/exponent/);
  });

  test("other curves and other kinds are refused", () => {
    const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey;
    const secp256k1 = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey;
    const ed448 = generateKeyPairSync("ed448").publicKey;
    const x25519 = generateKeyPairSync("x25519").publicKey;
    const pss = generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey;
    for (const key of [p384, secp256k1, ed448, x25519, pss]) expect(() => publicKey(key)).toThrow(RangeError);
  });

  test("private keys are refused in every form", () => {
    for (const { privateKey } of [rsa, ec, ed]) {
      expect(() => publicKey(privateKey)).toThrow("publicKey: this is not a public key");
      expect(() => publicKey(jwkOf(privateKey))).toThrow(TypeError);
      expect(() => spkiPem(privateKey.export({ format: "pem", type: "pkcs8" }) as string)).toThrow(TypeError);
    }
    expect(() => publicKey({ kty: "oct", k: randomBytes(32).toString("base64url") })).toThrow(TypeError);
  });

  test("text, bytes and nothing are refused", () => {
    for (const input of [pemOf(rsa.publicKey), undefined, null, randomBytes(32), {}, { kty: "RSA" }]) {
      expect(() => publicKey(input as PublicKeyInput)).toThrow(TypeError);
    }
  });

  test.each([
    ["use", { use: "enc" }],
    ["key_ops without verify", { key_ops: ["encrypt"] }],
    ["key_ops that are no list", { key_ops: "verify" }],
    ["alg of another hash", { alg: "RS512" }],
    ["alg of another padding", { alg: "PS256" }],
    ["alg of the symmetric family", { alg: "HS256" }],
    ["alg in small letters", { alg: "rs256" }],
  ])("RFC 7517 4: a JWK that is meant for something else is refused: %s", (_what, members) => {
    expect(() => publicKey(jwkOf(rsa.publicKey, members))).toThrow(RangeError);
  });
});

describe("PEM", () => {
  test("white space around the block does not matter", () => {
    expect(createPublicKey(pemOf(ec.publicKey)).equals(spkiPem(`\n \t${pemOf(ec.publicKey)}\n\n`))).toBe(true);
  });

  test.each([
    ["two blocks", pemOf(rsa.publicKey) + pemOf(ec.publicKey)],
    ["text around it", `key:\n${pemOf(rsa.publicKey)}`],
    ["PKCS#1", rsa.publicKey.export({ format: "pem", type: "pkcs1" }) as string],
    ["garbage in the block", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"],
    ["nothing", ""],
  ])("%s is refused", (_what, pem) => {
    expect(() => spkiPem(pem)).toThrow(TypeError);
  });
});

describe("the name of a single key", () => {
  test("a named key answers to its name and to none", () => {
    const source = publicKey(ec.publicKey, { keyId: "key-1" });
    expect(find(source, "ES256", "key-1")?.keyId).toBe("key-1");
    expect(find(source, "ES256")?.keyId).toBe("key-1");
    expect(find(source, "ES256", "key-2")).toBeUndefined();
  });

  test("a nameless key answers to every name", () => {
    expect(find(publicKey(ec.publicKey), "ES256", "whatever")).toBeInstanceOf(VerificationKey);
  });

  test("a JWK brings its own name", () => {
    expect(find(publicKey(jwkOf(ec.publicKey, { kid: "own" })), "ES256", "own")?.keyId).toBe("own");
    expect(find(publicKey(jwkOf(ec.publicKey, { kid: "own" }), { keyId: "given" }), "ES256", "own")).toBeUndefined();
    expect(() => publicKey(jwkOf(ec.publicKey, { kid: 7 }))).toThrow(TypeError);
  });

  test("a name that no token could carry is refused", () => {
    expect(() => publicKey(ec.publicKey, { keyId: "two words" })).toThrow(RangeError);
    expect(() => sharedSecret(randomBytes(32), { keyId: "" })).toThrow(RangeError);
  });

  test("a source holds its key by material and name", () => {
    const source = publicKey(ec.publicKey, { keyId: "key-1" });
    expect(source.holds(VerificationKey.fromPublicKey(createPublicKey(pemOf(ec.publicKey)), "key-1"))).toBe(true);
    expect(source.holds(VerificationKey.fromPublicKey(ec.publicKey, "key-2"))).toBe(false);
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
    expect(source.holds(VerificationKey.fromPublicKey(other, "key-1"))).toBe(false);
  });
});
