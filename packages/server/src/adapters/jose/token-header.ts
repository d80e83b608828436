/** The shape and the header of a bearer token: everything that can be refused before any key is touched. */

import { isAlgorithm, type Algorithm } from "./algorithms.js";
import { decodeBase64url, isCanonicalBase64url } from "./base64url.js";
import { refuseToken } from "./refuse-token.js";
import { ownMember, parseStrictObject } from "./strict-json.js";
import { isKeyId } from "./verification-key.js";

export interface HeaderRules {
  /** The allow-list. */
  readonly algorithms: ReadonlySet<Algorithm>;
  /** Accepted `typ` values as {@link normalizeType} writes them. */
  readonly types: ReadonlySet<string>;
  readonly allowMissingType: boolean;
}

export interface TokenHeader {
  readonly algorithm: Algorithm;
  readonly keyId: string | undefined;
}

/** RFC 8725bis 3.14: anything but these characters in three parts is no signed JWT. Five parts would be a JWE. */
const SIGNED_JWT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/**
 * Reads the header of a token nobody has verified yet, of bounded length. Embedded keys and addresses of keys (`jwk`, `jku`, `x5u`,
 * `x5c`) are never looked at.
 * @throws HubwardError `invalid_token`
 */
export function readTokenHeader(token: string, rules: HeaderRules): TokenHeader {
  const [, encodedHeader = "", payload = "", signature = ""] = SIGNED_JWT.exec(token) ?? [];
  const bytes = decodeBase64url(encodedHeader);
  if (bytes === undefined || !isCanonicalBase64url(payload) || !isCanonicalBase64url(signature)) {
    throw refuseToken("this is not three parts of base64url");
  }
  const header = parseStrictObject(bytes);
  if (header === undefined) throw refuseToken("the header is not a JSON object with unique members");

  // RFC 7515 4.1.11: we understand no extension. RFC 7797: unencoded payloads are one, with or without crit.
  if (Object.hasOwn(header, "crit") || Object.hasOwn(header, "b64"))
    throw refuseToken("the header asks for extensions");
  const algorithm = ownMember(header, "alg");
  if (!isAlgorithm(algorithm) || !rules.algorithms.has(algorithm)) throw refuseToken("the algorithm is not allowed");
  const keyId = ownMember(header, "kid");
  if (keyId !== undefined && !isKeyId(keyId)) throw refuseToken("the key id is malformed");
  assertType(ownMember(header, "typ"), rules);
  return { algorithm, keyId };
}

/** Media types compare without regard to case, and `application/` may be left out (RFC 7515 4.1.9). */
export function normalizeType(type: string): string {
  const name = type.toLowerCase();
  return name.startsWith("application/") ? name.slice("application/".length) : name;
}

function assertType(type: unknown, { types, allowMissingType }: HeaderRules): void {
  if (type === undefined) {
    if (!allowMissingType) throw refuseToken("the token type is missing");
  } else if (typeof type !== "string" || !types.has(normalizeType(type))) {
    throw refuseToken("the token type is not accepted");
  }
}
