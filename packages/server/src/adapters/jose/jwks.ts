/** JSON Web Key Sets (RFC 7517 5). */

import type { Algorithm } from "./algorithms.js";
import type { KeySelector, KeySource } from "./key-source.js";
import { holdsSecret, readPublicKey, type Jwk } from "./public-key.js";
import { isKeyId, VerificationKey } from "./verification-key.js";

/** A key set as it was parsed from JSON. */
export interface JsonWebKeySet {
  /** Each key's other members depend on its kind, and are read with care. */
  readonly keys: readonly { readonly kty: string }[];
}

/** A set that gives away a private or a symmetric key: whoever publishes one has no signatures left to trust. */
export class SecretInKeySet extends TypeError {
  override readonly name = "SecretInKeySet";
}

const knownKeyTypes: ReadonlySet<unknown> = new Set(["RSA", "EC", "OKP", "oct"]);

/**
 * A key set that the application holds itself. Its keys are read once; a changed object changes nothing.
 * @throws TypeError when it is no key set or holds a private or symmetric key; RangeError when no key in it is
 * usable, or two usable ones share `kid` and algorithm.
 */
export function localJwks(jwks: JsonWebKeySet): KeySource {
  const keys = readJwks(jwks);
  const names = keys.map(({ algorithm, keyId }) => JSON.stringify([algorithm, keyId]));
  if (keys.length === 0) throw new RangeError("localJwks: no key here can verify RS256, ES256 or EdDSA");
  if (keys.some(({ keyId }, at) => keyId !== undefined && names.indexOf(names[at] ?? "") !== at)) {
    throw new RangeError("localJwks: two keys share one kid and algorithm");
  }
  return createKeySet(keys, [...new Set(keys.map(({ algorithm }) => algorithm))]);
}

/**
 * The usable keys of a set. Left out are unknown key types (RFC 7517 5), keys whose `use`, `key_ops` or `alg` says
 * that they are for something else, other curves, RSA below 2048 bits, malformed keys, and keys whose `kid` no token
 * could name.
 * @throws TypeError when it is no key set; SecretInKeySet when it gives away a private or a symmetric key
 */
export function readJwks(jwks: unknown): readonly VerificationKey[] {
  const members: unknown = typeof jwks === "object" && jwks !== null && "keys" in jwks ? jwks.keys : undefined;
  if (!Array.isArray(members)) throw new TypeError("jwks: an object with an array of keys is needed");
  return members.flatMap((jwk: unknown) => readUsableKey(jwk) ?? []);
}

/**
 * Serves `keys` by `kid`. A token without `kid` is served where exactly one key has its algorithm; two keys of one
 * `kid` and algorithm serve none.
 */
export function createKeySet(keys: readonly VerificationKey[], algorithms: readonly Algorithm[]): KeySource {
  const byKeyId = new Map<string, VerificationKey[]>();
  for (const key of keys) {
    if (key.keyId !== undefined) byKeyId.set(key.keyId, [...(byKeyId.get(key.keyId) ?? []), key]);
  }
  const fingerprints = new Set(keys.map(({ fingerprint }) => fingerprint));
  return Object.freeze({
    algorithms: Object.freeze([...algorithms]),
    find({ algorithm, keyId }: KeySelector) {
      const named = keyId === undefined ? keys : (byKeyId.get(keyId) ?? []);
      const [only, another] = named.filter((key) => key.algorithm === algorithm);
      return another === undefined ? only : undefined;
    },
    holds: (key: VerificationKey) => fingerprints.has(key.fingerprint),
  });
}

function readUsableKey(value: unknown): VerificationKey | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const jwk = value as Jwk;
  if (!knownKeyTypes.has(jwk.kty)) return undefined;
  if (holdsSecret(jwk)) throw new SecretInKeySet("jwks: the set holds a private or a symmetric key");
  const keyId = jwk["kid"];
  if (keyId !== undefined && !isKeyId(keyId)) return undefined;
  try {
    return VerificationKey.fromPublicKey(readPublicKey(jwk), keyId);
  } catch {
    return undefined;
  }
}
