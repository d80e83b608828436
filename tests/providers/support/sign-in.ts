/** A person's browser and the page's OAuth client: authorization code with PKCE, by `openid-client`. */

import * as oauth from "openid-client";
import { CLIENT_ID, PERSON_HEADER, REDIRECT_URI } from "./identity-provider.js";

export interface SignedIn {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly idToken: string;
}

export interface SignInClient {
  signIn(person: string, resource: string): Promise<SignedIn>;
  /** @throws when the provider refuses, as it does for a spent refresh token */
  refresh(refreshToken: string): Promise<SignedIn>;
}

export async function createSignInClient(issuer: string): Promise<SignInClient> {
  const configuration = await oauth.discovery(new URL(issuer), CLIENT_ID, undefined, oauth.None(), {
    execute: [oauth.allowInsecureRequests],
  });
  return {
    async signIn(person, resource) {
      const pkceCodeVerifier = oauth.randomPKCECodeVerifier();
      const expectedState = oauth.randomState();
      const address = oauth.buildAuthorizationUrl(configuration, {
        redirect_uri: REDIRECT_URI,
        scope: "openid offline_access hub",
        prompt: "consent",
        resource,
        state: expectedState,
        code_challenge: await oauth.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: "S256",
      });
      const callback = await browse(address, person);
      return read(await oauth.authorizationCodeGrant(configuration, callback, { pkceCodeVerifier, expectedState }));
    },
    refresh: async (refreshToken) => read(await oauth.refreshTokenGrant(configuration, refreshToken)),
  };
}

/** Follows redirects with cookies, as a browser would, until they lead back to the application. */
async function browse(start: URL, person: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let address = start;
  for (let step = 0; step < 10; step++) {
    if (address.href.startsWith(REDIRECT_URI)) return address;
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(address, { redirect: "manual", headers: { cookie, [PERSON_HEADER]: person } });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (location === null) throw new Error(`the provider answered ${response.status}: ${await response.text()}`);
    address = new URL(location, address);
  }
  throw new Error("the provider redirects without end");
}

function read(tokens: oauth.TokenEndpointResponse): SignedIn {
  const { access_token: accessToken, refresh_token: refreshToken, id_token: idToken } = tokens;
  if (refreshToken === undefined || idToken === undefined) throw new Error("a token is missing");
  return { accessToken, refreshToken, idToken };
}
