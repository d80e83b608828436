/** An authenticator whose keys come from a key server, with the time of both in a test's hands. */

import { HubwardError } from "@hubward/wire";
import { jwks, jwt, type JwtAuthenticator, type RemoteKeyOptions } from "@hubward/server/jose";
import { Secret, type BearerCredential } from "@hubward/server/ports";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.js";
import { json, startKeyServer, type KeyServer } from "./key-server.js";
import { createSigner, type Signer } from "./signer.js";

export const issuer = "https://issuer.example/";
export const UNAVAILABLE: RegExp = /^auth_unavailable;action=retry-after;retry_after=\d+$/;
export const INVALID = "invalid_token;action=relogin";

export const bearer = (token: string): BearerCredential => ({
  kind: "bearer",
  token: new Secret(token),
  source: "header",
});

export interface KeySetting {
  readonly server: KeyServer;
  readonly clock: FakeClock;
  readonly authenticator: JwtAuthenticator;
  readonly failures: Error[];
  signer(keyId: string): Signer;
  /** Publishes these keys from now on. */
  publish(...signers: readonly Signer[]): void;
  /** `accepted`, or how the token was refused. */
  verdict(token: string): Promise<string>;
}

export async function setUpKeys(options: RemoteKeyOptions = {}): Promise<KeySetting> {
  const clock = createFakeClock();
  const failures: Error[] = [];
  const server = await startKeyServer(json({ keys: [] }));
  const keys = jwks(`${server.origin}/jwks`, {
    clock,
    allowLoopbackHttp: true,
    onFailure: (error) => failures.push(error),
    ...options,
  });
  const authenticator = jwt({ issuer, audience: "hub", keys, clock });
  return {
    server,
    clock,
    authenticator,
    failures,
    signer: (keyId) => createSigner(keyId, { issuer, clock }),
    publish: (...signers) => (server.answer = json({ keys: signers.map(({ jwk }) => jwk) })),
    async verdict(token) {
      try {
        await authenticator.authenticate(bearer(token));
      } catch (error) {
        if (error instanceof HubwardError) return error.message;
        throw error;
      }
      return "accepted";
    },
  };
}
