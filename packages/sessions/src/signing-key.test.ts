import { generateKeyPairSync } from "node:crypto";
import { inspect } from "node:util";
import { calculateJwkThumbprint } from "jose";
import { describe, expect, it } from "vitest";
import { exportSigningKey, generateSigningKey, importSigningKey, toPublicJwk } from "./signing-key.js";

describe("a signing key", () => {
  it("is named by its RFC 7638 thumbprint, as jose calculates it", async () => {
    const { keyId, publicJwk } = await generateSigningKey();
    expect(keyId).toBe(await calculateJwkThumbprint({ ...publicJwk }));
    expect(publicJwk).toEqual({
      kty: "EC",
      crv: "P-256",
      x: publicJwk.x,
      y: publicJwk.y,
      kid: keyId,
      alg: "ES256",
      use: "sig",
    });
  });

  it("survives a file: what was exported is the same key again", async () => {
    const key = await generateSigningKey();
    const text = exportSigningKey(key);
    const again = importSigningKey(text);
    expect(again.publicJwk).toEqual(key.publicJwk);
    expect(exportSigningKey(again)).toBe(text);
  });

  it("does not print its private part", async () => {
    const key = await generateSigningKey();
    const exported: unknown = JSON.parse(exportSigningKey(key));
    const secret = (exported as { d: string }).d;
    const printed = inspect(key, { depth: 9, showHidden: true }) + JSON.stringify(key);
    expect(printed).toContain(key.keyId);
    expect(printed).not.toContain(secret);
    expect(printed).not.toContain(Buffer.from(secret, "base64url").toString("hex").slice(0, 8));
  });
});

describe("what is not a signing key", () => {
  const exportOf = async (): Promise<Record<string, string>> =>
    JSON.parse(exportSigningKey(await generateSigningKey())) as Record<string, string>;

  it("is refused: public keys, other curves, other algorithms, other uses, foreign names, truncated numbers", async () => {
    const good = await exportOf();
    const { d: _d, ...publicOnly } = good;
    const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({ format: "jwk" });
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
    for (const bad of [
      publicOnly,
      p384,
      rsa,
      { ...good, alg: "ES384" },
      { ...good, use: "enc" },
      { ...good, x: "AAAA" },
      { ...good, d: "" },
      [],
      null,
      "text",
    ]) {
      expect(() => importSigningKey(JSON.stringify(bad))).toThrow(TypeError);
    }
    expect(() => toPublicJwk({ ...good, kid: "mine" })).toThrow(/thumbprint/);
  });

  it("is refused when its halves belong to two keys", async () => {
    const [one, other] = [await exportOf(), await exportOf()];
    const { x, y } = other;
    const mixed = JSON.stringify({ ...one, x, y });
    expect(() => importSigningKey(mixed)).toThrow(TypeError);
  });

  it("is never quoted by the error", async () => {
    const text = exportSigningKey(await generateSigningKey());
    for (const broken of [text.slice(1), text.slice(0, -1), text.replace("P-256", "P-255")]) {
      let thrown: unknown;
      try {
        importSigningKey(broken);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(TypeError);
      const secret = /"d":"([^"]+)"/.exec(text)?.[1] ?? "missing";
      expect(inspect(thrown, { depth: 9 })).not.toContain(secret.slice(0, 6));
      expect(thrown).not.toHaveProperty("cause");
    }
  });

  it("leaves its private part behind where a public key is asked for", async () => {
    const { d, kid, ...rest } = await exportOf();
    expect(d).toBeTypeOf("string");
    expect(toPublicJwk({ ...rest, d })).toEqual({ ...rest, kid });
  });
});
