import { createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from "node:crypto";
import { SignJWT, type JWTHeaderParameters, type JWTPayload } from "jose";
import { describe, expect, test } from "vitest";
import { HubwardError } from "@hubward/wire";
import type { Authentication } from "../../core/auth/authentication.js";
import type { BearerCredential } from "../../core/auth/credential.js";
import { Secret } from "../../core/auth/secret.js";
import type { EpochMs } from "../../core/clock.js";
import {
  jwt,
  localJwks,
  publicKey,
  sharedSecret,
  type Algorithm,
  type JwtAuthenticator,
  type JwtOptions,
  type KeySource,
} from "./index.js";
import { createKeySet } from "./jwks.js";
import { VerificationKey } from "./verification-key.js";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const secret = randomBytes(32);

const startSeconds = 1_700_000_000;
const claims = { iss: "https://issuer.example/", aud: "hub", sub: "alice", exp: startSeconds + 300, jti: "t-1" };

const bearer = (token: string): BearerCredential => ({ kind: "bearer", token: new Secret(token), source: "header" });
const signing: Record<Algorithm, Uint8Array | KeyObject> = {
  HS256: secret,
  RS256: rsa.privateKey,
  ES256: ec.privateKey,
  EdDSA: ed.privateKey,
};
const verifying: Record<Algorithm, () => KeySource> = {
  HS256: () => sharedSecret(secret),
  RS256: () => publicKey(rsa.publicKey),
  ES256: () => publicKey(ec.publicKey),
  EdDSA: () => publicKey(ed.publicKey),
};
const all: readonly Algorithm[] = ["HS256", "RS256", "ES256", "EdDSA"];

function sign(
  alg: Algorithm,
  patch: JWTPayload = {},
  header: Partial<JWTHeaderParameters> = {},
  key: Uint8Array | KeyObject = signing[alg],
): Promise<string> {
  return new SignJWT({ ...claims, ...patch }).setProtectedHeader({ typ: "at+jwt", ...header, alg }).sign(key);
}

function setUp(options: Partial<JwtOptions> = {}): { authenticator: JwtAuthenticator; time: { now: number } } {
  const time = { now: startSeconds * 1000 };
  const clock = { now: () => time.now as EpochMs };
  const keys = options.keys ?? verifying.ES256();
  return { authenticator: jwt({ issuer: claims.iss, audience: "hub", clock, ...options, keys }), time };
}

async function verdictOn(token: string, options: Partial<JwtOptions> = {}): Promise<string> {
  try {
    await setUp(options).authenticator.authenticate(bearer(token));
  } catch (error) {
    if (error instanceof HubwardError) return error.reason;
    throw error;
  }
  return "accepted";
}

describe("tokens of each algorithm", () => {
  test.each(all)("%s: a good token says who it names, until the claim itself", async (alg) => {
    const { authenticator } = setUp({ keys: verifying[alg](), tenantClaim: "tid" });
    const token = await sign(alg, { tid: "acme", sid: "s-1", client_id: "app", iat: startSeconds }, { kid: "key-1" });
    const authentication = await authenticator.authenticate(bearer(token));
    expect(authentication).toEqual({
      tenant: "acme",
      issuer: claims.iss,
      subject: "alice",
      clientId: "app",
      sessionId: "s-1",
      tokenId: "t-1",
      keyId: "key-1",
      issuedAt: startSeconds * 1000,
      expiresAt: (startSeconds + 300) * 1000,
      claims: { ...claims, tid: "acme", sid: "s-1", client_id: "app", iat: startSeconds },
    });
    expect(Object.isFrozen(authentication) && Object.isFrozen(authentication.claims)).toBe(true);
  });

  test.each(all)("%s: a changed claim breaks the signature, expired or not", async (alg) => {
    const [header, , signature] = (await sign(alg)).split(".");
    for (const exp of [startSeconds + 300, startSeconds - 300]) {
      const payload = Buffer.from(JSON.stringify({ ...claims, sub: "mallory", exp })).toString("base64url");
      expect(await verdictOn(`${header}.${payload}.${signature}`, { keys: verifying[alg]() })).toBe("invalid_token");
    }
  });

  test.each(all)("%s: a token that is good but for its expiry is expired", async (alg) => {
    const { authenticator, time } = setUp({ keys: verifying[alg]() });
    const token = await sign(alg);
    time.now += 300_000;
    await expect(authenticator.authenticate(bearer(token))).rejects.toMatchObject({ reason: "token_expired" });
  });

  test.each(all)("%s: a token of another algorithm is refused", async (alg) => {
    for (const other of all.filter((name) => name !== alg)) {
      expect(await verdictOn(await sign(other), { keys: verifying[alg]() })).toBe("invalid_token");
    }
  });

  test("the name of the key is the source's own where it has one", async () => {
    const { authenticator } = setUp({ keys: publicKey(ec.publicKey, { keyId: "ours" }) });
    const { keyId } = await authenticator.authenticate(bearer(await sign("ES256")));
    expect(keyId).toBe("ours");
  });
});

describe("keys of the issuer", () => {
  const jwk = (key: KeyObject, kid: string): { kty: string; kid: string } => ({
    ...(key.export({ format: "jwk" }) as { kty: string }),
    kid,
  });
  const keys = localJwks({ keys: [jwk(rsa.publicKey, "r"), jwk(ec.publicKey, "e")] });

  test("a key set serves each token the key it names", async () => {
    expect(await verdictOn(await sign("RS256", {}, { kid: "r" }), { keys })).toBe("accepted");
    expect(await verdictOn(await sign("ES256", {}, { kid: "e" }), { keys })).toBe("accepted");
    expect(await verdictOn(await sign("ES256"), { keys })).toBe("accepted");
    expect(await verdictOn(await sign("EdDSA", {}, { kid: "e" }), { keys })).toBe("invalid_token");
    expect(await verdictOn(await sign("RS256", {}, { kid: "r" }), { keys, algorithms: ["ES256"] })).toBe(
      "invalid_token",
    );
  });

  test.each(["../../e", "__proto__", "constructor", "e\0", "E", "k".repeat(10_000)])(
    "the key id %.20s finds no key",
    async (kid) => {
      expect(await verdictOn(await sign("ES256", {}, { kid }), { keys, maxTokenBytes: 65_536 })).toBe("invalid_token");
    },
  );

  test("RFC 8725 3.8, CVE-2026-49998: one key id at two issuers, and neither accepts the other's tokens", async () => {
    const theirs = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const ourSet = localJwks({ keys: [jwk(ec.publicKey, "k")] });
    const theirSet = localJwks({ keys: [jwk(theirs.publicKey, "k")] });
    const iss = "https://their-issuer.example/";
    const forged = await sign("ES256", {}, { kid: "k" }, theirs.privateKey);
    const honest = await sign("ES256", { iss }, { kid: "k" }, theirs.privateKey);
    expect(await verdictOn(forged, { keys: ourSet })).toBe("invalid_token");
    expect(await verdictOn(honest, { keys: ourSet })).toBe("invalid_token");
    expect(await verdictOn(forged, { keys: theirSet, issuer: iss })).toBe("invalid_token");
    expect(await verdictOn(honest, { keys: theirSet, issuer: iss })).toBe("accepted");
  });

  test("an embedded key is not used, whatever it signed", async () => {
    const mallory = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const header = { jwk: mallory.publicKey.export({ format: "jwk" }), jku: "http://127.0.0.1:1/jwks" } as object;
    expect(await verdictOn(await sign("ES256", {}, header, mallory.privateKey))).toBe("invalid_token");
    expect(await verdictOn(await sign("ES256", {}, header))).toBe("accepted");
  });

  test("keys that cannot be had are nobody's fault: auth_unavailable, never invalid_token", async () => {
    const cause = new Error("connect ECONNREFUSED");
    const unavailable = new HubwardError("auth_unavailable", { retryAfterSeconds: 7 });
    const source = (find: KeySource["find"]): KeySource => ({ algorithms: ["ES256"], find, holds: () => true });
    const fails: [KeySource["find"], object][] = [
      [() => Promise.reject(cause), { reason: "auth_unavailable", cause }],
      [
        () => {
          throw cause;
        },
        { reason: "auth_unavailable", cause },
      ],
      [() => Promise.reject(unavailable), { reason: "auth_unavailable", retryAfterSeconds: 7 }],
      [() => Promise.reject(new HubwardError("invalid_token")), { reason: "auth_unavailable" }],
    ];
    for (const [find, expected] of fails) {
      const { authenticator } = setUp({ keys: source(find) });
      await expect(authenticator.authenticate(bearer(await sign("ES256")))).rejects.toMatchObject(expected);
    }
  });

  test("one algorithm per key: a source that hands out a key of another algorithm is not followed", async () => {
    const find = (): VerificationKey => VerificationKey.fromPublicKey(ec.publicKey);
    const token = await sign("RS256");
    expect(await verdictOn(token, { keys: { algorithms: ["RS256"], find, holds: () => true } })).toBe("invalid_token");
    const pretender = { algorithm: "RS256", cryptoKey: async () => rsa.publicKey } as unknown as VerificationKey;
    const keysOfPretender: KeySource = { algorithms: ["RS256"], find: () => pretender, holds: () => true };
    expect(await verdictOn(token, { keys: keysOfPretender })).toBe("invalid_token");
  });
});

describe("remembered tokens", () => {
  test("the second time the answer comes at once, and it is the same one", async () => {
    const { authenticator } = setUp();
    const token = await sign("ES256");
    const authentication = await authenticator.authenticate(bearer(token));
    expect(authenticator.authenticate(bearer(token))).toBe(authentication);
  });

  test("the first time, too, the answer comes at once where the key is at hand, a refusal as a rejection", async () => {
    const { authenticator } = setUp();
    expect(authenticator.authenticate(bearer(await sign("ES256")))).toMatchObject({ subject: "alice" });
    const refused = authenticator.authenticate(bearer(await sign("ES256", { aud: "another" })));
    expect(refused).toBeInstanceOf(Promise);
    await expect(refused).rejects.toMatchObject({ reason: "invalid_token" });
  });

  test("while a key has to be waited for, one token is verified once", async () => {
    let asked = 0;
    const found = verifying.ES256();
    const keys: KeySource = { ...found, find: async (selector) => (asked++, found.find(selector)) };
    const { authenticator } = setUp({ keys });
    const token = await sign("ES256");
    const [first, second] = await Promise.all([1, 2].map(() => authenticator.authenticate(bearer(token))));
    expect(second).toBe(first);
    expect(asked).toBe(1);
  });

  test("a remembered token expires on time", async () => {
    const { authenticator, time } = setUp();
    const token = await sign("ES256");
    await authenticator.authenticate(bearer(token));
    time.now += 299_999;
    expect(authenticator.authenticate(bearer(token))).not.toBeInstanceOf(Promise);
    time.now += 1;
    await expect(authenticator.authenticate(bearer(token))).rejects.toMatchObject({ reason: "token_expired" });
  });

  test("a token is refused once its key is gone, and a new key of the same name does not save it", async () => {
    let set = createKeySet([VerificationKey.fromPublicKey(ec.publicKey, "k")], ["ES256"]);
    const keys: KeySource = {
      algorithms: ["ES256"],
      find: (header) => set.find(header),
      holds: (key) => set.holds(key),
    };
    const { authenticator } = setUp({ keys });
    const token = await sign("ES256", {}, { kid: "k" });
    const authentication = await authenticator.authenticate(bearer(token));

    set = createKeySet([VerificationKey.fromPublicKey(createPublicKey(ec.privateKey), "k")], ["ES256"]); // fetched again
    expect(authenticator.authenticate(bearer(token))).toBe(authentication);
    const replaced = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
    set = createKeySet([VerificationKey.fromPublicKey(replaced, "k")], ["ES256"]);
    await expect(authenticator.authenticate(bearer(token))).rejects.toMatchObject({ reason: "invalid_token" });
  });

  test("after forgetting, a token is verified anew", async () => {
    const { authenticator } = setUp();
    const token = await sign("ES256");
    const first = await authenticator.authenticate(bearer(token));
    authenticator.forgetVerifiedTokens();
    const second = await authenticator.authenticate(bearer(token));
    expect(second).not.toBe(first);
    expect(second).toEqual(first);
  });

  test("a spelling of a remembered token that differs is not that token", async () => {
    const { authenticator } = setUp();
    const token = await sign("ES256");
    await authenticator.authenticate(bearer(token));
    for (const spelling of [`${token}\n`, `${token}=`, ` ${token}`, `${token} `]) {
      await expect(authenticator.authenticate(bearer(spelling))).rejects.toMatchObject({ reason: "invalid_token" });
    }
  });

  test("F12: anyone can respell an ES256 token, and both spellings carry one token id", async () => {
    const { authenticator } = setUp();
    const token = await sign("ES256");
    const dot = token.lastIndexOf(".");
    const signature = Buffer.from(token.slice(dot + 1), "base64url");
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n; // SEC 2, secp256r1
    const s = order - BigInt(`0x${signature.subarray(32).toString("hex")}`);
    const respelled = Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, "0"), "hex")]);
    const other = `${token.slice(0, dot)}.${respelled.toString("base64url")}`;
    expect(other).not.toBe(token);
    const identify = ({ issuer, tokenId }: Authentication): unknown => ({ issuer, tokenId });
    expect(identify(await authenticator.authenticate(bearer(other)))).toEqual(
      identify(await authenticator.authenticate(bearer(token))),
    );
  });
});

describe("what options allow", () => {
  test("several names of ours, another type and a missing one can be allowed", async () => {
    expect(await verdictOn(await sign("ES256"), { audience: ["x", "hub"] })).toBe("accepted");
    expect(await verdictOn(await sign("ES256", {}, { typ: "JWT" }), { types: ["JWT"] })).toBe("accepted");
    const untyped = await new SignJWT(claims).setProtectedHeader({ alg: "ES256" }).sign(ec.privateKey);
    expect(await verdictOn(untyped)).toBe("invalid_token");
    expect(await verdictOn(untyped, { allowMissingType: true })).toBe("accepted");
  });

  test("a token may be as long as the limit and not a character longer", async () => {
    const token = await sign("ES256", { filler: "x".repeat(8192) });
    expect(await verdictOn(token)).toBe("invalid_token");
    expect(await verdictOn(token, { maxTokenBytes: token.length })).toBe("accepted");
    expect(await verdictOn(token, { maxTokenBytes: token.length - 1 })).toBe("invalid_token");
  });

  test("without a clock of one's own, the system's counts", async () => {
    const authenticator = jwt({ issuer: claims.iss, audience: "hub", keys: verifying.ES256() });
    const fresh = await sign("ES256", { exp: 4_000_000_000 });
    expect((await authenticator.authenticate(bearer(fresh))).expiresAt).toBe(4_000_000_000_000);
    await expect(authenticator.authenticate(bearer(await sign("ES256")))).rejects.toMatchObject({
      reason: "token_expired",
    });
  });
});
