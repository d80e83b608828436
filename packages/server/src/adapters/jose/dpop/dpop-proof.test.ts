import { createHmac, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { inspect } from "node:util";
import { calculateJwkThumbprint, exportJWK, type JWK } from "jose";
import { describe, expect, test } from "vitest";
import { createFakeClock, type FakeClock } from "../../../../../../tests/support/fake-clock.js";
import {
  dpopNonces,
  dpopReplays,
  hashToken,
  verifyDpopProof,
  type DpopProofInput,
  type DpopVerdict,
} from "../index.js";

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const url = "https://hub.example/hubs/clinic/negotiate";
const accessToken = "an.access.token";

type Algorithm = "ES256" | "EdDSA" | "RS256";

const encode = (part: object | string): string =>
  Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");

function signText(input: string, alg: string, key: KeyObject): string {
  const bytes = Buffer.from(input);
  if (alg === "ES256") return sign("sha256", bytes, { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
  return sign(alg === "EdDSA" ? null : "sha256", bytes, key).toString("base64url");
}

let made = 0;

interface Setting {
  readonly clock: FakeClock;
  /** A good proof, its claims and its header changed. */
  proof(claims?: object, header?: object, keys?: typeof ec, alg?: Algorithm): string;
  verify(proof: string, input?: Partial<DpopProofInput>): Promise<DpopVerdict>;
  /** `accepted`, or the error. */
  outcome(proof: string, input?: Partial<DpopProofInput>): Promise<string>;
}

function setUp(): Setting {
  const clock = createFakeClock();
  const replays = dpopReplays({ clock });
  const verify: Setting["verify"] = (proof, input = {}) =>
    verifyDpopProof({ proof, method: "POST", url, accessToken, replays, clock, ...input });
  return {
    clock,
    proof(claims = {}, header = {}, keys = ec, alg = "ES256") {
      const jwk = keys.publicKey.export({ format: "jwk" });
      const good = { jti: `p-${++made}`, htm: "POST", htu: url, iat: clock.now() / 1000, ath: hashToken(accessToken) };
      const input = `${encode({ typ: "dpop+jwt", alg, jwk, ...header })}.${encode({ ...good, ...claims })}`;
      return `${input}.${signText(input, alg, keys.privateKey)}`;
    },
    verify,
    async outcome(proof, input) {
      const verdict = await verify(proof, input);
      return verdict.kind === "refused" ? verdict.error : verdict.kind;
    },
  };
}

describe("a good proof", () => {
  test.each<[Algorithm, typeof ec]>([
    ["ES256", ec],
    ["EdDSA", ed],
    ["RS256", rsa],
  ])("of %s tells the thumbprint of its key", async (alg, keys) => {
    const { proof, verify } = setUp();
    const jkt = await calculateJwkThumbprint((await exportJWK(keys.publicKey)) as JWK);
    const verdict = await verify(proof({}, {}, keys, alg), { keyThumbprint: jkt });
    expect(verdict).toEqual({ kind: "accepted", keyThumbprint: jkt });
  });

  test("has one thumbprint however its key is spelt", async () => {
    const { proof, verify } = setUp();
    const jwk = ec.publicKey.export({ format: "jwk" });
    const spelt = {
      y: jwk.y,
      use: "sig",
      kid: "mine",
      alg: "ES256",
      kty: "EC",
      x: `${jwk.x}=`,
      crv: "P-256",
      ext: true,
    };
    const verdicts = [await verify(proof()), await verify(proof({}, { jwk: spelt }))];
    expect(verdicts[0]).toEqual(verdicts[1]);
  });
});

describe("each rule, with everything else as it should be", () => {
  type Patch = (nowSeconds: number) => object;
  test.each<[string, boolean, Patch]>([
    ["nothing changed", true, () => ({})],
    ["another method", false, () => ({ htm: "GET" })],
    ["the method in small letters", false, () => ({ htm: "post" })],
    ["no method", false, () => ({ htm: undefined })],
    ["another host", false, () => ({ htu: url.replace("hub.", "hub2.") })],
    ["another path", false, () => ({ htu: `${url}/` })],
    ["http", false, () => ({ htu: url.replace("https", "http") })],
    ["no address", false, () => ({ htu: undefined })],
    ["an address in a list", false, () => ({ htu: [url] })],
    ["an address with credentials", false, () => ({ htu: url.replace("//", "//a:b@") })],
    ["the address with a query", true, () => ({ htu: `${url}?negotiateVersion=1#x` })],
    ["the address in capitals, with its port", true, () => ({ htu: url.replace("hub.example", "HUB.example:443") })],
    ["no iat", false, () => ({ iat: undefined })],
    ["iat in text", false, (now) => ({ iat: String(now) })],
    ["iat beyond time", false, () => ({ iat: 1e300 })],
    ["60 s old", true, (now) => ({ iat: now - 60 })],
    ["older", false, (now) => ({ iat: now - 60.001 })],
    ["5 s ahead", true, (now) => ({ iat: now + 5 })],
    ["further ahead", false, (now) => ({ iat: now + 5.001 })],
    ["no jti", false, () => ({ jti: undefined })],
    ["an empty jti", false, () => ({ jti: "" })],
    ["a jti without end", false, () => ({ jti: "x".repeat(513) })],
    ["no ath", false, () => ({ ath: undefined })],
    ["another token's ath", false, () => ({ ath: hashToken("another") })],
    ["ath with padding", false, () => ({ ath: `${hashToken(accessToken)}=` })],
    ["claims of others", true, () => ({ nonce: "not asked for", exp: 1 })],
  ])("%s: %s", async (_what, isGood, patch) => {
    const { proof, outcome, clock } = setUp();
    const spoilt = proof(patch(clock.now() / 1000));
    expect(await outcome(spoilt)).toBe(isGood ? "accepted" : "invalid_dpop_proof");
  });

  test("without an access token beside it, ath does not matter", async () => {
    const { proof, outcome } = setUp();
    expect(await outcome(proof({ ath: undefined }), { accessToken: undefined })).toBe("accepted");
  });

  test("a token that is bound to another key", async () => {
    const { proof, outcome } = setUp();
    const other = await calculateJwkThumbprint((await exportJWK(ed.publicKey)) as JWK);
    expect(await outcome(proof(), { keyThumbprint: other })).toBe("invalid_dpop_proof");
  });
});

describe("the header", () => {
  const publicJwk = ec.publicKey.export({ format: "jwk" });
  const huge = generateKeyPairSync("rsa", { modulusLength: 4104 }).publicKey.export({ format: "jwk" });
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
  const rsaJwk = rsa.publicKey.export({ format: "jwk" });
  test.each<[string, string, object]>([
    ["no type", "type is missing", { typ: undefined }],
    ["JWT", "type is not", { typ: "JWT" }],
    ["an access token's type", "type is not", { typ: "at+jwt" }],
    ["no algorithm", "algorithm is not", { alg: undefined }],
    ["none", "algorithm is not", { alg: "none" }],
    ["HS256", "algorithm is not", { alg: "HS256" }],
    ["es256", "algorithm is not", { alg: "es256" }],
    ["another algorithm than its key's", "of another algorithm", { alg: "EdDSA" }],
    ["extensions", "extensions", { crit: ["x"], x: 1 }],
    ["no key", "brings no key", { jwk: undefined }],
    ["a key in text", "brings no key", { jwk: JSON.stringify(publicJwk) }],
    ["a list of keys", "brings no key", { jwk: [publicJwk] }],
    ["a key of null", "brings no key", { jwk: null }],
    ["the private key", "gives away", { jwk: ec.privateKey.export({ format: "jwk" }) }],
    ["a private member of null", "gives away", { jwk: { ...publicJwk, d: null } }],
    ["a symmetric key", "gives away", { jwk: { kty: "oct", k: "AAAA" } }],
    [
      "another's key",
      "signature is wrong",
      { jwk: generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" }) },
    ],
    ["a point that is on no curve", "none that could", { jwk: { ...publicJwk, y: publicJwk.x } }],
    [
      "another curve",
      "none that could",
      { jwk: generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "jwk" }) },
    ],
    ["a key for something else", "none that could", { jwk: { ...publicJwk, use: "enc" } }],
    ["RSA of 1024 bits", "none that could", { alg: "RS256", jwk: weak }],
    ["RSA of more than 4096 bits", "none that could", { alg: "RS256", jwk: huge }],
    ["RSA with an exponent without end", "none that could", { alg: "RS256", jwk: { ...rsaJwk, e: rsaJwk.n } }],
    ["RSA with an exponent of 1", "none that could", { alg: "RS256", jwk: { ...rsaJwk, e: "AQ" } }],
    ["a key by its name alone", "brings no key", { jwk: undefined, kid: "key-1" }],
    ["a key by its address", "brings no key", { jwk: undefined, jku: "https://evil.example/jwks" }],
  ])("%s: %s", async (_what, why, header) => {
    const { proof, verify } = setUp();
    const verdict = await verify(proof({}, header));
    // Why, because the signature would not hold under another key either.
    expect(verdict).toEqual({
      kind: "refused",
      error: "invalid_dpop_proof",
      why: expect.stringContaining(why) as unknown,
    });
  });

  test("HS256 with the public key as its secret", async () => {
    const { outcome, proof } = setUp();
    const [, payload = ""] = proof().split(".");
    for (const secret of [JSON.stringify(publicJwk), ec.publicKey.export({ format: "pem", type: "spki" })]) {
      const input = `${encode({ typ: "dpop+jwt", alg: "HS256", jwk: publicJwk })}.${payload}`;
      const forged = `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
      expect(await outcome(forged)).toBe("invalid_dpop_proof");
    }
  });

  test("an algorithm that is not on the list", async () => {
    const { proof, outcome, verify } = setUp();
    expect(await outcome(proof(), { algorithms: ["EdDSA"] })).toBe("invalid_dpop_proof");
    expect(await outcome(proof({}, {}, ed, "EdDSA"), { algorithms: ["EdDSA"] })).toBe("accepted");
    await expect(verify(proof(), { algorithms: ["HS256" as "ES256"] })).rejects.toThrow(RangeError);
  });
});

describe("text that is no proof", () => {
  test.each<[string, (good: string) => string]>([
    ["nothing", () => ""],
    ["a word", () => "proof"],
    ["two proofs in one header", (good) => `${good}, ${good}`],
    ["a trailing newline", (good) => `${good}\n`],
    ["five parts", (good) => `${good}.x.y`],
    ["its claims changed", (good) => good.replace(/\.[^.]+\./, `.${encode({ htm: "POST" })}.`)],
    ["no signature", (good) => good.replace(/\.[^.]+$/, ".")],
    ["too much of it", (good) => good.replace(".", `${"A".repeat(8192)}.`)],
    [
      "its type twice",
      (good) => {
        const head = Buffer.from(good.split(".")[0] ?? "", "base64url").toString();
        return good.replace(/^[^.]+/, encode(head.replace("{", '{"typ":"dpop+jwt",')));
      },
    ],
  ])("%s", async (_what, spoil) => {
    const { proof, outcome } = setUp();
    expect(await outcome(spoil(proof()))).toBe("invalid_dpop_proof");
  });

  test("an access token is no proof, and why one is refused holds nothing of it", async () => {
    const { proof, verify } = setUp();
    const verdict = await verify(proof({ jti: "hunter2", htm: "hunter2" }));
    expect(verdict).toMatchObject({ kind: "refused", why: "the method is another" });
    expect(inspect(verdict, { depth: 9 })).not.toContain("hunter2");
  });

  test("an address of ours that is none is a mistake of ours", async () => {
    const { proof, verify } = setUp();
    await expect(verify(proof(), { url: "/hubs/clinic/negotiate" })).rejects.toThrow(TypeError);
  });
});

describe("nonces", () => {
  test("where they are asked for, a proof without a good one is told so, and is not used up", async () => {
    const { proof, outcome, clock } = setUp();
    const nonces = dpopNonces(randomBytes(32), { clock });
    for (const nonce of [undefined, "", "made-up", 7, [nonces.current()]]) {
      expect(await outcome(proof({ nonce }), { nonces })).toBe("use_dpop_nonce");
    }
    const nonce = nonces.current();
    const good = proof({ nonce, jti: "mine" });
    expect(await outcome(proof({ nonce: "old", jti: "mine" }), { nonces })).toBe("use_dpop_nonce");
    expect(await outcome(good, { nonces })).toBe("accepted");
  });

  test("a proof that is wrong anyway is told that first", async () => {
    const { proof, outcome, clock } = setUp();
    const nonces = dpopNonces(randomBytes(32), { clock });
    expect(await outcome(proof({ htm: "GET" }), { nonces })).toBe("invalid_dpop_proof");
  });
});

describe("a proof is used once", () => {
  test("also by those who come together, and until it would be too old anyway", async () => {
    const { proof, outcome, clock } = setUp();
    const good = proof({ iat: clock.now() / 1000 + 5 });
    const outcomes = await Promise.all([outcome(good), outcome(good), outcome(good)]);
    expect(outcomes.toSorted((a, b) => a.localeCompare(b))).toEqual([
      "accepted",
      "invalid_dpop_proof",
      "invalid_dpop_proof",
    ]);
    clock.advance(65_000);
    expect(await outcome(good), "the last moment it would be accepted").toBe("invalid_dpop_proof");
    clock.advance(1);
    expect(await outcome(good)).toBe("invalid_dpop_proof");
  });

  test("one id may stand for two addresses, and for two keys", async () => {
    const { proof, outcome } = setUp();
    const other = `${url}2`;
    expect(await outcome(proof({ jti: "same" }))).toBe("accepted");
    expect(await outcome(proof({ jti: "same", htu: other }), { url: other })).toBe("accepted");
    expect(await outcome(proof({ jti: "same" }, {}, ed, "EdDSA"))).toBe("accepted");
    expect(await outcome(proof({ jti: "same" }))).toBe("invalid_dpop_proof");
  });

  test("one that was refused for something else is not used up", async () => {
    const { proof, outcome } = setUp();
    const good = proof();
    expect(await outcome(good, { method: "GET" })).toBe("invalid_dpop_proof");
    expect(await outcome(good, { accessToken: "another" })).toBe("invalid_dpop_proof");
    expect(await outcome(good, { keyThumbprint: hashToken("another") })).toBe("invalid_dpop_proof");
    expect(await outcome(good)).toBe("accepted");
  });

  test("with no room left nobody can say, until there is", async () => {
    const { proof, outcome, clock } = setUp();
    const replays = dpopReplays({ maxProofs: 1, clock });
    expect(await outcome(proof(), { replays })).toBe("accepted");
    expect(await outcome(proof(), { replays })).toBe("unavailable");
    clock.advance(60_001);
    expect(await outcome(proof(), { replays })).toBe("accepted");
    expect(() => dpopReplays({ maxProofs: 0 })).toThrow(RangeError);
  });
});
