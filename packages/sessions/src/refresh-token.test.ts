import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  assertRefreshKey,
  deriveRefreshKey,
  importRefreshKey,
  openRefreshToken,
  sealRefreshToken,
} from "./refresh-token.js";

const key = importRefreshKey(new Uint8Array(32).fill(7));
const sessionId = "AAAAAAAAAAAAAAAAAAAAAA";
const token = sealRefreshToken(key, { sessionId, generation: 41 });
const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

describe("a refresh token", () => {
  it("says its session and generation to the server that wrote it, and is the same bytes every time", () => {
    expect(openRefreshToken(key, token)).toEqual({ sessionId, generation: 41 });
    expect(sealRefreshToken(key, { sessionId, generation: 41 })).toBe(token);
    expect(sealRefreshToken(key, { sessionId, generation: 42 })).not.toBe(token);
  });

  it("round-trips for every session id and every generation up to fifteen digits", () => {
    const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString("base64url"));
    fc.assert(
      fc.property(id, fc.integer({ min: 0, max: 999_999_999_999_999 }), (sessionId, generation) => {
        const content = { sessionId, generation };
        expect(openRefreshToken(key, sealRefreshToken(key, content))).toEqual(content);
      }),
    );
  });

  it("is garbage to a server with another key", () => {
    expect(openRefreshToken(importRefreshKey(randomBytes(32)), token)).toBeUndefined();
  });

  it("is garbage with any one character changed, in every place", () => {
    for (let place = 0; place < token.length; place++) {
      for (const character of `${base64url}.= `) {
        if (character === token[place]) continue;
        const forged = token.slice(0, place) + character + token.slice(place + 1);
        expect(openRefreshToken(key, forged), forged).toBeUndefined();
      }
    }
  });

  it.each([
    ["empty", ""],
    ["with white space behind it", `${token} `],
    ["with a newline behind it", `${token}\n`],
    ["in quotes", `"${token}"`],
    ["padded", `${token}=`],
    ["with a leading zero", token.replace(".41.", ".041.")],
    ["with a negative generation", token.replace(".41.", ".-41.")],
    ["with a fraction", token.replace(".41.", ".41.0.")],
    ["with an exponent", token.replace(".41.", ".4e1.")],
    ["with sixteen digits", token.replace(".41.", ".4100000000000000.")],
    ["without its MAC", token.slice(0, -43)],
    ["with an empty MAC", `${token.slice(0, -43)}${"=".repeat(43)}`],
    ["of a megabyte", "A".repeat(1_048_576)],
    ["in full-width digits", token.replace(".41.", ".４１.")],
  ])("is garbage %s", (_name, forged) => {
    expect(openRefreshToken(key, forged)).toBeUndefined();
  });
});

describe("the key of refresh tokens", () => {
  it("is derived alike from the same secret, as text or bytes, and differently from another", () => {
    const secret = "0123456789abcdef0123456789abcdef";
    const sealed = sealRefreshToken(deriveRefreshKey(secret), { sessionId, generation: 0 });
    const fromBytes = deriveRefreshKey(new TextEncoder().encode(secret));
    expect(openRefreshToken(fromBytes, sealed)).toEqual({ sessionId, generation: 0 });
    expect(openRefreshToken(deriveRefreshKey(`${secret}!`), sealed)).toBeUndefined();
    expect(deriveRefreshKey(secret).export()).not.toEqual(Buffer.from(secret)); // never the secret itself
  });

  it("is refused when short, and an import when it is not exactly 32 bytes", () => {
    expect(() => deriveRefreshKey("hunter2")).toThrow(RangeError);
    expect(() => deriveRefreshKey(new Uint8Array(31))).toThrow(RangeError);
    expect(() => importRefreshKey(new Uint8Array(31))).toThrow(RangeError);
    expect(() => importRefreshKey(new Uint8Array(33))).toThrow(RangeError);
    expect(() => assertRefreshKey(key)).not.toThrow();
  });

  it("does not print", () => {
    const bytes = randomBytes(32);
    const printed =
      inspect(importRefreshKey(bytes), { depth: 9, showHidden: true }) + JSON.stringify(importRefreshKey(bytes));
    expect(printed).not.toContain(bytes.toString("hex").slice(0, 8));
    expect(printed).toContain("SecretKeyObject");
  });
});
