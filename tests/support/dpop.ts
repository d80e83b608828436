/** Clients that hold a key: the proofs they make (RFC 9449), good or spoilt on purpose. */

import { hashToken } from "@hubward/server/jose";
import type { Clock } from "@hubward/server/ports";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from "jose";

export interface ProofTerms {
  readonly url: string;
  readonly token: string;
  /** Default POST. */
  readonly method?: string | undefined;
  readonly nonce?: string | undefined;
  /** In place of what is in a good proof. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

export interface DpopKey {
  /** The key's thumbprint. */
  readonly jkt: string;
  prove(terms: ProofTerms): Promise<string>;
}

let made = 0;

export async function createDpopKey(clock: Pick<Clock, "now">): Promise<DpopKey> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = await exportJWK(publicKey);
  return {
    jkt: await calculateJwkThumbprint(jwk),
    prove({ url, token, method = "POST", nonce, claims = {} }) {
      const iat = Math.floor(clock.now() / 1000);
      const good = { jti: `proof-${++made}`, htm: method, htu: url, iat, ath: hashToken(token) };
      const asked = nonce === undefined ? {} : { nonce };
      return new SignJWT({ ...good, ...asked, ...claims })
        .setProtectedHeader({ typ: "dpop+jwt", alg: "ES256", jwk })
        .sign(privateKey);
    },
  };
}
