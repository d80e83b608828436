/** A person's browser and the page's OAuth client: authorization code with PKCE, by `openid-client`. */

import * as oauth from "openid-client";
import { CLIENT_ID, PERSON_HEADER, REDIRECT_URI } from "./identity-provider.js";

export interface SignedIn {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly idToken: string;
}

export interface SignedInBrowser extends SignedIn {
  /** Signs out at the provider, in the browser that signed in; resolves when the provider says that it is done. */
  signOut(): Promise<void>;
}

export interface SignInClient {
  signIn(person: string, resource: string): Promise<SignedInBrowser>;
  /** Takes a token back at the provider (RFC 7009). */
  revoke(token: string): Promise<void>;
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
      const cookies: Cookies = new Map();
      const callback = await browse(address, person, cookies);
      const tokens = read(
        await oauth.authorizationCodeGrant(configuration, callback, { pkceCodeVerifier, expectedState }),
      );
      const goodbye = oauth.buildEndSessionUrl(configuration, { id_token_hint: tokens.idToken });
      return { ...tokens, signOut: () => confirm(goodbye, cookies) };
    },
    revoke: (token) => oauth.tokenRevocation(configuration, token),
    refresh: async (refreshToken) => read(await oauth.refreshTokenGrant(configuration, refreshToken)),
  };
}

type Cookies = Map<string, string>;

/** Follows redirects with cookies, as a browser would, until they lead back to the application. */
async function browse(start: URL, person: string, cookies: Cookies): Promise<URL> {
  let address = start;
  for (let step = 0; step < 10; step++) {
    if (address.href.startsWith(REDIRECT_URI)) return address;
    const response = await visit(address, cookies, { headers: { [PERSON_HEADER]: person } });
    const location = response.headers.get("location");
    if (location === null) throw new Error(`the provider answered ${response.status}: ${await response.text()}`);
    address = new URL(location, address);
  }
  throw new Error("the provider redirects without end");
}

/** Presses the button of the page that asks whether to sign out. */
async function confirm(page: URL, cookies: Cookies): Promise<void> {
  const asked = await visit(page, cookies);
  const form = await asked.text();
  const [, action = ""] = /action="([^"]+)"/.exec(form) ?? [];
  const [, xsrf = ""] = /name="xsrf" value="([^"]+)"/.exec(form) ?? [];
  const done = await visit(new URL(action), cookies, {
    method: "POST",
    body: new URLSearchParams({ xsrf, logout: "yes" }),
  });
  if (done.status >= 400) throw new Error(`the provider answered ${done.status}: ${await done.text()}`);
}

async function visit(
  address: URL,
  cookies: Cookies,
  { headers = {}, ...init }: { headers?: Record<string, string>; method?: string; body?: URLSearchParams } = {},
): Promise<Response> {
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  const response = await fetch(address, { redirect: "manual", headers: { ...headers, cookie }, ...init });
  for (const line of response.headers.getSetCookie()) {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    cookies.set(name, value);
  }
  return response;
}

function read(tokens: oauth.TokenEndpointResponse): SignedIn {
  const { access_token: accessToken, refresh_token: refreshToken, id_token: idToken } = tokens;
  if (refreshToken === undefined || idToken === undefined) throw new Error("a token is missing");
  return { accessToken, refreshToken, idToken };
}
