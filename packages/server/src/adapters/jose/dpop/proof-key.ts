/** The public key that a proof brings along. Whoever sends it chose it: it proves nothing but that he holds it. */

import { createHash, type KeyObject } from "node:crypto";
import type { Algorithm } from "../algorithms.js";
import { holdsSecret, readPublicKey, type Jwk } from "../public-key.js";
import { refuseToken } from "../refuse-token.js";
import { VerificationKey } from "../verification-key.js";

export interface ProofKey {
  readonly key: VerificationKey;
  /** RFC 7638 with SHA-256, of the key as we write it: one key has one, however its members were spelt. */
  readonly thumbprint: string;
}

/** A stranger's key makes us work: RSA beyond these costs many times as much, and nobody needs it. */
const MAX_RSA_BITS = 4096;
const MAX_RSA_EXPONENT = 2n ** 32n;

/** @throws HubwardError `invalid_token` when it is no public key, holds a secret, or is of another algorithm */
export function readProofKey(jwk: unknown, algorithm: Algorithm): ProofKey {
  if (typeof jwk !== "object" || jwk === null || Array.isArray(jwk)) throw refuseToken("the proof brings no key");
  if (holdsSecret(jwk as Jwk)) throw refuseToken("the proof gives away a secret key");
  let keyObject: KeyObject;
  let key: VerificationKey;
  try {
    keyObject = readPublicKey(jwk as Jwk);
    assertAffordable(keyObject);
    key = VerificationKey.fromPublicKey(keyObject);
  } catch {
    throw refuseToken("the key is none that could be used");
  }
  if (key.algorithm !== algorithm) throw refuseToken("the key is of another algorithm");
  return { key, thumbprint: thumbprintOf(keyObject) };
}

function assertAffordable({ asymmetricKeyDetails: details = {} }: KeyObject): void {
  if ((details.modulusLength ?? 0) > MAX_RSA_BITS || (details.publicExponent ?? 0n) > MAX_RSA_EXPONENT) {
    throw new RangeError("this RSA key is too large");
  }
}

/** RFC 7638 3: the required members in the order of their names, without white space. */
function thumbprintOf(key: KeyObject): string {
  const { crv, e, kty, n, x, y } = key.export({ format: "jwk" });
  // Those of other kinds of keys are undefined, which JSON leaves out.
  return createHash("sha256").update(JSON.stringify({ crv, e, kty, n, x, y })).digest("base64url");
}
