import { format, inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { Secret } from "./secret.js";

const value = "eyJhbGciOiJFUzI1NiJ9.payload.signature";
const secret = new Secret(value);

describe("a secret", () => {
  it("is revealed where it is used", () => {
    expect([secret.reveal(), secret.length]).toEqual([value, value.length]);
  });

  it.each<[string, () => string]>([
    ["String", () => String(secret)],
    ["a template", () => `${secret as unknown as string}`],
    ["concatenation", () => "" + (secret as unknown as string)],
    ["JSON", () => JSON.stringify({ secret, list: [secret] })],
    ["inspect", () => inspect(secret)],
    ["inspect of everything", () => inspect({ secret }, { depth: 10, showHidden: true, getters: true })],
    ["inspect of a map", () => inspect(new Map([[secret, secret]]))],
    ["printf", () => format("%s %o %O %j", secret, secret, secret, secret)],
    ["an error's message", () => String(new Error(`bad token ${secret as unknown as string}`))],
    ["its own keys", () => JSON.stringify([Object.keys(secret), Object.entries(secret), { ...secret }])],
    ["a clone", () => inspect(structuredClone({ secret: { ...secret } }))],
  ])("does not show in %s", (_, print) => {
    expect(print()).not.toContain("eyJ");
    expect(print()).not.toContain("signature");
  });

  it("says that it is one", () => {
    expect([String(secret), JSON.stringify(secret), inspect(secret)]).toEqual(["[secret]", '"[secret]"', "[secret]"]);
  });
});
