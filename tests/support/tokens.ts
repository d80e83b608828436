/** An identity provider for tests: real ES256 access tokens, and the authenticator that trusts them. */

import { jwt, publicKey, type Jwk, type JwtAuthenticator } from "@hubward/server/jose";
import type { Clock } from "@hubward/server/ports";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

export const ISSUER = "https://login.hubward.test/";
export const AUDIENCE = "https://hub.hubward.test/";

export interface TokenOptions {
  readonly roles?: readonly string[] | undefined;
  /** Seconds from now, default 300; null for a token without an end. */
  readonly lifetime?: number | null | undefined;
  /** Seconds the token was issued ago, default 0. */
  readonly age?: number | undefined;
  /** Further claims: `sid`, `tid`, `client_id`, whatever a test needs. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

export interface TestIssuer {
  readonly authenticator: JwtAuthenticator;
  token(subject: string, options?: TokenOptions): Promise<string>;
}

/** The public key, for a server that is a process of its own. */
export async function verifyingJwk(): Promise<Jwk> {
  return { ...(await exportJWK((await keys).publicKey)), kty: "EC", kid: "test-key" };
}

const keys = generateKeyPair("ES256", { extractable: true });
let issued = 0;

export async function createIssuer(
  clock: Pick<Clock, "now">,
  { tenantClaim, issuer = ISSUER }: { readonly tenantClaim?: string | undefined; readonly issuer?: string } = {},
): Promise<TestIssuer> {
  const { privateKey } = await keys;
  const jwk = await verifyingJwk();
  return {
    authenticator: jwt({ issuer, audience: AUDIENCE, keys: publicKey(jwk), tenantClaim, clock }),
    token(subject, { roles = [], lifetime = 300, age = 0, claims = {} } = {}) {
      const now = Math.floor(clock.now() / 1000);
      const unsigned = new SignJWT({ roles, client_id: "tests", ...claims })
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: "test-key" })
        .setIssuer(issuer)
        .setAudience(AUDIENCE)
        .setSubject(subject)
        .setIssuedAt(now - age)
        .setJti(`token-${++issued}`);
      return (lifetime === null ? unsigned : unsigned.setExpirationTime(now + lifetime)).sign(privateKey);
    },
  };
}

/** Whether a text holds a JWT: three base64url parts, the first two JSON objects. */
export function holdsJwt(text: string): boolean {
  return /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/.test(decodeAll(text));
}

/** Whether a text holds a ticket of ours. */
export function holdsTicket(text: string): boolean {
  return /hwt_[\w-]{20,}/.test(decodeAll(text));
}

/** The text and what it says percent-decoded, one after the other. */
function decodeAll(text: string): string {
  return `${text}\n${text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))}`;
}
