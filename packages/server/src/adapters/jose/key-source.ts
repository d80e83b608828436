/** Port: where the keys of one issuer come from. */

import type { Algorithm } from "./algorithms.js";
import { isKeyHandle, readPublicKey, type PublicKeyInput } from "./public-key.js";
import { VerificationKey } from "./verification-key.js";

/** What a token's header says about its key. Chosen by whoever made the token: it selects, it never authorises. */
export interface KeySelector {
  readonly algorithm: Algorithm;
  /** `kid`, of plain characters and at most 256 of them. */
  readonly keyId: string | undefined;
}

/**
 * The keys of one issuer. A source belongs to one authenticator: two issuers may use the same `kid` for different
 * keys, so keys found elsewhere are cached by issuer, place and `kid` together.
 */
export interface KeySource {
  /** What its keys can check: fixed for the life of the source and never a mixture of HS256 and the others. */
  readonly algorithms: readonly Algorithm[];
  /** Whose keys they are, where the source itself knows: `jwt()` takes it for no other issuer. */
  readonly issuer?: string | undefined;
  /**
   * The one key that fits, or undefined when there is none or more than one: the token is then `invalid_token`.
   * Throwing or rejecting means that nobody knows, because the keys could not be had: the caller is told
   * `auth_unavailable` and keeps the token. Looks names up in a Map; never builds a path or an address from them.
   */
  find(selector: KeySelector): VerificationKey | undefined | Promise<VerificationKey | undefined>;
  /**
   * Whether a key found earlier is still one of its keys, by material and not by name (compare `fingerprint`).
   * Asked at every use of a remembered token: synchronous and cheap.
   */
  holds(key: VerificationKey): boolean;
  /**
   * Fetches the keys anew, where they can change. Resolves when what was asked for after this call is in use, with
   * true, or when it could not be had, with false. Never rejects.
   */
  reload?(): Promise<boolean>;
}

export interface KeyOptions {
  /**
   * Name of the key (`kid`). A token that names another key is refused; one that names none is accepted. Left out,
   * the token's `kid` does not matter, because there is one key only.
   */
  readonly keyId?: string | undefined;
}

/**
 * HS256 with a secret that issuer and hub share: at least 32 random bytes. Text is not taken, so that the PEM of a
 * public key never becomes a secret; decode it first, for example with {@link base64urlSecret}.
 * @throws TypeError for text and for encoded keys; RangeError below 256 bits.
 */
export function sharedSecret(bytes: Uint8Array, { keyId }: KeyOptions = {}): KeySource {
  return singleKey(VerificationKey.fromSecret(bytes, keyId));
}

/**
 * RS256, ES256 or EdDSA with one public key, whichever its type says. A JWK's own `kid` counts where `keyId` is left
 * out; its `use`, `key_ops` and `alg` are honoured. For PEM text see {@link spkiPem}.
 * @throws TypeError when it is not a public key; RangeError when it is too weak or not meant for this.
 */
export function publicKey(key: PublicKeyInput, { keyId }: KeyOptions = {}): KeySource {
  const keyObject = readPublicKey(key);
  const ownName = isKeyHandle(key) ? undefined : key["kid"];
  if (ownName !== undefined && typeof ownName !== "string") throw new TypeError("publicKey: kid is not a string");
  return singleKey(VerificationKey.fromPublicKey(keyObject, keyId ?? ownName));
}

function singleKey(key: VerificationKey): KeySource {
  return Object.freeze({
    algorithms: Object.freeze([key.algorithm]),
    find({ algorithm, keyId }: KeySelector) {
      const isNamed = keyId === undefined || key.keyId === undefined || keyId === key.keyId;
      return isNamed && algorithm === key.algorithm ? key : undefined;
    },
    holds: (found: VerificationKey) => found.fingerprint === key.fingerprint,
  });
}
