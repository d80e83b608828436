/** Public keys in the forms applications hold them, turned into typed key objects. */

import { createPublicKey, KeyObject, type JsonWebKey, type webcrypto } from "node:crypto";

/** A JSON Web Key (RFC 7517 4) as it was parsed from JSON. */
export interface Jwk {
  readonly kty: string;
  readonly [member: string]: unknown;
}

export type PublicKeyInput = KeyObject | webcrypto.CryptoKey | Jwk;

const SPKI_PEM = /^\s*-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*$/;
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
/** `alg` of a JWK, and the algorithm of a CryptoKey, that each supported kind of key must have where it has one. */
const namesByKeyType: ReadonlyMap<string, { readonly jwkAlg: string; readonly webCrypto: string }> = new Map([
  ["rsa", { jwkAlg: "RS256", webCrypto: "RSASSA-PKCS1-v1_5" }],
  ["ec", { jwkAlg: "ES256", webCrypto: "ECDSA" }],
  ["ed25519", { jwkAlg: "EdDSA", webCrypto: "Ed25519" }],
]);

/**
 * Reads one `-----BEGIN PUBLIC KEY-----` block (RFC 7468 13) for {@link publicKey}. Certificates and private keys
 * are refused.
 * @throws TypeError
 */
export function spkiPem(pem: string): KeyObject {
  if (!SPKI_PEM.test(pem)) throw new TypeError("spkiPem: exactly one PUBLIC KEY block is needed");
  try {
    return createPublicKey({ key: pem.trim(), format: "pem", type: "spki" });
  } catch (cause) {
    throw new TypeError("spkiPem: the block holds no public key", { cause });
  }
}

/** @throws TypeError when it is no public key; RangeError when the key itself says that it is meant for something else. */
export function readPublicKey(key: PublicKeyInput): KeyObject {
  if (isKeyHandle(key)) return key instanceof KeyObject ? key : fromCryptoKey(key);
  if (typeof key !== "object" || key === null) {
    throw new TypeError("publicKey: a KeyObject, CryptoKey or JWK is needed; PEM text goes through spkiPem");
  }
  return fromJwk(key);
}

/** Whether this is one of the runtime's own key objects, which tell their type themselves. */
export function isKeyHandle(key: PublicKeyInput): key is KeyObject | webcrypto.CryptoKey {
  // By tag: Node has CryptoKey as a global only, which its types for version 20 do not declare.
  return key instanceof KeyObject || Object.prototype.toString.call(key) === "[object CryptoKey]";
}

/** Whether a JWK carries private or symmetric material (RFC 7517 9.2 and RFC 7518 6). */
export function holdsSecret(jwk: Jwk): boolean {
  return PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member));
}

function fromCryptoKey(key: webcrypto.CryptoKey): KeyObject {
  if (key.type !== "public") throw new TypeError("publicKey: this is not a public key");
  const keyObject = KeyObject.from(key);
  const { name, hash } = key.algorithm as { readonly name: string; readonly hash?: { readonly name: string } };
  const isMeant = namesByKeyType.get(keyObject.asymmetricKeyType ?? "")?.webCrypto === name;
  if (!isMeant || (hash !== undefined && hash.name !== "SHA-256") || !key.usages.includes("verify")) {
    throw new RangeError("publicKey: this CryptoKey is not for verifying RS256, ES256 or EdDSA");
  }
  return keyObject;
}

function fromJwk(jwk: Jwk): KeyObject {
  if (holdsSecret(jwk)) throw new TypeError("publicKey: this JWK holds a private or a symmetric key");
  const { use, key_ops: operations, alg } = jwk as { readonly [member: string]: unknown };
  if (use !== undefined && use !== "sig") throw new RangeError("publicKey: the JWK's use is not sig");
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) {
    throw new RangeError("publicKey: the JWK's key_ops do not include verify");
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: jwk as JsonWebKey, format: "jwk" });
  } catch (cause) {
    throw new TypeError("publicKey: the JWK holds no public key", { cause });
  }
  if (alg !== undefined && alg !== namesByKeyType.get(key.asymmetricKeyType ?? "")?.jwkAlg) {
    throw new RangeError("publicKey: the JWK's alg does not fit its type");
  }
  return key;
}
