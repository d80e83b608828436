import { SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { HubwardError } from "@hubward/wire";
import { createFakeClock } from "../../../../../tests/support/fake-clock.js";
import { provider, startKeyServer } from "../../../../../tests/providers/support/key-server.js";
import { createSigner, type Signer } from "../../../../../tests/providers/support/signer.js";
import type { BearerCredential } from "../../core/auth/credential.js";
import { Secret } from "../../core/auth/secret.js";
import { auth0, cognito, entra, jwt, keycloak, publicKey, type ProviderRules } from "./index.js";

const bearer = (token: string): BearerCredential => ({ kind: "bearer", token: new Secret(token), source: "header" });
const clock = createFakeClock();
const now = Math.floor(clock.now() / 1000);

/** What an authenticator of these rules says to a token with this header and these claims. */
async function verdictOn(rules: ProviderRules, key: Signer, header: object, claims: object): Promise<string> {
  const authenticator = jwt({ ...rules, keys: publicKey(key.jwk), clock });
  const token = await new SignJWT({ iss: rules.issuer, sub: "alice", iat: now, exp: now + 300, ...claims })
    .setProtectedHeader({ ...header, alg: "ES256", kid: key.keyId })
    .sign(key.privateKey);
  try {
    await authenticator.authenticate(bearer(token));
  } catch (error) {
    if (error instanceof HubwardError) return error.reason;
    throw error;
  }
  return "accepted";
}

const keyOf = (issuer: string): Signer => createSigner("1234example=", { issuer, clock });

describe("Amazon Cognito", () => {
  const issuer = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI";
  const rules = cognito({ issuer, clientIds: ["web", "mobile"] });
  const access = { token_use: "access", client_id: "web", scope: "openid", "cognito:groups": ["nurses"] };
  const verdict = (claims: object, header: object = {}): Promise<string> =>
    verdictOn(rules, keyOf(issuer), header, claims);

  test("access tokens of its clients are accepted, without typ and without aud", async () => {
    expect(await verdict(access)).toBe("accepted");
    expect(await verdict({ ...access, client_id: "mobile" })).toBe("accepted");
  });

  test.each([
    ["an ID token", { token_use: "id", aud: "web", client_id: undefined }],
    ["an ID token dressed up", { token_use: "id" }],
    ["a token of another client", { client_id: "other" }],
    ["a token of no client", { client_id: undefined }],
    ["a token of several clients", { client_id: ["web"] }],
    ["a token that names its client elsewhere", { client_id: undefined, azp: "web" }],
    ["a token that does not say its use", { token_use: undefined }],
    ["a token for somebody else", { aud: "https://other.example/" }],
    ["a token for a client by name", { aud: "web" }],
    ["a token of another pool", { iss: `${issuer}X` }],
  ])("%s is refused", async (_what, claims) => {
    expect(await verdict({ ...access, ...claims })).toBe("invalid_token");
  });

  test("where it does write an aud, that is checked in place of the client", async () => {
    const bound = { ...rules, audience: "https://hub.example/" };
    const key = keyOf(issuer);
    expect(await verdictOn(bound, key, {}, { ...access, aud: "https://hub.example/" })).toBe("accepted");
    expect(await verdictOn(bound, key, {}, access)).toBe("invalid_token");
    expect(await verdictOn(bound, key, {}, { ...access, aud: "https://hub.example/", token_use: "id" })).toBe(
      "invalid_token",
    );
  });
});

describe("Microsoft Entra ID", () => {
  const tenantId = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
  const issuer = `https://login.microsoftonline.com/${tenantId}/v2.0`;
  const rules = entra({ issuer, audience: "00001111-aaaa-2222-bbbb-3333cccc4444" });
  const access = { aud: "00001111-aaaa-2222-bbbb-3333cccc4444", ver: "2.0", scp: "access_as_user" };
  const verdict = (claims: object, header: object = { typ: "JWT" }): Promise<string> =>
    verdictOn(rules, keyOf(issuer), header, claims);

  test("version 2 access tokens of people are accepted", async () => {
    expect(await verdict(access)).toBe("accepted");
  });

  test.each([
    ["an ID token, even one for the same audience", { scp: undefined }],
    ["a version 1 token", { ver: "1.0" }],
    [
      "a token of another tenant",
      { iss: "https://login.microsoftonline.com/ffffffff-0000-cccc-1111-dddd2222eeee/v2.0" },
    ],
    ["a token for another audience", { aud: "api://other" }],
    ["a token of a daemon, which has no scope", { scp: undefined, roles: ["Reader"], idtyp: "app" }],
  ])("%s is refused", async (_what, claims) => {
    expect(await verdict({ ...access, ...claims })).toBe("invalid_token");
  });

  test.each([
    "https://login.microsoftonline.com/common/v2.0",
    "https://login.microsoftonline.com/organizations/v2.0",
    "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0",
    `https://sts.windows.net/${tenantId}/`,
    `${issuer}/`,
    `http://login.microsoftonline.com/${tenantId}/v2.0`,
  ])("%s is no issuer of version 2 tokens", (wrong) => {
    expect(() => entra({ issuer: wrong, audience: "hub" })).toThrow(RangeError);
  });
});

describe("Keycloak", () => {
  const access = { typ: "Bearer", azp: "spa", aud: ["hub", "account"] };

  test("access tokens are accepted with the header of either setting; ID and refresh tokens are not", async () => {
    const issuer = "https://id.example/realms/clinic";
    const rules = keycloak({ issuer, audience: "hub" });
    const key = keyOf(issuer);
    expect(await verdictOn(rules, key, { typ: "JWT" }, access)).toBe("accepted");
    expect(await verdictOn(rules, key, { typ: "at+jwt" }, access)).toBe("accepted");
    for (const typ of ["ID", "Refresh", "Offline", "Logout", undefined]) {
      expect(await verdictOn(rules, key, { typ: "JWT" }, { ...access, typ })).toBe("invalid_token");
    }
    expect(await verdictOn(rules, key, { typ: "JWT" }, { ...access, aud: "account" })).toBe("invalid_token");
    expect(await verdictOn(rules, key, {}, access)).toBe("invalid_token");
  });

  test("finds its keys by discovery, and takes the options of one", async () => {
    const server = await startKeyServer(() => undefined);
    const issuer = `${server.origin}/realms/clinic`;
    const key = keyOf(issuer);
    server.answer = provider(issuer, () => [key.jwk]);
    const authenticator = jwt({
      ...keycloak({ issuer, audience: "hub" }, { allowLoopbackHttp: true, clock }),
      maxTokenAgeSeconds: 600,
      clock,
    });
    const token = await key.token({ ...access }, { typ: "JWT" });
    expect(await authenticator.authenticate(bearer(token))).toMatchObject({ subject: "alice", clientId: "spa" });
    expect(server.requests.items[0]).toBe("GET /realms/clinic/.well-known/openid-configuration");
  });
});

describe("Auth0", () => {
  const issuer = "https://tenant.eu.auth0.com/";

  test("tokens of either profile are accepted for the API's identifier", async () => {
    const rules = auth0({ issuer, audience: "https://hub.example/" });
    const aud = ["https://hub.example/", `${issuer}userinfo`];
    expect(await verdictOn(rules, keyOf(issuer), { typ: "JWT" }, { aud, azp: "spa" })).toBe("accepted");
    expect(await verdictOn(rules, keyOf(issuer), { typ: "at+jwt" }, { aud, client_id: "spa" })).toBe("accepted");
    expect(await verdictOn(rules, keyOf(issuer), { typ: "JWT" }, { aud: "spa" }), "an ID token").toBe("invalid_token");
  });

  test("an issuer without its slash is a mistake that is told", () => {
    expect(() => auth0({ issuer: "https://tenant.eu.auth0.com", audience: "hub" })).toThrow(RangeError);
  });
});
