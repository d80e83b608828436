/** A key that can check signatures of exactly one algorithm and is known to be strong enough for it. */

import {
  constants,
  createHmac,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
  verify,
} from "node:crypto";
import type { Algorithm } from "./algorithms.js";

const MIN_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2048;
const KEY_ID = /^[A-Za-z0-9._~:@+/=-]{1,256}$/;
const fingerprintSalt = randomBytes(32);

/** Whether a `kid` is one this adapter would ever look up: 1 to 256 plain characters. */
export function isKeyId(value: unknown): value is string {
  return typeof value === "string" && KEY_ID.test(value);
}

/**
 * Has no public constructor: a KeySource of one's own cannot hand out a key that is too short or fits two
 * algorithms. Prints no key material.
 */
export class VerificationKey {
  readonly algorithm: Algorithm;
  readonly keyId: string | undefined;
  /** Equal for equal algorithm, key id and key material. Differs in every process and tells nothing about the key. */
  readonly fingerprint: string;
  readonly #key: KeyObject;

  private constructor(key: KeyObject, algorithm: Algorithm, keyId: string | undefined) {
    if (keyId !== undefined && !isKeyId(keyId)) {
      throw new RangeError("keyId: 1 to 256 letters, digits or characters of ._~:@+/=-");
    }
    this.#key = key;
    this.algorithm = algorithm;
    this.keyId = keyId;
    this.fingerprint = createHmac("sha256", fingerprintSalt)
      .update(JSON.stringify([algorithm, keyId ?? null]))
      .update(exportBytes(key))
      .digest("base64url");
    Object.freeze(this);
  }

  /**
   * The algorithm follows from the key's own type: RSA gives RS256, P-256 ES256, Ed25519 EdDSA.
   * @throws TypeError when this is no public key; RangeError for another curve or type, for RSA below 2048 bits
   * (RFC 7518 3.3) and for an RSA exponent of 1, under which every message is its own signature.
   */
  static fromPublicKey(key: KeyObject, keyId?: string): VerificationKey {
    if (key.type !== "public") throw new TypeError("publicKey: this is not a public key");
    return new VerificationKey(key, algorithmOf(key), keyId);
  }

  /**
   * @throws TypeError when the bytes are text or DER of a public key, the mistake behind RS256/HS256 confusion;
   * RangeError below 256 bits (RFC 7518 3.2).
   */
  static fromSecret(bytes: Uint8Array, keyId?: string): VerificationKey {
    if (!(bytes instanceof Uint8Array)) throw new TypeError("sharedSecret: bytes are needed, not text");
    if (isEncodedKey(bytes)) throw new TypeError("sharedSecret: this is an encoded key, not a secret");
    if (bytes.length < MIN_SECRET_BYTES) throw new RangeError("sharedSecret: at least 32 bytes");
    return new VerificationKey(createSecretKey(bytes), "HS256", keyId);
  }

  /**
   * Whether the signature is this key's own over these bytes (RFC 7515 5.2; RFC 7518 3.2 to 3.4, RFC 8037 3.1). At once
   * and on this thread: it takes a tenth of a millisecond at most, and the way to a pool's thread and back as much again.
   * Never throws.
   */
  verifies(input: Uint8Array, signature: Uint8Array): boolean {
    try {
      return isSignature(this.algorithm, this.#key, input, signature);
    } catch {
      // Whatever OpenSSL could not read as a signature is none.
      return false;
    }
  }
}

function isSignature(algorithm: Algorithm, key: KeyObject, input: Uint8Array, signature: Uint8Array): boolean {
  switch (algorithm) {
    case "HS256": {
      const expected = createHmac("sha256", key).update(input).digest();
      return signature.length === expected.length && timingSafeEqual(signature, expected);
    }
    case "RS256":
      return verify("sha256", input, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
    case "ES256":
      return verify("sha256", input, { key, dsaEncoding: "ieee-p1363" }, signature);
    case "EdDSA":
      return verify(null, input, key, signature);
  }
}

function algorithmOf(key: KeyObject): Algorithm {
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "rsa":
      if (modulusLength < MIN_RSA_BITS) throw new RangeError("publicKey: RSA needs at least 2048 bits");
      if (publicExponent < 3n) throw new RangeError("publicKey: RSA needs a public exponent of at least 3");
      return "RS256";
    case "ec":
      if (namedCurve !== "prime256v1")
        throw new RangeError("publicKey: of the elliptic curves only P-256 is supported");
      return "ES256";
    case "ed25519":
      return "EdDSA";
    default:
      throw new RangeError("publicKey: only RSA, P-256 and Ed25519 are supported");
  }
}

function exportBytes(key: KeyObject): Buffer {
  return key.type === "secret" ? key.export() : key.export({ format: "der", type: "spki" });
}

function isEncodedKey(bytes: Uint8Array): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.includes("-----BEGIN")) return true;
  try {
    createPublicKey({ key: buffer, format: "der", type: "spki" });
    return true;
  } catch {
    return false;
  }
}
