/** Keys found through the metadata an issuer publishes (OpenID Connect Discovery 1.0; RFC 8414 3.3). */

import { fetchDocument } from "./fetch-document.js";
import { metadataAddress, readKeyAddress } from "./key-address.js";
import type { KeySource } from "./key-source.js";
import { fetchKeys } from "./remote-jwks.js";
import { resolveRemoteKeyOptions, type RemoteKeyOptions } from "./remote-key-options.js";
import { createRemoteKeys } from "./remote-keys.js";
import { ownMember } from "./strict-json.js";

/**
 * The keys of an OpenID provider, by its issuer alone:
 *
 * ```ts
 * jwt({ issuer, audience, keys: discover(issuer) })
 * ```
 *
 * Each fetch reads `<issuer>/.well-known/openid-configuration`, whose `issuer` must equal ours character by character,
 * and then the key set at its `jwks_uri`, which must be https as well; keys in it that name another issuer are left out.
 * Of the metadata nothing else is used: the
 * algorithms are pinned by our own options. Everything that holds for {@link jwks} holds here. The source is bound
 * to the issuer: `jwt()` takes it for no other.
 * @throws TypeError, RangeError for an issuer or options that could not be safe
 */
export function discover(issuer: string, options?: RemoteKeyOptions): KeySource {
  const rules = resolveRemoteKeyOptions(options);
  const { allowLoopbackHttp, maxBytes, ca } = rules;
  const address = metadataAddress(issuer, allowLoopbackHttp);
  return createRemoteKeys(
    async (signal) => {
      const metadata = await fetchDocument(address, { signal, maxBytes, ca });
      if (ownMember(metadata, "issuer") !== issuer) throw new Error("the metadata is another issuer's");
      const keysAt = ownMember(metadata, "jwks_uri");
      if (typeof keysAt !== "string") throw new Error("the metadata names no key set");
      return fetchKeys(readKeyAddress(keysAt, allowLoopbackHttp), signal, rules, issuer);
    },
    rules,
    issuer,
  );
}
