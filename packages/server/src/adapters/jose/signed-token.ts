/** A signed JWT from its text to its claims: header, key, signature. What the claims must say is the caller's. */

import { HubwardError } from "@hubward/wire";
import type { KeySource } from "./key-source.js";
import { refuseToken } from "./refuse-token.js";
import { parseStrictObject } from "./strict-json.js";
import type { TokenHeader, TokenParts, TokenReader } from "./token-header.js";
import { VerificationKey } from "./verification-key.js";

/** Which check a token failed: what a security event's sender is told (RFC 8935 2.4). */
export type SignedTokenFault = "key" | "signature";

/** The faults of refused tokens; nothing of it leaves the process. */
const faults = new WeakMap<HubwardError, SignedTokenFault>();

/** Which check an error came from; undefined for those of all others. */
export function faultOf(error: HubwardError): SignedTokenFault | undefined {
  return faults.get(error);
}

/**
 * Verifies a token of bounded length. Its claims are parsed strictly and believed by nobody yet.
 * @throws HubwardError (rejects) `invalid_token`, or `auth_unavailable` when the keys could not be had
 */
export async function verifySignedToken(
  token: string,
  keys: KeySource,
  read: TokenReader,
): Promise<Record<string, unknown>> {
  const parts = read(token);
  const key = await findKey(keys, parts.header);
  const claims = readClaims(parts, key);
  // A reload may have withdrawn the key between its being found and now.
  if (!keys.holds(key) && (await findKey(keys, parts.header)).fingerprint !== key.fingerprint) {
    throw refuse("key", "the key was withdrawn");
  }
  return claims;
}

/** At once where the key is at hand. @throws (or rejects with) HubwardError */
export function findKey(keys: KeySource, header: TokenHeader): VerificationKey | Promise<VerificationKey> {
  let found: ReturnType<KeySource["find"]>;
  try {
    found = keys.find(header);
  } catch (cause) {
    throw keysUnavailable(cause);
  }
  if (!isThenable(found)) return assertKey(found);
  return Promise.resolve(found).then(assertKey, (cause: unknown) => {
    throw keysUnavailable(cause);
  });
}

/** The claims, once their signature holds: nothing of them is read before. @throws HubwardError `invalid_token` */
export function readClaims(parts: TokenParts, key: VerificationKey): Record<string, unknown> {
  const { header, payload, signature, signed } = parts;
  // One algorithm per key, even if a source hands out the wrong one.
  if (header.algorithm !== key.algorithm) throw refuse("key", "the algorithm is not the key's");
  // Strict base64url, all of it: its characters are their own bytes.
  if (!key.verifies(Buffer.from(signed, "latin1"), Buffer.from(signature, "base64url"))) {
    throw refuse("signature", "the signature is wrong");
  }
  const claims = parseStrictObject(Buffer.from(payload, "base64url"));
  if (claims === undefined) throw refuseToken("the claims are not a JSON object with unique members");
  return claims;
}

/** A source of the application's own may hand out anything. */
function assertKey(key: VerificationKey | undefined): VerificationKey {
  if (!(key instanceof VerificationKey)) throw refuse("key", "no key of the issuer fits");
  return key;
}

function keysUnavailable(cause: unknown): HubwardError {
  if (cause instanceof HubwardError && cause.reason === "auth_unavailable") return cause;
  return new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause });
}

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
}

function refuse(fault: SignedTokenFault, why: string): HubwardError {
  const error = refuseToken(why);
  faults.set(error, fault);
  return error;
}
