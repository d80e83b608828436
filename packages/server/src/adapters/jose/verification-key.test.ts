import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { compactVerify, CompactSign, type CryptoKey } from "jose";
import { describe, expect, test } from "vitest";
import type { Algorithm } from "./algorithms.js";
import { VerificationKey } from "./verification-key.js";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const secret = randomBytes(32);

const pairs: Readonly<Record<Algorithm, { signing: Uint8Array | KeyObject; key: VerificationKey }>> = {
  HS256: { signing: secret, key: VerificationKey.fromSecret(secret) },
  RS256: { signing: rsa.privateKey, key: VerificationKey.fromPublicKey(rsa.publicKey) },
  ES256: { signing: ec.privateKey, key: VerificationKey.fromPublicKey(ec.publicKey) },
  EdDSA: { signing: ed.privateKey, key: VerificationKey.fromPublicKey(ed.publicKey) },
};
const all = Object.keys(pairs) as Algorithm[];

interface Signed {
  readonly input: Buffer;
  readonly signature: Buffer;
}

/** Signed by jose, whose word is the measure. */
async function signed(algorithm: Algorithm, payload: Uint8Array = randomBytes(40)): Promise<Signed> {
  const jws = await new CompactSign(payload).setProtectedHeader({ alg: algorithm }).sign(pairs[algorithm].signing);
  const end = jws.lastIndexOf(".");
  return { input: Buffer.from(jws.slice(0, end)), signature: Buffer.from(jws.slice(end + 1), "base64url") };
}

async function joseVerifies(algorithm: Algorithm, { input, signature }: Signed): Promise<boolean> {
  const { signing } = pairs[algorithm];
  const key = signing instanceof Uint8Array ? signing : (createPublicKey(signing) as unknown as CryptoKey);
  return compactVerify(`${input.toString()}.${signature.toString("base64url")}`, key).then(
    () => true,
    () => false,
  );
}

describe.each(all)("a signature of %s", (algorithm) => {
  const { key } = pairs[algorithm];

  test("holds for what was signed, and for nothing else", async () => {
    const { input, signature } = await signed(algorithm);
    expect(key.verifies(input, signature)).toBe(true);
    expect(key.verifies(Buffer.concat([input, Buffer.from("x")]), signature)).toBe(false);
    expect(key.verifies(input.subarray(1), signature)).toBe(false);
    expect(key.verifies(Buffer.alloc(0), signature)).toBe(false);
  });

  test("is no other key's", async () => {
    const { input, signature } = await signed(algorithm);
    for (const other of all) expect(pairs[other].key.verifies(input, signature)).toBe(other === algorithm);
    const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
    expect(VerificationKey.fromPublicKey(stranger.publicKey).verifies(input, signature)).toBe(false);
    expect(VerificationKey.fromSecret(randomBytes(32)).verifies(input, signature)).toBe(false);
  });

  test("changed in any way is judged as jose judges it", async () => {
    const good = await signed(algorithm);
    const changed = fc.oneof(
      fc.nat(good.signature.length * 8 - 1).map((bit) => {
        const flipped = Buffer.from(good.signature);
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        return flipped;
      }),
      fc.nat(good.signature.length).map((length) => good.signature.subarray(0, length)),
      fc.uint8Array({ minLength: 1, maxLength: 4 }).map((more) => Buffer.concat([good.signature, more])),
      fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(0x00, 0xff, 0x30).map((byte) => Buffer.alloc(good.signature.length, byte)),
    );
    await fc.assert(
      fc.asyncProperty(changed, async (signature) => {
        const judged = key.verifies(good.input, signature);
        expect(judged).toBe(await joseVerifies(algorithm, { ...good, signature }));
        expect(judged).toBe(signature.equals(good.signature));
      }),
      { numRuns: 60 },
    );
  });
});

describe("forgeries", () => {
  const input = Buffer.from("header.payload");

  test("ES256: a signature in DER, another hash, and zeros are none", () => {
    const { key } = pairs.ES256;
    expect(key.verifies(input, sign("sha256", input, ec.privateKey))).toBe(false);
    expect(key.verifies(input, sign("sha384", input, { key: ec.privateKey, dsaEncoding: "ieee-p1363" }))).toBe(false);
    expect(key.verifies(input, Buffer.alloc(64))).toBe(false);
  });

  test("RS256: another padding and another hash are none", () => {
    const { key } = pairs.RS256;
    expect(key.verifies(input, sign("sha256", input, { key: rsa.privateKey, padding: 6 }))).toBe(false);
    expect(key.verifies(input, sign("sha1", input, rsa.privateKey))).toBe(false);
  });

  test("HS256: what is made with the public key of another algorithm is none", () => {
    const pem = rsa.publicKey.export({ format: "pem", type: "spki" });
    const forged = createHmac("sha256", pem).update(input).digest();
    for (const algorithm of all) expect(pairs[algorithm].key.verifies(input, forged)).toBe(false);
  });

  test("HS256: the beginning of the right one is none", async () => {
    const good = await signed("HS256");
    expect(pairs.HS256.key.verifies(good.input, good.signature.subarray(0, 31))).toBe(false);
    expect(pairs.HS256.key.verifies(good.input, Buffer.alloc(0))).toBe(false);
  });
});
