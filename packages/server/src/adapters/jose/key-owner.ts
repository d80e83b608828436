/** Whose keys a source holds. */

import type { KeySource } from "./key-source.js";

/** By source; whichever function takes a source first decides. */
const owners = new WeakMap<KeySource, string>();

/**
 * Binds a source to an issuer for good. Two issuers behind one source could sign for each other (RFC 8725 3.8;
 * CVE-2026-49998), so each needs a source of its own, even where both publish at one address.
 * @throws TypeError when the source is another issuer's
 */
export function claimKeys(keys: KeySource, issuer: string): void {
  const owner = keys.issuer ?? owners.get(keys);
  if (owner !== undefined && owner !== issuer) {
    throw new TypeError("keys: these are the keys of another issuer; each issuer needs a source of its own");
  }
  owners.set(keys, issuer);
}
