import { createHmac, generateKeyPairSync, randomBytes } from "node:crypto";
import { inspect } from "node:util";
import fc from "fast-check";
import { SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { HubwardError } from "@hubward/wire";
import { Secret } from "../../core/auth/secret.js";
import type { EpochMs } from "../../core/clock.js";
import { jwt, publicKey, sharedSecret, type JwtAuthenticator } from "./index.js";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ed = generateKeyPairSync("ed25519");
const secret = randomBytes(32);
const startSeconds = 1_700_000_000;
const clock = { now: () => (startSeconds * 1000) as EpochMs };
const rules = { issuer: "https://issuer.example/", audience: "hub", clock };
const header = { alg: "HS256", typ: "at+jwt" };
const claims = { iss: rules.issuer, aud: "hub", sub: "subject-of-the-token", exp: startSeconds + 300 };

const ofSecret = jwt({ ...rules, keys: sharedSecret(secret) });
const ofRsa = jwt({ ...rules, keys: publicKey(rsa.publicKey) });
const ofEd = jwt({ ...rules, keys: publicKey(ed.publicKey) });

const encode = (part: object | string): string =>
  Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");

/** Signs whatever text it is given: what a careless or hostile issuer, or somebody who stole the secret, could send. */
function forge(head: object | string, payload: object | string, key: string | Uint8Array = secret): string {
  const input = `${encode(head)}.${encode(payload)}`;
  return `${input}.${createHmac("sha256", key).update(input).digest("base64url")}`;
}

async function refusalOf(token: string, authenticator: JwtAuthenticator = ofSecret): Promise<HubwardError | undefined> {
  try {
    await authenticator.authenticate({ kind: "bearer", token: new Secret(token), source: "query" });
    return undefined;
  } catch (error) {
    if (error instanceof HubwardError) return error;
    throw error;
  }
}
const verdictOn = async (token: string, authenticator?: JwtAuthenticator): Promise<string> =>
  (await refusalOf(token, authenticator))?.reason ?? "accepted";

test("what these tests forge is accepted where nothing is wrong with it", async () => {
  expect(await verdictOn(forge(header, claims))).toBe("accepted");
});

describe("F11: what a JWT library accepts by default is refused", () => {
  const text = JSON.stringify(claims);
  test.each<[string, string]>([
    ["no exp", forge(header, { ...claims, exp: undefined })],
    ["exp 1e308", forge(header, text.replace(String(claims.exp), "1e308"))],
    ["exp beyond any number", forge(header, text.replace(String(claims.exp), "1e999"))],
    ["iat one hour ahead", forge(header, { ...claims, iat: startSeconds + 3600 })],
    ["duplicate sub, the good one last", forge(header, text.replace('"sub"', '"sub":"root","sub"'))],
    ["duplicate exp in disguise", forge(header, text.replace('"exp"', '"e\\u0078p":1,"exp"'))],
    ["duplicate alg", forge('{"alg":"none","alg":"HS256","typ":"at+jwt"}', claims)],
    ["a trailing newline", `${forge(header, claims)}\n`],
    ["a trailing =", `${forge(header, claims)}=`],
    ["a payload that is no object", forge(header, [claims])],
    ["a payload that is another token", forge({ ...header, cty: "JWT" }, forge(header, claims))],
    ["a payload with a byte order mark", forge(header, `\ufeff${text}`)],
  ])("%s", async (_what, token) => {
    expect(await verdictOn(token)).toBe("invalid_token");
  });
});

describe("RFC 8725 2.1: algorithm confusion", () => {
  const pem = rsa.publicKey.export({ format: "pem", type: "spki" }) as string;
  const der = rsa.publicKey.export({ format: "der", type: "spki" });

  test.each<[string, string | Uint8Array]>([
    ["the PEM text", pem],
    ["the PEM text behind white space", ` \n${pem}`],
    ["the PEM text without its end", pem.trim()],
    ["the DER bytes", der],
    ["the JWK text", JSON.stringify(rsa.publicKey.export({ format: "jwk" }))],
    ["no key at all", ""],
  ])("HS256 with %s of the public key as secret is refused", async (_what, key) => {
    for (const alg of ["HS256", "RS256"]) {
      expect(await verdictOn(forge({ alg, typ: "at+jwt" }, claims, key), ofRsa)).toBe("invalid_token");
    }
  });

  test.each(["none", "None", "NONE", "nOnE", "hs256", "Hs256", "HS256 ", ""])(
    "alg %j is refused, signed or not",
    async (alg) => {
      const signed = forge({ ...header, alg }, claims);
      const unsigned = signed.slice(0, signed.lastIndexOf(".") + 1);
      for (const token of [signed, unsigned, `${unsigned}AA`, unsigned.slice(0, -1)]) {
        for (const authenticator of [ofSecret, ofRsa, ofEd])
          expect(await verdictOn(token, authenticator)).toBe("invalid_token");
      }
    },
  );

  test("an empty secret, or one of zeros, signs nothing that passes", async () => {
    expect(await verdictOn(forge(header, claims, ""))).toBe("invalid_token");
    expect(await verdictOn(forge(header, claims, new Uint8Array(32)))).toBe("invalid_token");
  });
});

describe("RFC 7515 4.1.11 and RFC 7797: extensions", () => {
  test.each([
    [{ crit: ["exp"], exp: 1 }],
    [{ crit: [] }],
    [{ crit: ["b64"], b64: true }],
    [{ b64: false }],
    [{ crit: ["b64"], b64: false }],
  ])("%j is refused", async (members) => {
    expect(await verdictOn(forge({ ...header, ...members }, claims))).toBe("invalid_token");
  });
});

describe("no secret in any error", () => {
  const broken = '{"sub":"subject-of-the-token" broken';
  const cases: [string, string][] = [
    ["a wrong signature", forge(header, claims, "wrong")],
    ["another audience", forge(header, { ...claims, aud: "audience-of-the-token" })],
    ["an expired token", forge(header, { ...claims, exp: startSeconds - 1 })],
    ["a future nbf", forge(header, { ...claims, nbf: startSeconds + 9999 })],
    ["broken JSON in the payload", forge(header, broken)],
    ["broken JSON in the header", forge(broken, claims)],
    ["an unknown algorithm", forge({ ...header, alg: "subject-of-the-token" }, claims)],
    ["an unknown extension", forge({ ...header, crit: ["subject-of-the-token"] }, claims)],
    ["a malformed key id", forge({ ...header, kid: "subject of-the-token" }, claims)],
    ["a wrong type", forge({ ...header, typ: "subject-of-the-token" }, claims)],
    ["no token", "subject-of-the-token"],
    ["a long token", "subject-of-the-token".repeat(1000)],
  ];

  test.each(cases)("%s", async (_what, token) => {
    const error = await refusalOf(token);
    const printed = inspect(error, { depth: Infinity, showHidden: true });
    for (const part of [...token.split("."), "of-the-token"]) expect(printed).not.toContain(part);
    expect(error?.message).toMatch(/^(invalid_token;action=relogin|token_expired;action=refresh)$/);
  });
});

describe("arbitrary input is refused with a HubwardError", () => {
  const ascii = fc.string({ unit: "grapheme-ascii", maxLength: 300 });
  const part = fc.string({ unit: fc.constantFrom(..."AZaz09-_e3"), maxLength: 60 });

  test("whatever the text", async () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      ascii,
      fc.tuple(part, part, part).map((p) => p.join(".")),
    );
    await fc.assert(
      fc.asyncProperty(text, async (token) => {
        expect(await verdictOn(token)).toBe("invalid_token");
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["HS256", ofSecret, secret],
    ["RS256", ofRsa, rsa.privateKey],
    ["EdDSA", ofEd, ed.privateKey],
  ] as const)("%s: whatever was changed in a valid token", async (alg, authenticator, key) => {
    const token = await new SignJWT(claims).setProtectedHeader({ ...header, alg }).sign(key);
    expect(await verdictOn(token, authenticator)).toBe("accepted");
    const at = fc.nat({ max: token.length });
    const inserted = fc.oneof(fc.constantFrom(..."AQgw-_.= \n\0"), fc.string({ unit: "binary", maxLength: 3 }));
    const mutated = fc
      .tuple(at, fc.nat({ max: 3 }), inserted)
      .map(([start, removed, text]) => token.slice(0, start) + text + token.slice(start + removed))
      .filter((spelling) => spelling !== token);
    await fc.assert(
      fc.asyncProperty(mutated, async (spelling) => {
        expect(await verdictOn(spelling, authenticator)).toBe("invalid_token");
      }),
      { numRuns: 400 },
    );
  });

  test("whatever was signed with the right key", async () => {
    const names = fc.constantFrom("alg", "typ", "kid", "crit", "b64", "iss", "aud", "sub", "exp", "nbf", "iat", "x");
    const members = fc.dictionary(names, fc.jsonValue());
    await fc.assert(
      fc.asyncProperty(members, members, fc.boolean(), async (head, payload, isComplete) => {
        const token = isComplete
          ? forge({ ...head, ...header }, { ...payload, ...claims })
          : forge({ ...header, ...head }, { ...claims, ...payload });
        expect(["accepted", "invalid_token", "token_expired"]).toContain(await verdictOn(token));
      }),
      { numRuns: 400 },
    );
  });
});
