import { testAuthentication } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { sameIdentityAndClient } from "./authentication.js";

describe("whether one credential may take another's place", () => {
  const current = testAuthentication({ tenant: "general", clientId: "app", sessionId: "s1", tokenId: "t1" });

  it.each([
    ["a new token of the same session", { tokenId: "t2" }, true],
    ["another session of the same person", { sessionId: "s2" }, true],
    ["another subject", { subject: "other" }, false],
    ["another issuer", { issuer: "https://other.example" }, false],
    ["another tenant", { tenant: "annex" }, false],
    ["no tenant", { tenant: undefined }, false],
    ["another client", { clientId: "other" }, false],
    ["no client", { clientId: undefined }, false],
  ])("%s: %s", (_, change, expected) => {
    const next = testAuthentication({ tenant: "general", clientId: "app", sessionId: "s1", tokenId: "t1", ...change });
    expect(sameIdentityAndClient(next, current)).toBe(expected);
    expect(sameIdentityAndClient(current, next)).toBe(expected);
  });

  it.each([
    ["the same key", "k", "k", true],
    ["another key", "k", "other", false],
    ["a key where there was none", undefined, "k", true],
    ["no key where there was one", "k", undefined, false],
  ])("%s", (_, before, after, expected) => {
    const bound = (keyThumbprint: string | undefined) => testAuthentication({ keyThumbprint });
    expect(sameIdentityAndClient(bound(after), bound(before))).toBe(expected);
  });
});
