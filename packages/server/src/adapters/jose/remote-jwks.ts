/** Keys from the address of a JSON Web Key Set (RFC 7517 5). */

import { fetchDocument } from "./fetch-document.js";
import { readJwks, SecretInKeySet } from "./jwks.js";
import { readKeyAddress } from "./key-address.js";
import { keysOfIssuer } from "./key-issuer.js";
import type { KeySource } from "./key-source.js";
import { resolveRemoteKeyOptions, type RemoteKeyOptions, type ResolvedRemoteKeyOptions } from "./remote-key-options.js";
import { createRemoteKeys, KeysWithdrawn } from "./remote-keys.js";
import { ownMember } from "./strict-json.js";
import type { VerificationKey } from "./verification-key.js";

/**
 * The keys that an issuer publishes at `url`, which is https. Nothing is fetched before the first token, so a provider
 * that is down stops no application from starting; from then on they are kept fresh in the background.
 *
 * While they cannot be had, keys already known serve for `maxStaleMs`, and tokens of other keys are refused as
 * `auth_unavailable` with a time to wait. A key that a fresh answer no longer has is gone at once, remembered tokens
 * included. One source serves one issuer: give each `jwt()` its own.
 * @throws TypeError, RangeError for an address or options that could not be safe
 */
export function jwks(url: string | URL, options?: RemoteKeyOptions): KeySource {
  const rules = resolveRemoteKeyOptions(options);
  const address = readKeyAddress(url, rules.allowLoopbackHttp);
  return createRemoteKeys((signal) => fetchKeys(address, signal, rules), rules);
}

/**
 * Fetches and reads one key set; with `issuer`, without the keys that name another.
 * @throws KeysWithdrawn when it holds a private or a symmetric key; Error for every other failure
 */
export async function fetchKeys(
  address: URL,
  signal: AbortSignal,
  { maxBytes, maxKeys, ca }: ResolvedRemoteKeyOptions,
  issuer?: string,
): Promise<readonly VerificationKey[]> {
  const document = await fetchDocument(address, { signal, maxBytes, ca });
  const members: unknown = ownMember(document, "keys");
  if (!Array.isArray(members)) throw new Error("the answer is no key set");
  if (members.length > maxKeys) throw new Error("the key set holds too many keys");
  try {
    return readJwks({ keys: issuer === undefined ? members : keysOfIssuer(members, issuer) });
  } catch (cause) {
    if (cause instanceof SecretInKeySet) throw new KeysWithdrawn("the key set gives away a secret", { cause });
    throw cause;
  }
}
