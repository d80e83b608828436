import type { JWTPayload } from "jose";
import { describe, expect, test } from "vitest";
import { HubwardError } from "@hubward/wire";
import { createFakeClock } from "../../../../../tests/support/fake-clock.js";
import { faults, json, startKeyServer, type KeyServer } from "../../../../../tests/providers/support/key-server.js";
import { createSigner, type Signer } from "../../../../../tests/providers/support/signer.js";
import type { BearerCredential } from "../../core/auth/credential.js";
import { Secret } from "../../core/auth/secret.js";
import { issuers, jwks, jwt, publicKey, type JwtAuthenticator, type TokenAuthenticator } from "./index.js";

const bearer = (token: string): BearerCredential => ({ kind: "bearer", token: new Secret(token), source: "header" });

async function verdictOf(authenticator: TokenAuthenticator, token: string): Promise<string> {
  try {
    return (await authenticator.authenticate(bearer(token))).issuer;
  } catch (error) {
    if (error instanceof HubwardError) return error.reason;
    throw error;
  }
}

interface Tenant {
  readonly server: KeyServer;
  readonly signer: Signer;
  readonly authenticator: JwtAuthenticator;
}

const clock = createFakeClock();

async function startTenant(issuer: string, audience: string): Promise<Tenant> {
  const signer = createSigner("kid", { issuer, audience, clock });
  const server = await startKeyServer(json({ keys: [signer.jwk] }));
  const keys = jwks(`${server.origin}/jwks`, { clock, allowLoopbackHttp: true });
  return { server, signer, authenticator: jwt({ issuer, audience, keys, clock }) };
}

async function setUp(): Promise<{ staff: Tenant; partners: Tenant; both: TokenAuthenticator }> {
  const staff = await startTenant("https://staff.example/", "hub");
  const partners = await startTenant("https://partners.example/", "hub-for-partners");
  return { staff, partners, both: issuers(staff.authenticator, partners.authenticator) };
}

describe("several issuers side by side", () => {
  test("each token is judged by its own issuer's keys and rules", async () => {
    const { staff, partners, both } = await setUp();
    expect(await verdictOf(both, await staff.signer.token())).toBe("https://staff.example/");
    expect(await verdictOf(both, await partners.signer.token())).toBe("https://partners.example/");
    expect(await verdictOf(both, await staff.signer.token({ aud: "hub-for-partners" }))).toBe("invalid_token");
    expect(await verdictOf(both, await partners.signer.token({ iss: "https://staff.example/" }))).toBe("invalid_token");
  });

  test("CVE-2026-32301: a token of any other issuer causes no fetch", async () => {
    const { staff, partners, both } = await setUp();
    const strangers = [
      "https://staff.example",
      "https://STAFF.example/",
      "https://staff.example/ ",
      `${staff.server.origin}/`,
      "",
      "__proto__",
      7,
      ["https://staff.example/"],
      null,
      undefined,
    ];
    for (const iss of strangers) {
      const token = await staff.signer.token({ iss } as JWTPayload);
      expect(await verdictOf(both, token)).toBe("invalid_token");
    }
    for (const token of ["", "a", "a.b", "a.b.c", `a.${Buffer.from("[]").toString("base64url")}.c`, ".".repeat(9999)]) {
      expect(await verdictOf(both, token)).toBe("invalid_token");
    }
    const twice = Buffer.from('{"iss":"https://staff.example/","iss":"https://partners.example/"}').toString(
      "base64url",
    );
    expect(await verdictOf(both, `e30.${twice}.c`)).toBe("invalid_token");
    expect(await verdictOf(both, "x".repeat(70_000))).toBe("invalid_token");
    expect([...staff.server.requests.items, ...partners.server.requests.items]).toEqual([]);
  });

  test("one provider's outage is not the other's", async () => {
    const { staff, partners, both } = await setUp();
    staff.server.answer = faults["hangs before a word"]!.answer;
    const waiting = verdictOf(both, await staff.signer.token());
    await staff.server.requests.first();
    expect(await verdictOf(both, await partners.signer.token()), "while the other hangs").toBe(
      "https://partners.example/",
    );
    clock.advance(3000);
    expect(await waiting).toBe("auth_unavailable");
    expect(await verdictOf(both, await partners.signer.token())).toBe("https://partners.example/");
  });

  test("reloads all of them, and says whether each one worked", async () => {
    const { staff, partners, both } = await setUp();
    const token = await partners.signer.token();
    expect(await verdictOf(both, token)).toBe("https://partners.example/");
    expect(await both.reloadKeys()).toBe(true);
    expect(partners.server.requests.items).toHaveLength(2);
    staff.server.answer = faults["answers 500"]!.answer;
    partners.server.answer = json({ keys: [createSigner("new", { issuer: "", clock }).jwk] });
    expect(await both.reloadKeys()).toBe(false);
    expect(await verdictOf(both, token), "the one that worked is in use").toBe("invalid_token");
  });

  test("remembers verified tokens, and forgets them when told", async () => {
    const { staff, both } = await setUp();
    const token = await staff.signer.token();
    const first = await both.authenticate(bearer(token));
    expect(both.authenticate(bearer(token))).toBe(first);
    both.forgetVerifiedTokens();
    const second = await both.authenticate(bearer(token));
    expect(second).not.toBe(first);
    expect(second).toEqual(first);
  });

  test("has no issuer of its own", async () => {
    expect((await setUp()).both.issuer).toBeUndefined();
  });
});

describe("what cannot stand side by side", () => {
  const one = (issuer: string): JwtAuthenticator =>
    jwt({ issuer, audience: "hub", keys: publicKey(createSigner("k", { issuer, clock }).jwk) });

  test("nobody, two of one issuer, and several that are several already", () => {
    expect(() => issuers()).toThrow(TypeError);
    expect(() => issuers(one("https://a.example/"), one("https://a.example/"))).toThrow(TypeError);
    const several = issuers(one("https://a.example/"), one("https://b.example/"));
    expect(() => issuers(several as JwtAuthenticator)).toThrow(TypeError);
    expect(issuers(one("https://a.example/"), one("https://a.example"))).toBeDefined();
  });
});
