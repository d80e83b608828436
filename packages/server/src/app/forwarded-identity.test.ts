import { createFakeClock, testAuthentication } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import type { Authentication } from "../core/auth/authentication.js";
import type { Authenticator } from "../core/auth/authenticator.js";
import { Secret } from "../core/auth/secret.js";
import { HubwardError } from "../core/errors.js";
import type { ForwardedIdentityOptions } from "./forwarded-identity-options.js";
import { forwardedIdentity } from "./forwarded-identity.js";
import { forwardedToken } from "./forwarded-token.js";

const clock = createFakeClock();
const now = clock.now();
const seconds = (fromNow: number): string => String(Math.floor(now / 1000) + fromNow);
const issuer = "https://login.example/";
const anna = { "x-auth-subject": "anna", "x-auth-expires": seconds(60) };

/** What an authenticator makes of headers: the authentication, or the error's text. */
async function read(
  headers: Readonly<Record<string, string>>,
  options: Partial<ForwardedIdentityOptions> = {},
): Promise<Authentication | string> {
  const { forwarded } = forwardedIdentity({ issuer, clock, ...options });
  const secrets = new Map(Object.entries(headers).map(([name, value]) => [name, new Secret(value)]));
  try {
    return await forwarded!.authenticate(secrets);
  } catch (error) {
    if (error instanceof HubwardError) return error.message;
    throw error;
  }
}

const invalid = (detail: string): string => `invalid_token;action=relogin: forwarded identity: ${detail}`;

describe("an identity in a gateway's headers", () => {
  it("becomes an authentication that is frozen, issuer and all", async () => {
    const headers = {
      ...anna,
      "x-auth-session": "session-1",
      "x-auth-roles": "nurse, on call ,,",
      "x-tenant": "north",
      "x-department": "icu",
    };
    const options = { headers: { tenant: "X-Tenant" }, claims: { department: "X-Department" } };
    const authentication = await read(headers, options);
    expect(authentication).toEqual({
      tenant: "north",
      issuer,
      subject: "anna",
      clientId: undefined,
      sessionId: "session-1",
      tokenId: undefined,
      keyId: undefined,
      issuedAt: undefined,
      expiresAt: Number(seconds(60)) * 1000,
      claims: { roles: ["nurse", "on call"], department: "icu" },
    });
    const { claims } = authentication as Authentication;
    expect([authentication, claims, claims["roles"]].every((part) => Object.isFrozen(part))).toBe(true);
  });

  it("has claims without a prototype, whatever a claim is called", async () => {
    const authentication = await read({ ...anna, "x-odd": "1" }, { claims: { ["__proto__"]: "x-odd" } });
    const { claims } = authentication as Authentication;
    expect([Object.getPrototypeOf(claims), Object.keys(claims)]).toEqual([null, ["__proto__"]]);
  });

  it.each<[string, Record<string, string>, number | undefined, number]>([
    ["by its header", anna, undefined, 60_000],
    ["by its header where the configured life is longer", anna, 300, 60_000],
    ["by the configured life where its header says later", { ...anna, "x-auth-expires": seconds(900) }, 300, 300_000],
    ["by the configured life where nothing is said", { "x-auth-subject": "anna" }, 300, 300_000],
  ])("ends %s", async (_, headers, maxLifeSeconds, livesMs) => {
    const expected = maxLifeSeconds === undefined || livesMs === 60_000 ? Number(seconds(60)) * 1000 : now + livesMs;
    expect(await read(headers, { maxLifeSeconds })).toMatchObject({ expiresAt: expected });
  });

  it("that has ended is told apart from one that is wrong", async () => {
    const ended = { ...anna, "x-auth-expires": seconds(-1) };
    expect(await read(ended)).toBe("token_expired;action=refresh");
    expect(await read({ ...ended, "x-auth-subject": "" })).toContain("invalid_token");
  });

  it.each<[string, Record<string, string>, Partial<ForwardedIdentityOptions>, string]>([
    ["no end", { "x-auth-subject": "anna" }, {}, "the expiry is missing"],
    [
      "an end in milliseconds",
      { ...anna, "x-auth-expires": String(now) },
      {},
      "the expiry is not in seconds since 1970",
    ],
    ["an end in words", { ...anna, "x-auth-expires": "tomorrow" }, {}, "the expiry is not in seconds since 1970"],
    ["an end beyond all numbers", { ...anna, "x-auth-expires": "1e99" }, {}, "the expiry is not in seconds since 1970"],
    ["nobody", { "x-auth-expires": seconds(60) }, {}, "the subject is missing"],
    ["no tenant where one is due", anna, { headers: { tenant: "x-tenant" } }, "the tenant is missing"],
    ["no issuer where one is due", anna, { headers: { issuer: "x-issuer" } }, "the issuer is missing"],
    [
      "an issuer of nobody's",
      { ...anna, "x-issuer": "x" },
      { headers: { issuer: "x-issuer" } },
      "the issuer is none of ours",
    ],
    [
      "a subject beyond ASCII",
      { ...anna, "x-auth-subject": "änna" },
      {},
      "a value is not visible ASCII of reasonable length",
    ],
    [
      "a subject of spaces",
      { ...anna, "x-auth-subject": " " },
      {},
      "a value is not visible ASCII of reasonable length",
    ],
    [
      "a subject with a tab",
      { ...anna, "x-auth-subject": "a\tb" },
      {},
      "a value is not visible ASCII of reasonable length",
    ],
    [
      "a long subject",
      { ...anna, "x-auth-subject": "a".repeat(513) },
      {},
      "a value is not visible ASCII of reasonable length",
    ],
    [
      "endless roles",
      { ...anna, "x-auth-roles": "a,".repeat(3000) },
      {},
      "a value is not visible ASCII of reasonable length",
    ],
  ])("is refused with %s", async (_, headers, options, detail) => {
    expect(await read(headers, options)).toBe(invalid(detail));
  });

  it("says which of several issuers vouches", async () => {
    const options = { issuer: ["https://one/", "https://two/"], headers: { issuer: "x-issuer" } };
    expect(await read({ ...anna, "x-issuer": "https://two/" }, options)).toMatchObject({ issuer: "https://two/" });
    expect([forwardedIdentity(options).issuer, forwardedIdentity({ issuer }).issuer]).toEqual([undefined, issuer]);
  });
});

const bearer: Authenticator = { authenticate: () => testAuthentication() };

describe("options that could not be safe are refused:", () => {
  it.each<[string, unknown]>([
    ["nobody vouches", {}],
    ["an empty issuer", { issuer: "" }],
    ["several issuers that nothing tells apart", { issuer: ["a", "b"] }],
    ["a life of no time", { issuer, maxLifeSeconds: 0 }],
    ["a life beyond a day", { issuer, maxLifeSeconds: 86_401 }],
    ["a header that is a bearer's", { issuer, headers: { subject: "Authorization" } }],
    ["a header that is the browser's", { issuer, headers: { subject: "Sec-Fetch-Site" } }],
    ["a header that is none", { issuer, headers: { subject: "x auth" } }],
    ["one header with two meanings", { issuer, headers: { tenant: "X-Auth-Subject" } }],
    ["a claim that has its header already", { issuer, claims: { roles: "x-roles" } }],
    ["a demand that means nothing", { issuer, require: "either" }],
    ["a demand nobody knows", { issuer, bearer, require: "neither" }],
    ["a bearer that nothing verifies", { issuer, bearer: {} }],
  ])("%s", (_, options) => {
    expect(() => forwardedIdentity(options as ForwardedIdentityOptions)).toThrow();
  });

  it("a token's header that is none", () => {
    expect(() => forwardedToken("cookie", bearer)).toThrow(TypeError);
    expect(() => forwardedToken("x-token", {} as Authenticator)).toThrow(TypeError);
  });
});

describe("what a bearer beside the headers means", () => {
  it.each([
    [{}, "refused"],
    [{ bearer }, "required"],
    [{ bearer, require: "both" }, "required"],
    [{ bearer, require: "either" }, "optional"],
  ] as const)("%o: %s", (options, expected) => {
    expect(forwardedIdentity({ issuer, ...options }).forwarded?.bearer).toBe(expected);
  });
});

describe("a token in a gateway's own header", () => {
  const authenticator: Authenticator = {
    issuer,
    authenticate: ({ token }) => testAuthentication({ subject: token.reveal() }),
  };

  it("is verified as any other, and counts from anybody, because its signature does", async () => {
    const { issuer: own, forwarded } = forwardedToken("Cf-Access-Jwt-Assertion", authenticator);
    expect([own, forwarded?.headers, forwarded?.trustedOnly]).toEqual([issuer, ["cf-access-jwt-assertion"], false]);
    const headers = new Map([["cf-access-jwt-assertion", new Secret("anna")]]);
    expect(await forwarded?.authenticate(headers)).toMatchObject({ subject: "anna" });
    expect(() => forwarded?.authenticate(new Map())).toThrow(expect.objectContaining({ reason: "invalid_token" }));
  });
});
