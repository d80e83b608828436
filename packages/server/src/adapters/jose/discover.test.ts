import type { RequestListener } from "node:http";
import { describe, expect, test } from "vitest";
import { HubwardError } from "@hubward/wire";
import { certificate } from "../../../../../tests/support/certificate.js";
import { createFakeClock, type FakeClock } from "../../../../../tests/support/fake-clock.js";
import { faults, json, provider, startKeyServer } from "../../../../../tests/providers/support/key-server.js";
import { createSigner, type Signer } from "../../../../../tests/providers/support/signer.js";
import type { BearerCredential } from "../../core/auth/credential.js";
import { Secret } from "../../core/auth/secret.js";
import { discover, jwt, type RemoteKeyOptions } from "./index.js";

const bearer = (token: string): BearerCredential => ({ kind: "bearer", token: new Secret(token), source: "header" });

interface Setting {
  readonly issuer: string;
  readonly key: Signer;
  readonly requests: readonly string[];
  readonly clock: FakeClock;
  answer(listener: RequestListener): void;
  arrived(count: number): Promise<unknown>;
  verdict(token?: string): Promise<string>;
}

async function setUp(path = "", options: RemoteKeyOptions = {}): Promise<Setting> {
  const clock = createFakeClock();
  const server = await startKeyServer(json({}));
  const issuer = `${server.origin}${path}`;
  const key = createSigner("a", { issuer, clock });
  server.answer = provider(issuer, () => [key.jwk]);
  const keys = discover(issuer, { clock, allowLoopbackHttp: true, ...options });
  const authenticator = jwt({ issuer, audience: "hub", keys, clock });
  return {
    issuer,
    key,
    requests: server.requests.items,
    clock,
    answer: (listener) => (server.answer = listener),
    arrived: (count) => server.requests.take(count),
    verdict: async (token) => {
      try {
        await authenticator.authenticate(bearer(token ?? (await key.token())));
      } catch (error) {
        if (error instanceof HubwardError) return error.message;
        throw error;
      }
      return "accepted";
    },
  };
}

const UNAVAILABLE = "auth_unavailable;action=retry-after;retry_after=1";

describe("OpenID Connect Discovery: keys by the issuer alone", () => {
  test("the metadata first, then the keys it names; nothing before the first token", async () => {
    const { requests, verdict } = await setUp("/realms/a");
    expect(requests).toEqual([]);
    expect(await verdict()).toBe("accepted");
    expect(await verdict()).toBe("accepted");
    expect(requests).toEqual(["GET /realms/a/.well-known/openid-configuration", "GET /realms/a/jwks"]);
  });

  test("an issuer with a closing slash is asked for once, and compared with it", async () => {
    const { issuer, requests, verdict, answer, key } = await setUp("/tenant/");
    answer(provider(issuer, () => [key.jwk], { jwks_uri: `${issuer}keys` }));
    expect(await verdict()).toBe("accepted");
    expect(requests).toEqual(["GET /tenant/.well-known/openid-configuration", "GET /tenant/keys"]);
  });

  test("a provider that is down at the start stops nothing, and is asked again later", async () => {
    const { answer, verdict, clock, issuer, key } = await setUp();
    answer(faults["answers 500"]!.answer);
    expect(await verdict()).toBe(UNAVAILABLE);
    answer(provider(issuer, () => [key.jwk]));
    expect(await verdict(), "in the pause").toBe(UNAVAILABLE);
    clock.advance(1000);
    expect(await verdict()).toBe("accepted");
  });

  test("over https, keys included", async () => {
    const clock = createFakeClock();
    const server = await startKeyServer(json({}), { tls: true });
    const key = createSigner("a", { issuer: server.origin, clock });
    server.answer = provider(server.origin, () => [key.jwk]);
    const keys = discover(server.origin, { clock, ca: certificate });
    const authenticator = jwt({ issuer: server.origin, audience: "hub", keys, clock });
    expect(await authenticator.authenticate(bearer(await key.token()))).toMatchObject({ issuer: server.origin });
  });
});

describe("metadata that is not believed", () => {
  test.each<[string, (issuer: string) => object]>([
    ["of another issuer", () => ({ issuer: "https://other.example" })],
    ["of an issuer that differs by a slash", (issuer) => ({ issuer: `${issuer}/` })],
    ["of an issuer that differs by case", (issuer) => ({ issuer: issuer.toUpperCase() })],
    ["of an issuer that is a template", () => ({ issuer: "https://login.example/{tenantid}/v2.0" })],
    ["of no issuer", () => ({ issuer: undefined })],
    ["without keys", () => ({ jwks_uri: undefined })],
    ["with keys that are no address", () => ({ jwks_uri: 1 })],
    ["with keys over http elsewhere", () => ({ jwks_uri: "http://example.com/jwks" })],
    ["with keys in a file", () => ({ jwks_uri: "file:///etc/passwd" })],
    ["with keys inside the address", () => ({ jwks_uri: 'data:,{"keys":[]}' })],
    ["with credentials in the address", (issuer) => ({ jwks_uri: issuer.replace("//", "//user:password@") })],
  ])("%s", async (_what, members) => {
    const { answer, issuer, key, verdict, requests } = await setUp();
    answer(provider(issuer, () => [key.jwk], members(issuer)));
    expect(await verdict()).toBe(UNAVAILABLE);
    expect(requests).toEqual(["GET /.well-known/openid-configuration"]);
  });

  test("http keys of this machine are refused where the metadata came over https without leave for them", async () => {
    const clock = createFakeClock();
    const plain = await startKeyServer(json({ keys: [] }));
    const server = await startKeyServer(json({}), { tls: true });
    const key = createSigner("a", { issuer: server.origin, clock });
    server.answer = provider(server.origin, () => [key.jwk], { jwks_uri: `${plain.origin}/jwks` });
    const keys = discover(server.origin, { clock, ca: certificate });
    const authenticator = jwt({ issuer: server.origin, audience: "hub", keys, clock });
    await expect(authenticator.authenticate(bearer(await key.token()))).rejects.toMatchObject({
      reason: "auth_unavailable",
    });
    expect(plain.requests.items).toEqual([]);
  });

  test.each(Object.entries(faults))("from a provider that %s", async (_what, fault) => {
    const { answer, verdict, clock, arrived } = await setUp();
    answer(fault.answer);
    const waiting = verdict();
    await arrived(1);
    if (fault.lasts) clock.advance(3000);
    expect(await waiting).toBe(UNAVAILABLE);
  });

  test("the time is one for both: good metadata does not buy the keys more of it", async () => {
    const { answer, issuer, verdict, clock, arrived } = await setUp();
    answer((request, response) => {
      if (request.url === "/jwks") return;
      clock.advance(2000);
      provider(issuer, () => [])(request, response);
    });
    const waiting = verdict();
    await arrived(2);
    clock.advance(1000);
    expect(await waiting).toBe(UNAVAILABLE);
  });
});

describe("keys that say whose they are", () => {
  const tenant = "/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0";

  test.each<[string, (issuer: string, origin: string) => unknown]>([
    ["nobody's in particular", () => undefined],
    ["ours", (issuer) => issuer],
    ["every tenant's, ours included", (_issuer, origin) => `${origin}/{tenantid}/v2.0`],
  ])("count where they are %s", async (_what, name) => {
    const { answer, issuer, key, verdict } = await setUp(tenant);
    const named = name(issuer, new URL(issuer).origin);
    answer(provider(issuer, () => [named === undefined ? key.jwk : { ...key.jwk, issuer: named }]));
    expect(await verdict()).toBe("accepted");
  });

  test.each<[string, (issuer: string, origin: string) => unknown]>([
    ["another tenant's", (_issuer, origin) => `${origin}/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0`],
    ["every tenant's of another version", (_issuer, origin) => `${origin}/{tenantid}/`],
    ["every tenant's elsewhere", () => "https://login.example/{tenantid}/v2.0"],
    ["a template's that reaches across segments", (_issuer, origin) => `${origin}/{tenantid}.0`],
    ["a template's without a tenant", (issuer) => `${issuer}{tenantid}`],
    ["a template's that overlaps itself", (issuer) => `${issuer.slice(0, -2)}{tenantid}${issuer.slice(-4)}`],
    ["no text's", () => null],
  ])("do not count where they are %s", async (_what, name) => {
    const { answer, issuer, key, verdict, clock } = await setUp(tenant);
    const other = createSigner("other", { issuer, clock });
    answer(provider(issuer, () => [{ ...key.jwk, issuer: name(issuer, new URL(issuer).origin) }, other.jwk]));
    expect(await verdict(await other.token())).toBe("accepted");
    expect(await verdict()).toBe("invalid_token;action=relogin");
  });
});

describe("what is pinned", () => {
  test("the source is bound to its issuer", () => {
    const keys = discover("https://a.example");
    expect(() => jwt({ issuer: "https://b.example", audience: "hub", keys })).toThrow(TypeError);
    expect(() => jwt({ issuer: "https://a.example/", audience: "hub", keys })).toThrow(TypeError);
    expect(jwt({ issuer: "https://a.example", audience: "hub", keys }).issuer).toBe("https://a.example");
  });

  test("algorithms come from us, whatever the metadata supports", async () => {
    const { answer, issuer, key, verdict } = await setUp("", { algorithms: ["EdDSA"] });
    const supported = { id_token_signing_alg_values_supported: ["ES256", "HS256", "none"] };
    answer(provider(issuer, () => [key.jwk], supported));
    expect(discover("https://a.example").algorithms).toEqual(["RS256", "ES256", "EdDSA"]);
    expect(await verdict()).toBe("invalid_token;action=relogin");
  });

  test.each(["http://login.example.com", "https://u:p@a.example", "https://a.example?x", "login.example.com"])(
    "%s is refused at once",
    (issuer) => {
      expect(() => discover(issuer)).toThrow(TypeError);
    },
  );
});
