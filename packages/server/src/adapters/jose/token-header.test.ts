import { describe, expect, test } from "vitest";
import { HubwardError } from "@hubward/wire";
import { createTokenReader, normalizeType, type HeaderRules, type TokenHeader } from "./token-header.js";

const rules: HeaderRules = {
  algorithms: new Set(["RS256", "ES256"]),
  types: new Set(["at+jwt"]),
  allowMissingType: false,
};
const encode = (text: string): string => Buffer.from(text).toString("base64url");
const withHeader = (header: unknown): string => `${encode(JSON.stringify(header))}.${encode("{}")}.AAAA`;
const read = (token: string, changed: Partial<HeaderRules> = {}): TokenHeader =>
  createTokenReader({ ...rules, ...changed })(token).header;

function refusalOf(token: string, changed: Partial<HeaderRules> = {}): string {
  try {
    read(token, changed);
  } catch (error) {
    if (error instanceof HubwardError) return `${error.reason}: ${(error.cause as Error).message}`;
    throw error;
  }
  return "accepted";
}

const good = { alg: "RS256", kid: "key-1", typ: "at+jwt" };

describe("RFC 8725bis 3.14: only letters, digits, - _ . are a JWT", () => {
  const token = withHeader(good);

  test("three parts of base64url pass", () => {
    expect(read(token)).toEqual({ algorithm: "RS256", keyId: "key-1" });
  });

  test.each([
    ["a trailing newline", `${token}\n`],
    ["a trailing =", `${token}=`],
    ["a leading space", ` ${token}`],
    ["a tab inside", token.replace(".", ".\t")],
    ["a trailing NUL", `${token}\0`],
    ["a plus sign", `${token}+AAA`],
    ["a letter outside ASCII", `${token}é`],
    ["a lone surrogate", `${token}\ud800`],
    ["two parts", token.slice(0, token.lastIndexOf("."))],
    ["an empty signature", token.slice(0, token.lastIndexOf(".") + 1)],
    ["an empty payload", `${encode(JSON.stringify(good))}..AAAA`],
    ["five parts, an encrypted token (JWE)", `${token}.AAAA.AAAA`],
    ["leftover bits in the payload", `${encode(JSON.stringify(good))}.e31.AAAA`],
    ["leftover bits in the signature", `${token.slice(0, token.lastIndexOf("."))}.AB`],
    ["an impossible length", `${token}A`],
    ["nothing at all", ""],
    ["only dots", ".."],
  ])("%s is refused", (_what, spelling) => {
    expect(refusalOf(spelling)).toBe("invalid_token: this is not three parts of base64url");
  });
});

describe("RFC 8725 3.1: the algorithm comes from an allow-list, compared case-sensitively", () => {
  test.each([
    "none",
    "None",
    "NONE",
    "nOnE",
    "",
    "rs256",
    "Rs256",
    "RS256 ",
    " RS256",
    "RS256\0",
    "HS256",
    "EdDSA",
    "PS256",
  ])("alg %j is refused", (alg) => {
    expect(refusalOf(withHeader({ ...good, alg }))).toBe("invalid_token: the algorithm is not allowed");
  });

  test.each([[undefined], [null], [["RS256"]], [1], [{ toString: "RS256" }]])(
    "alg that is no string (%j) is refused",
    (alg) => {
      expect(refusalOf(withHeader({ ...good, alg }))).toBe("invalid_token: the algorithm is not allowed");
    },
  );
});

describe("RFC 7515: header members", () => {
  test.each([
    ["a list of unknown extensions", { crit: ["exp"], exp: 1 }],
    ["an empty list", { crit: [] }],
    ["null", { crit: null }],
    ["b64, which the library would understand", { crit: ["b64"], b64: true }],
  ])("4.1.11: crit is refused when it is %s", (_what, members) => {
    expect(refusalOf(withHeader({ ...good, ...members }))).toBe("invalid_token: the header asks for extensions");
  });

  test.each([false, true])("RFC 7797: b64 %s is refused without crit too", (b64) => {
    expect(refusalOf(withHeader({ ...good, b64 }))).toBe("invalid_token: the header asks for extensions");
  });

  test.each([
    ["duplicate members", '{"alg":"none","alg":"RS256","typ":"at+jwt"}'],
    ["duplicate members in disguise", '{"alg":"none","\\u0061lg":"RS256","typ":"at+jwt"}'],
    ["no object", '["alg","RS256"]'],
    ["no JSON", "alg=RS256"],
    ["a byte order mark", '\ufeff{"alg":"RS256","typ":"at+jwt"}'],
  ])("10.12: a header with %s is refused", (_what, header) => {
    expect(refusalOf(`${encode(header)}.${encode("{}")}.AAAA`)).toBe(
      "invalid_token: the header is not a JSON object with unique members",
    );
  });

  test.each([
    ["a\nb"],
    ["a b"],
    ['a"b'],
    ["ключ"],
    ["a\0"],
    [""],
    ["k".repeat(257)],
    ["k".repeat(5_000)],
    [null],
    [7],
    [["key-1"]],
  ])("a key id must be plain and short: %.20j is refused", (kid) => {
    expect(refusalOf(withHeader({ ...good, kid }))).toBe("invalid_token: the key id is malformed");
  });

  test("embedded keys and addresses of keys are not read", () => {
    const embedded = {
      jwk: { kty: "oct", k: "AAAA" },
      jku: "http://127.0.0.1/",
      x5u: "file:///etc/passwd",
      x5c: ["AAAA"],
    };
    expect(read(withHeader({ ...good, ...embedded }))).toEqual({ algorithm: "RS256", keyId: "key-1" });
  });

  test("a token may name no key", () => {
    expect(read(withHeader({ alg: "ES256", typ: "at+jwt" }))).toEqual({ algorithm: "ES256", keyId: undefined });
  });
});

describe("RFC 9068 4 and RFC 8725 3.11: the type says that this is an access token", () => {
  test.each(["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"])("typ %s is accepted", (typ) => {
    expect(refusalOf(withHeader({ ...good, typ }))).toBe("accepted");
  });

  test.each([
    "JWT",
    "jwt",
    "",
    "at+jwt ",
    "at+jwt;v=1",
    "text/at+jwt",
    "logout+jwt",
    "secevent+jwt",
    "dpop+jwt",
    null,
    1,
    ["at+jwt"],
  ])("typ %j is refused", (typ) => {
    expect(refusalOf(withHeader({ ...good, typ }))).toBe("invalid_token: the token type is not accepted");
  });

  test("a missing typ is refused unless that is allowed", () => {
    const untyped = withHeader({ alg: "RS256" });
    expect(refusalOf(untyped)).toBe("invalid_token: the token type is missing");
    expect(refusalOf(untyped, { allowMissingType: true })).toBe("accepted");
  });

  test("allowing a missing typ does not allow a wrong one", () => {
    expect(refusalOf(withHeader({ ...good, typ: "JWT" }), { allowMissingType: true })).toBe(
      "invalid_token: the token type is not accepted",
    );
  });

  test("naming JWT lets that type in and no other", () => {
    const types = new Set([normalizeType("JWT")]);
    expect(refusalOf(withHeader({ ...good, typ: "jwt" }), { types })).toBe("accepted");
    expect(refusalOf(withHeader({ ...good, typ: "at+jwt" }), { types })).toBe(
      "invalid_token: the token type is not accepted",
    );
  });
});

describe("headers that were read before", () => {
  test("are read once, count for other tokens, and cannot be changed by who gets them", () => {
    const reader = createTokenReader(rules);
    const first = reader(withHeader(good));
    const other = reader(`${encode(JSON.stringify(good))}.${encode('{"sub":"bob"}')}.BBBB`);
    expect(other.header).toBe(first.header);
    expect(Object.isFrozen(first.header)).toBe(true);
    expect([other.payload, other.signature]).toEqual([encode('{"sub":"bob"}'), "BBBB"]);
    expect(`${other.signed}.${other.signature}`).toBe(
      `${encode(JSON.stringify(good))}.${encode('{"sub":"bob"}')}.BBBB`,
    );
  });

  test("are told apart after any number of others, and one that was refused is refused again", () => {
    const reader = createTokenReader(rules);
    const bad = withHeader({ ...good, alg: "none" });
    for (let index = 0; index < 200; index++) {
      expect(reader(withHeader({ ...good, kid: `key-${index}` })).header.keyId).toBe(`key-${index}`);
      expect(() => reader(bad)).toThrow(expect.objectContaining({ reason: "invalid_token" }));
    }
    expect(reader(withHeader({ ...good, kid: "key-0" })).header.keyId).toBe("key-0");
    const long = { ...good, filling: "x".repeat(1_000) };
    expect(reader(withHeader(long)).header).toEqual(reader(withHeader(long)).header);
  });
});
