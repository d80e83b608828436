/** A signed JWT from its text to its claims: header, key, signature. What the claims must say is the caller's. */

import { compactVerify, errors } from "jose";
import { HubwardError } from "@hubward/wire";
import type { KeySource } from "./key-source.js";
import { refuseToken } from "./refuse-token.js";
import { parseStrictObject } from "./strict-json.js";
import { readTokenHeader, type HeaderRules, type TokenHeader } from "./token-header.js";
import { VerificationKey } from "./verification-key.js";

export interface SignedToken {
  /** Parsed strictly and believed by nobody yet. */
  readonly claims: Record<string, unknown>;
  /** The key whose signature holds. */
  readonly key: VerificationKey;
  readonly keyId: string | undefined;
}

/** Which check a token failed: what a security event's sender is told (RFC 8935 2.4). */
export type SignedTokenFault = "malformed" | "key" | "signature";

/** The faults of refused tokens; nothing of it leaves the process. */
const faults = new WeakMap<HubwardError, SignedTokenFault>();

/** Which check the error of {@link verifySignedToken} came from; undefined for errors of others. */
export function faultOf(error: HubwardError): SignedTokenFault | undefined {
  return faults.get(error);
}

/**
 * Verifies a token of bounded length.
 * @throws HubwardError `invalid_token`, or `auth_unavailable` when the keys could not be had
 */
export async function verifySignedToken(token: string, keys: KeySource, rules: HeaderRules): Promise<SignedToken> {
  const header = inspect("malformed", () => readTokenHeader(token, rules));
  const key = await findKey(keys, header);
  const payload = await verifySignature(token, key);
  const claims = parseStrictObject(payload);
  if (claims === undefined) throw refuse("malformed", "the claims are not a JSON object with unique members");
  // A reload may have withdrawn the key while the signature was checked.
  if (!keys.holds(key) && (await findKey(keys, header)).fingerprint !== key.fingerprint) {
    throw refuse("key", "the key was withdrawn");
  }
  return { claims, key, keyId: key.keyId ?? header.keyId };
}

async function findKey(keys: KeySource, { algorithm, keyId }: TokenHeader): Promise<VerificationKey> {
  let key: VerificationKey | undefined;
  try {
    key = await keys.find({ algorithm, keyId });
  } catch (cause) {
    if (cause instanceof HubwardError && cause.reason === "auth_unavailable") throw cause;
    throw new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause });
  }
  if (!(key instanceof VerificationKey)) throw refuse("key", "no key of the issuer fits");
  return key;
}

async function verifySignature(token: string, key: VerificationKey): Promise<Uint8Array> {
  try {
    // The key's own algorithm, not the header's: one algorithm per key, even if a source hands out the wrong one.
    const { payload } = await compactVerify(token, await key.cryptoKey(), { algorithms: [key.algorithm] });
    return payload;
  } catch (cause) {
    // Other messages of jose may quote the header, so they are not passed on.
    if (cause instanceof errors.JWSSignatureVerificationFailed) {
      throw refuse("signature", "the signature is wrong", cause);
    }
    if (cause instanceof errors.JOSEError) throw refuse("malformed", "the token is malformed");
    throw new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause });
  }
}

function inspect<T>(fault: SignedTokenFault, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof HubwardError) faults.set(error, fault);
    throw error;
  }
}

function refuse(fault: SignedTokenFault, why: string, cause?: Error): HubwardError {
  const error = refuseToken(why, cause);
  faults.set(error, fault);
  return error;
}
