/**
 * Keys that sign access tokens: ES256, named by their RFC 7638 thumbprint. A key object does not print its private
 * part; `exportSigningKey` is the only way to see it.
 */

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { promisify } from "node:util";

/** The public half as it stands in a JWKS (RFC 7517 4, RFC 7518 6.2.1). */
export interface PublicJwk {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly alg: "ES256";
  readonly use: "sig";
}

/** A JWK Set of public keys: goes into jose's `createLocalJWKSet` as it is. */
export interface PublicJwks {
  keys: PublicJwk[];
}

export interface SigningKey {
  /** `kid`: the RFC 7638 thumbprint of the public key. */
  readonly keyId: string;
  readonly privateKey: KeyObject;
  readonly publicJwk: PublicJwk;
}

export async function generateSigningKey(): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)("ec", { namedCurve: "P-256" });
  return toSigningKey(privateKey);
}

/** The whole key as the JSON text of a private JWK, for a file that only the application reads. */
export function exportSigningKey(key: SigningKey): string {
  return JSON.stringify({ ...key.privateKey.export({ format: "jwk" }), kid: key.keyId, alg: "ES256", use: "sig" });
}

/**
 * Reads what {@link exportSigningKey} wrote, or another private P-256 JWK.
 * @throws TypeError for anything else, also when its public half is not that of its private half. No part of the
 * text is in the message, and there is no `cause`: a JSON parser's message quotes what it read.
 */
export function importSigningKey(jwkText: string): SigningKey {
  const jwk = parseJwk(jwkText);
  if (typeof jwk["d"] !== "string") throw new TypeError("signing key: not a private key");
  const { x, y } = publicCoordinates(jwk);
  let key: SigningKey;
  try {
    key = toSigningKey(createPrivateKey({ format: "jwk", key: { kty: "EC", crv: "P-256", x, y, d: jwk["d"] } }));
  } catch {
    throw new TypeError("signing key: not a P-256 key");
  }
  const proof = new TextEncoder().encode("one key");
  if (!verify("sha256", proof, createPublicKey(key.privateKey), sign("sha256", proof, key.privateKey))) {
    throw new TypeError("signing key: its public half belongs to another key");
  }
  return key;
}

/**
 * The public JWK of a P-256 key, and nothing else of what is given: a private part, for one, is left behind.
 * @throws TypeError when it is no P-256 key for ES256 signatures, or bears a `kid` that is not its thumbprint.
 */
export function toPublicJwk(jwk: object): PublicJwk {
  const members: Record<string, unknown> = { ...jwk };
  const { x, y } = publicCoordinates(members);
  const kid = thumbprint(x, y);
  if (members["kid"] !== undefined && members["kid"] !== kid) {
    throw new TypeError("signing key: kid must be the RFC 7638 thumbprint");
  }
  return { kty: "EC", crv: "P-256", x, y, kid, alg: "ES256", use: "sig" };
}

function toSigningKey(privateKey: KeyObject): SigningKey {
  const publicJwk = toPublicJwk(createPublicKey(privateKey).export({ format: "jwk" }));
  return { keyId: publicJwk.kid, privateKey, publicJwk };
}

function parseJwk(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return { ...value };
  } catch {
    // Falls through: the parser's own message would quote the key.
  }
  throw new TypeError("signing key: not the JSON text of a JWK");
}

function publicCoordinates(jwk: Record<string, unknown>): { x: string; y: string } {
  const { kty, crv, x, y, alg = "ES256", use = "sig" } = jwk;
  if (kty !== "EC" || crv !== "P-256" || alg !== "ES256" || use !== "sig") {
    throw new TypeError("signing key: only P-256 keys for ES256 signatures");
  }
  if (!isCoordinate(x) || !isCoordinate(y)) throw new TypeError("signing key: not a P-256 key");
  return { x, y };
}

/** 32 bytes in base64url (RFC 7518 6.2.1.2). */
function isCoordinate(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9_-]{43}$/.test(value);
}

/** RFC 7638 3: the required members in lexicographic order, without white space. */
function thumbprint(x: string, y: string): string {
  return createHash("sha256")
    .update(JSON.stringify({ crv: "P-256", kty: "EC", x, y }))
    .digest("base64url");
}
