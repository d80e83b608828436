/** The signature algorithms a bearer token may use here, and the two families that never mix. */

/**
 * RFC 7518 3.1 and RFC 8037 3.1; `EdDSA` means Ed25519. Compared case-sensitively (RFC 8725bis 3.1). `none` is not
 * in the list and cannot be added.
 */
export type Algorithm = "HS256" | "RS256" | "ES256" | "EdDSA";

const families: ReadonlyMap<string, "symmetric" | "asymmetric"> = new Map([
  ["HS256", "symmetric"],
  ["RS256", "asymmetric"],
  ["ES256", "asymmetric"],
  ["EdDSA", "asymmetric"],
]);

export function isAlgorithm(name: unknown): name is Algorithm {
  return typeof name === "string" && families.has(name);
}

/**
 * Checks an allow-list: at least one supported algorithm, and never a shared secret beside public keys, because
 * then whoever knows the public key could sign with it (RFC 8725 2.1).
 * @throws RangeError
 */
export function assertAlgorithms(algorithms: readonly string[]): asserts algorithms is readonly Algorithm[] {
  if (algorithms.length === 0) throw new RangeError("jwt.algorithms: at least one algorithm");
  for (const name of algorithms) {
    if (!isAlgorithm(name)) throw new RangeError("jwt.algorithms: only HS256, RS256, ES256 and EdDSA are supported");
  }
  if (new Set(algorithms.map((name) => families.get(name))).size > 1) {
    throw new RangeError("jwt.algorithms: HS256 cannot stand beside RS256, ES256 or EdDSA in one authenticator");
  }
}
