/** Base64url as JOSE wants it (RFC 7515 2): no padding, no foreign characters, one spelling per value. */

const ALPHABET = /^[A-Za-z0-9_-]+$/;

/**
 * Whether the last character carries no leftover bits and the length is possible. Assumes the alphabet was checked.
 * Decoders ignore leftover bits (RFC 4648 3.5), so without this rule one token has several spellings.
 */
export function isCanonicalBase64url(text: string): boolean {
  const last = text.charAt(text.length - 1);
  switch (text.length % 4) {
    case 0:
      return true;
    case 2:
      return "AQgw".includes(last);
    case 3:
      return "AEIMQUYcgkosw048".includes(last);
    default:
      return false;
  }
}

/** Decodes, or returns undefined where the text is not exactly the base64url of some bytes. */
export function decodeBase64url(text: string): Buffer | undefined {
  return ALPHABET.test(text) && isCanonicalBase64url(text) ? Buffer.from(text, "base64url") : undefined;
}

/**
 * Decodes the text of a secret for {@link sharedSecret}: unpadded base64url, of 32 random bytes at least.
 * @throws TypeError when the text is anything else.
 */
export function base64urlSecret(text: string): Uint8Array {
  const bytes = decodeBase64url(text);
  if (bytes === undefined) throw new TypeError("base64urlSecret: unpadded base64url is needed");
  return new Uint8Array(bytes);
}
