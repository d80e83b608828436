import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { certificate } from "../../../../../tests/support/certificate.js";
import { createFakeClock } from "../../../../../tests/support/fake-clock.js";
import { json, startKeyServer } from "../../../../../tests/providers/support/key-server.js";
import { bearer, INVALID, issuer, setUpKeys, UNAVAILABLE } from "../../../../../tests/providers/support/key-setting.js";
import { createSigner, type Signer } from "../../../../../tests/providers/support/signer.js";
import { jwks, jwt, type JwtAuthenticator } from "./index.js";

describe("keys of an address", () => {
  test("nothing is fetched before the first token; then tokens of every published key pass", async () => {
    const { server, signer, publish, verdict } = await setUpKeys();
    const [a, b] = [signer("a"), signer("b")];
    publish(a, b);
    expect(server.requests.items).toEqual([]);
    expect(await verdict(await a.token())).toBe("accepted");
    expect(await verdict(await b.token())).toBe("accepted");
    expect(server.requests.items).toEqual(["GET /jwks"]);
  });

  test("F14: two thousand tokens at a cold start are one fetch", async () => {
    const { server, signer, publish, verdict } = await setUpKeys();
    const key = signer("a");
    publish(key);
    const tokens = await Promise.all(Array.from({ length: 2000 }, () => key.token()));
    const verdicts = await Promise.all(tokens.map(verdict));
    expect(new Set(verdicts)).toEqual(new Set(["accepted"]));
    expect(server.requests.items).toHaveLength(1);
  });

  test("over https, with an authority of one's own", async () => {
    const clock = createFakeClock();
    const key = createSigner("a", { issuer, clock });
    const server = await startKeyServer(json({ keys: [key.jwk] }), { tls: true });
    const keys = jwks(`${server.origin}/jwks`, { clock, ca: certificate });
    const authenticator = jwt({ issuer, audience: "hub", keys, clock });
    expect(await authenticator.authenticate(bearer(await key.token()))).toMatchObject({ subject: "alice", keyId: "a" });
  });

  test("a published key of an algorithm that was not asked for does not count", async () => {
    const { signer, publish, verdict, failures } = await setUpKeys({ algorithms: ["RS256"] });
    const key = signer("a");
    publish(key);
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    expect(await verdict(await key.token())).toBe(INVALID); // refused by its header: nobody was asked
    const claims = { iss: issuer, aud: "hub", sub: "alice", exp: 2_000_000_000 };
    const header = { alg: "RS256", kid: "a", typ: "at+jwt" };
    expect(await verdict(await new SignJWT(claims).setProtectedHeader(header).sign(rsa.privateKey))).toMatch(
      UNAVAILABLE,
    );
    expect(failures.map(({ message }) => message)).toEqual(["the key set holds no key that could be used"]);
  });
});

describe("unknown key ids", () => {
  test("F14: five hundred of them inside the cooldown cause no fetch, and are refused for good", async () => {
    const { server, signer, publish, verdict } = await setUpKeys();
    const known = signer("a");
    publish(known);
    await verdict(await known.token());
    const tokens = await Promise.all(Array.from({ length: 500 }, (_, at) => signer(`x${at % 7}`).token()));
    expect(new Set(await Promise.all(tokens.map(verdict)))).toEqual(new Set([INVALID]));
    expect(server.requests.items).toHaveLength(1);
  });

  test("after the cooldown they cause one fetch together, and a key that is new there is found", async () => {
    const { server, clock, signer, publish, verdict } = await setUpKeys();
    const [old, fresh, never] = [signer("old"), signer("fresh"), signer("never")];
    publish(old);
    await verdict(await old.token());
    publish(old, fresh);
    const tokens = [await fresh.token(), await never.token(), await old.token(), await fresh.token()];
    clock.advance(29_999);
    expect(await verdict(tokens[0]!)).toBe(INVALID);
    clock.advance(1);
    expect(await Promise.all(tokens.map(verdict))).toEqual(["accepted", INVALID, "accepted", "accepted"]);
    expect(server.requests.items).toHaveLength(2);
    clock.advance(29_999);
    expect(await verdict(await never.token())).toBe(INVALID);
    expect(server.requests.items).toHaveLength(2);
  });

  test("CVE-2026-81829, CVE-2026-32301: nothing a token says reaches an address", async () => {
    const { server, clock, signer, publish, verdict } = await setUpKeys();
    const known = signer("a");
    publish(known);
    for (const kid of [
      "../admin",
      "a?x=1",
      "a#b",
      "http://127.0.0.1:1/",
      "%2e%2e/",
      "a\r\nx: y",
      "{iss}",
      "__proto__",
    ]) {
      const iss = `https://issuer.example/${kid}`;
      expect(await verdict(await known.token({ iss, aud: kid }, { kid, jku: "http://127.0.0.1:1/" }))).toBe(INVALID);
      clock.advance(30_000);
    }
    expect(new Set(server.requests.items)).toEqual(new Set(["GET /jwks"]));
  });
});

describe("CVE-2026-49998: keys belong to one issuer", () => {
  test("two tenants use one key id, and neither's key verifies the other's token", async () => {
    const clock = createFakeClock();
    const tenant = async (name: string): Promise<{ signer: Signer; authenticator: JwtAuthenticator }> => {
      const iss = `https://${name}.example/`;
      const signer = createSigner("shared-kid", { issuer: iss, clock });
      const server = await startKeyServer(json({ keys: [signer.jwk] }));
      const keys = jwks(`${server.origin}/jwks`, { clock, allowLoopbackHttp: true });
      return { signer, authenticator: jwt({ issuer: iss, audience: "hub", keys, clock }) };
    };
    const [a, b] = [await tenant("a"), await tenant("b")];
    await a.authenticator.authenticate(bearer(await a.signer.token()));
    await b.authenticator.authenticate(bearer(await b.signer.token()));
    const forged = await a.signer.token({ iss: "https://b.example/" });
    for (const { authenticator } of [a, b]) {
      await expect(authenticator.authenticate(bearer(forged))).rejects.toMatchObject({ reason: "invalid_token" });
    }
  });

  test("a source that serves one issuer is taken for no other", () => {
    const keys = jwks("https://keys.example/jwks");
    const build = (iss: string): JwtAuthenticator => jwt({ issuer: iss, audience: "hub", keys });
    build("https://a.example/");
    expect(() => build("https://b.example/")).toThrow(TypeError);
    expect(build("https://a.example/").issuer).toBe("https://a.example/");
  });
});
