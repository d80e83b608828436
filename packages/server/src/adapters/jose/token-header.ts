/** The shape and the header of a bearer token: everything that can be refused before any key is touched. */

import type { HubwardError } from "@hubward/wire";
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

/** A signed token in its parts (RFC 7515 3.1). The header is read, nothing else is. */
export interface TokenParts {
  readonly header: TokenHeader;
  readonly payload: string;
  readonly signature: string;
  /** What was signed: header and payload as they are written. */
  readonly signed: string;
}

/** Takes a token apart. @throws HubwardError `invalid_token` */
export type TokenReader = (token: string) => TokenParts;

/** RFC 8725bis 3.14: anything but these characters in three parts is no signed JWT. Five parts would be a JWE. */
const SIGNED_JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** An issuer writes few different headers, and each of them in all its tokens. */
const MAX_KNOWN_HEADERS = 64;
/** Characters of one that is remembered. */
const MAX_KNOWN_LENGTH = 512;

/**
 * Reads tokens nobody has verified yet, of bounded length, under rules that do not change. Headers that were acceptable
 * are remembered by their text: the same text is acceptable again, whoever writes it.
 */
export function createTokenReader(rules: HeaderRules): TokenReader {
  const known = new Map<string, TokenHeader>();

  function headerOf(encoded: string): TokenHeader {
    const before = known.get(encoded);
    if (before !== undefined) return before;
    const header = readHeader(encoded, rules);
    if (encoded.length > MAX_KNOWN_LENGTH) return header;
    if (known.size >= MAX_KNOWN_HEADERS) known.clear();
    known.set(encoded, header);
    return header;
  }

  return (token) => {
    if (!SIGNED_JWT.test(token)) throw notThreeParts();
    const first = token.indexOf(".");
    const second = token.indexOf(".", first + 1);
    const encodedHeader = token.slice(0, first);
    const payload = token.slice(first + 1, second);
    const signature = token.slice(second + 1);
    if (!isCanonicalBase64url(payload) || !isCanonicalBase64url(signature)) throw notThreeParts();
    return { header: headerOf(encodedHeader), payload, signature, signed: token.slice(0, second) };
  };
}

function notThreeParts(): HubwardError {
  return refuseToken("this is not three parts of base64url");
}

/** Embedded keys and addresses of keys (`jwk`, `jku`, `x5u`, `x5c`) are never looked at. */
function readHeader(encoded: string, rules: HeaderRules): TokenHeader {
  const bytes = decodeBase64url(encoded);
  if (bytes === undefined) throw notThreeParts();
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
  // Shared by all tokens of this header, and handed to key sources of the application's own.
  return Object.freeze({ algorithm, keyId });
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
