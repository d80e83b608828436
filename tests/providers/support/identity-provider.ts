/** A real OpenID provider (oidc-provider) on loopback, whose keys can be changed and which can fall silent. */

import { generateKeyPairSync } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import Provider, { type Configuration, type JWK } from "oidc-provider";
import { onTestFinished } from "vitest";
import { shut } from "../../support/server.js";
import { createProviderStorage } from "./provider-storage.js";

export const CLIENT_ID = "clinic-page";
/** The hub, as a client that may ask about tokens. */
export const HUB_CLIENT = { id: "hub", secret: "the hub's own, as long as a secret should be" } as const;
export const REDIRECT_URI = "http://127.0.0.1/signed-in";
/** Who signs in, said by the simulated browser in place of a password. */
export const PERSON_HEADER = "x-person";

export interface IdentityProvider {
  readonly issuer: string;
  /** Paths of the requests for keys and metadata that arrived. */
  readonly keyRequests: readonly string[];
  /** Signs with a new key from now on. The one before stays published if `keepsOld`. */
  rotate(keyId: string, options: { readonly keepsOld: boolean }): void;
  /** What metadata and keys answer instead; undefined mends it. Signing in goes on, as from another site. */
  failKeys(listener: ((request: IncomingMessage, response: ServerResponse) => void) | undefined): void;
}

export interface IdentityProviderOptions {
  /** Default `jwt`: `at+jwt` (RFC 9068). */
  readonly accessTokenFormat?: "jwt" | "opaque" | undefined;
  /** How the hub shows that it is itself. Default `client_secret_basic`. */
  readonly hubClientMethod?: "client_secret_basic" | "client_secret_post" | undefined;
  /** Where the page's back-channel logouts are sent. Default nowhere. */
  readonly logoutUri?: string | undefined;
}

/** @param audience the one resource it issues access tokens for, of five minutes */
export async function startIdentityProvider(
  audience: string,
  options: IdentityProviderOptions = {},
): Promise<IdentityProvider> {
  const keyRequests: string[] = [];
  let failing: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  let signing = createKey("key-1");
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    if (path === "/jwks" || path.startsWith("/.well-known/")) {
      keyRequests.push(path);
      if (failing !== undefined) return failing(request, response);
    }
    if (path.startsWith("/interaction/")) return void logIn(request, response);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => shut(server));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const adapter = createProviderStorage();
  const build = (keys: readonly JWK[]): Provider =>
    new Provider(issuer, { ...configure(keys, audience, options), adapter });
  let provider = build([signing]);
  let answer = provider.callback();

  async function logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const accountId = String(request.headers[PERSON_HEADER]);
    await provider.interactionFinished(request, response, { login: { accountId }, consent: {} });
  }

  return {
    issuer,
    keyRequests,
    rotate(keyId, { keepsOld }) {
      const old = signing;
      signing = createKey(keyId);
      // Another instance behind the same address, with the same storage: sessions and refresh tokens live on.
      provider = build(keepsOld ? [signing, old] : [signing]);
      answer = provider.callback();
    },
    failKeys: (listener) => (failing = listener),
  };
}

function createKey(kid: string): JWK {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { ...(privateKey.export({ format: "jwk" }) as JWK), kid, alg: "ES256", use: "sig" };
}

function configure(
  keys: readonly JWK[],
  audience: string,
  { accessTokenFormat = "jwt", logoutUri, hubClientMethod = "client_secret_basic" }: IdentityProviderOptions,
): Configuration {
  return {
    jwks: { keys: [...keys] },
    clients: [
      {
        client_id: CLIENT_ID,
        token_endpoint_auth_method: "none",
        application_type: "native",
        redirect_uris: [REDIRECT_URI],
        grant_types: ["authorization_code", "refresh_token"],
        id_token_signed_response_alg: "ES256",
        ...(logoutUri === undefined
          ? {}
          : { backchannel_logout_uri: logoutUri, backchannel_logout_session_required: true }),
      },
      {
        client_id: HUB_CLIENT.id,
        client_secret: HUB_CLIENT.secret,
        token_endpoint_auth_method: hubClientMethod,
        redirect_uris: [],
        response_types: [],
        grant_types: [],
        id_token_signed_response_alg: "ES256",
      },
    ],
    cookies: { keys: ["a key for tests"] },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_context, client) => client.clientId === HUB_CLIENT.id },
      revocation: { enabled: true, allowedPolicy: (_context, client, token) => client.clientId === token.clientId },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource(context, form) {
          context.body = form;
        },
      },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, resource) => ({
          scope: "hub",
          audience: resource === audience ? audience : "https://other.example/",
          accessTokenTTL: 300,
          accessTokenFormat,
          jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
    ttl: {
      AccessToken: 300,
      AuthorizationCode: 60,
      Grant: 3600,
      IdToken: 300,
      Interaction: 60,
      RefreshToken: 3600,
      Session: 3600,
    },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    extraTokenClaims: (_context, token) =>
      "accountId" in token
        ? { roles: [token.accountId === "ada" ? "doctor" : "nurse"], ...("sid" in token ? { sid: token.sid } : {}) }
        : undefined,
    // Without its own dispatcher, which refuses loopback addresses.
    fetch: (address, init = {}) =>
      fetch(address, Object.fromEntries(Object.entries(init).filter(([name]) => name !== "dispatcher"))),
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({ clientId: oidc.client?.clientId, accountId: oidc.session?.accountId });
      grant.addOIDCScope("openid offline_access");
      const { resource } = oidc.params ?? {};
      if (typeof resource === "string") grant.addResourceScope(resource, "hub");
      await grant.save();
      return grant;
    },
    renderError(context, out) {
      context.body = JSON.stringify(out);
    },
  };
}
