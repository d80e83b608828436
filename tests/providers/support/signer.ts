/** One signing key of an issuer, with a name, and the tokens it signs. */

import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { SignJWT, type JWTPayload } from "jose";
import type { Clock } from "@hubward/server/ports";

export interface Signer {
  readonly keyId: string;
  /** What the issuer publishes. */
  readonly jwk: { readonly kty: string; readonly kid: string };
  readonly privateKey: KeyObject;
  /** An access token of five minutes; `patch` changes its claims (undefined takes one away), `header` its header. */
  token(patch?: object, header?: Readonly<Record<string, unknown>>): Promise<string>;
}

export interface SignerOptions {
  readonly issuer: string;
  readonly audience?: string | undefined;
  readonly clock: Pick<Clock, "now">;
}

let issued = 0;

export function createSigner(keyId: string, { issuer, audience = "hub", clock }: SignerOptions): Signer {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    keyId,
    jwk: { ...(publicKey.export({ format: "jwk" }) as { kty: string }), kid: keyId },
    privateKey,
    token(patch = {}, header = {}) {
      const now = Math.floor(clock.now() / 1000);
      const claims = { iss: issuer, aud: audience, sub: "alice", iat: now, exp: now + 300, jti: `t-${++issued}` };
      return new SignJWT({ ...claims, ...patch } as JWTPayload)
        .setProtectedHeader({ typ: "at+jwt", kid: keyId, ...header, alg: "ES256" })
        .sign(privateKey);
    },
  };
}
