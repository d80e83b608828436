import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HubwardError } from "@hubward/wire";
import type { Authentication } from "../../core/auth/authentication.js";
import type { EpochMs } from "../../core/clock.js";
import { authenticateClaims, type ClaimRules } from "./claims.js";

const nowSeconds = 1_700_000_000;
const now = (nowSeconds * 1000) as EpochMs;
const rules: ClaimRules = {
  issuer: "https://issuer.example/",
  audience: new Set(["hub", "other-name-of-hub"]),
  clientIds: undefined,
  requiredClaims: new Map(),
  tenantClaim: undefined,
  clockSkewMs: 60_000,
  maxTokenAgeMs: undefined,
};
const good = { iss: "https://issuer.example/", aud: "hub", sub: "alice", exp: nowSeconds + 300 };

const authenticate = (claims: object, changed: Partial<ClaimRules> = {}): Authentication =>
  authenticateClaims(structuredClone({ ...good, ...claims }), "key-1", { ...rules, ...changed }, now);

function verdictOn(claims: object, changed: Partial<ClaimRules> = {}): string {
  try {
    authenticate(claims, changed);
  } catch (error) {
    if (error instanceof HubwardError) return error.reason;
    throw error;
  }
  return "accepted";
}

describe("what a token says", () => {
  test("every claim lands in its place", () => {
    const claims = {
      iat: nowSeconds - 5,
      jti: "t-1",
      sid: "s-1",
      client_id: "app",
      azp: "ignored",
      tid: "acme",
      role: "nurse",
    };
    expect(authenticate(claims, { tenantClaim: "tid" })).toEqual({
      tenant: "acme",
      issuer: "https://issuer.example/",
      subject: "alice",
      clientId: "app",
      sessionId: "s-1",
      tokenId: "t-1",
      keyId: "key-1",
      issuedAt: now - 5000,
      expiresAt: now + 300_000,
      claims: { ...good, ...claims },
    });
  });

  const jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"; // of RFC 9449 6.1
  test.each<[string, object, string | undefined]>([
    ["the key it is bound to", { cnf: { jkt } }, jkt],
    ["a certificate, which is not looked at", { cnf: { "x5t#S256": jkt } }, undefined],
    ["no key", {}, undefined],
  ])("it may name %s", (_what, claims, expected) => {
    expect(authenticate(claims).keyThumbprint).toBe(expected);
  });

  test.each<[string, unknown]>([
    ["text", jkt],
    ["null", null],
    ["a list", [jkt]],
    ["too short a thumbprint", { jkt: jkt.slice(1) }],
    ["a thumbprint with padding", { jkt: `${jkt}=` }],
    ["no text", { jkt: 7 }],
    ["null for a thumbprint", { jkt: null }],
  ])("a key it is bound to that is %s is refused", (_what, cnf) => {
    expect(verdictOn({ cnf })).toBe("invalid_token");
  });

  test("what the token leaves out is undefined", () => {
    const { tenant, clientId, sessionId, tokenId, issuedAt } = authenticate({});
    expect([tenant, clientId, sessionId, tokenId, issuedAt]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("azp is the client where client_id is missing", () => {
    expect(authenticate({ azp: "app" }).clientId).toBe("app");
  });

  test("the authentication and its claims are frozen to the bottom", () => {
    const authentication = authenticate({ realm: { roles: [{ name: "nurse" }] } });
    const { realm } = authentication.claims as { realm: { roles: { name: string }[] } };
    for (const value of [authentication, authentication.claims, realm, realm.roles, realm.roles[0]]) {
      expect(Object.isFrozen(value)).toBe(true);
    }
  });
});

describe("RFC 7519 4.1.1 and 4.1.3: issuer and audience", () => {
  test.each([
    undefined,
    null,
    "",
    "https://issuer.example",
    "https://ISSUER.example/",
    "https://evil.example/",
    1,
    ["https://issuer.example/"],
  ])("iss %j is refused", (iss) => {
    expect(verdictOn({ iss })).toBe("invalid_token");
  });

  test.each([["hub"], ["other-name-of-hub"], [["hub"]], [["someone-else", "hub"]]])("aud %j contains us", (aud) => {
    expect(verdictOn({ aud })).toBe("accepted");
  });

  test.each([
    undefined,
    null,
    "",
    "HUB",
    "hub ",
    "someone-else",
    [],
    ["someone-else"],
    [["hub"]],
    ["hub", 1],
    ["hub", null],
    { hub: true },
    1,
  ])("aud %j is refused", (aud) => {
    expect(verdictOn({ aud })).toBe("invalid_token");
  });
});

describe("RFC 7519 4.1.4: expiry", () => {
  test("the claim itself decides, without leeway", () => {
    expect(verdictOn({ exp: nowSeconds + 0.001 })).toBe("accepted");
    expect(verdictOn({ exp: nowSeconds })).toBe("token_expired");
    expect(verdictOn({ exp: nowSeconds - 1 })).toBe("token_expired");
  });

  test("F11: a token without exp is refused", () => {
    expect(verdictOn({ exp: undefined })).toBe("invalid_token");
  });

  test.each([1e308, 8.64e12 + 1, Number.MAX_SAFE_INTEGER, -1, "1700000300", null, true, [nowSeconds + 1], {}])(
    "F11, F13: exp %j is no instant and is refused",
    (exp) => {
      expect(verdictOn({ exp })).toBe("invalid_token");
    },
  );

  test("fractions are legal and round down to the millisecond", () => {
    expect(authenticate({ exp: nowSeconds + 0.5 }).expiresAt).toBe(now + 500);
    expect(authenticate({ exp: nowSeconds + 0.0019 }).expiresAt).toBe(now + 1);
  });

  test.each([
    ["another audience", { aud: "someone-else" }],
    ["another issuer", { iss: "https://evil.example/" }],
    ["no subject", { sub: undefined }],
    ["a start in the future", { nbf: nowSeconds + 3600 }],
    ["a malformed session", { sid: 7 }],
  ])("an expired token with %s is invalid, not expired", (_what, claims) => {
    expect(verdictOn({ exp: nowSeconds - 1, ...claims })).toBe("invalid_token");
  });
});

describe("nbf and iat", () => {
  test.each(["nbf", "iat"])("%s may lie ahead by the tolerated skew and not more", (name) => {
    expect(verdictOn({ [name]: nowSeconds + 60 })).toBe("accepted");
    expect(verdictOn({ [name]: nowSeconds + 60.001 })).toBe("invalid_token");
    expect(verdictOn({ [name]: nowSeconds + 1 }, { clockSkewMs: 0 })).toBe("invalid_token");
  });

  test("F11: an iat one hour ahead is refused", () => {
    expect(verdictOn({ iat: nowSeconds + 3600, exp: nowSeconds + 7200 })).toBe("invalid_token");
  });

  test.each(["nbf", "iat"])("%s must be an instant where it stands", (name) => {
    for (const value of ["1", null, 1e308, -1, []]) expect(verdictOn({ [name]: value })).toBe("invalid_token");
  });
});

describe("the longest life of a token", () => {
  const changed = { maxTokenAgeMs: 600_000 };

  test("is measured from iat to exp", () => {
    expect(verdictOn({ iat: nowSeconds - 300, exp: nowSeconds + 300 }, changed)).toBe("accepted");
    expect(verdictOn({ iat: nowSeconds - 301, exp: nowSeconds + 300 }, changed)).toBe("invalid_token");
  });

  test("makes iat required", () => {
    expect(verdictOn({}, changed)).toBe("invalid_token");
  });
});

describe("identifiers", () => {
  const bad = [
    null,
    "",
    7,
    true,
    ["alice"],
    {},
    "a".repeat(513),
    "alice\n",
    "alice\0",
    "al\u0085ice",
    "r\ud800",
    "r\udfff",
  ];

  test.each(["sub", "sid", "jti", "client_id", "azp", "tid"])(
    "%s must be a short string of printable, well-formed text",
    (name) => {
      for (const value of bad)
        expect(verdictOn({ tid: "acme", [name]: value }, { tenantClaim: "tid" })).toBe("invalid_token");
      expect(verdictOn({ tid: "acme", [name]: "a".repeat(512) }, { tenantClaim: "tid" })).toBe("accepted");
      expect(verdictOn({ tid: "acme", [name]: "auth0|Zoë 😀" }, { tenantClaim: "tid" })).toBe("accepted");
    },
  );

  test("sub is required, and the tenant where one is configured", () => {
    expect(verdictOn({ sub: undefined })).toBe("invalid_token");
    expect(verdictOn({}, { tenantClaim: "tid" })).toBe("invalid_token");
  });

  test("a tenant claim named like a member of every object is not found on the prototype", () => {
    expect(verdictOn({}, { tenantClaim: "constructor" })).toBe("invalid_token");
  });
});

test("RFC 8417 and back-channel logout: a token with events is never a bearer's", () => {
  const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
  expect(verdictOn({ events })).toBe("invalid_token");
});

test("whatever the signed claims hold, the answer is an Authentication or a HubwardError", () => {
  const names = fc.constantFrom("iss", "aud", "sub", "exp", "iat", "nbf", "jti", "sid", "client_id", "tid", "x");
  const dates = fc.double({ noNaN: true });
  fc.assert(
    fc.property(fc.dictionary(names, fc.oneof(fc.jsonValue(), dates), { noNullPrototype: true }), (claims) => {
      expect(["accepted", "invalid_token", "token_expired"]).toContain(verdictOn(claims, { tenantClaim: "tid" }));
      if (verdictOn(claims) === "accepted") expect(authenticate(claims).expiresAt).toBeGreaterThan(now);
    }),
    { numRuns: 500 },
  );
});
