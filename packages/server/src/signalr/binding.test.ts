import { createSeededRandom } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { requestOf } from "../../test/http-fixture.js";
import { systemDigest } from "../platform/system-crypto.js";
import { bind, bindingCookieName, browserOf, isOfBrowser, type Binding } from "./binding.js";

const ports = { digest: systemDigest, random: createSeededRandom(1) };
const value = "v".repeat(43);
const secure = (binding?: string) => requestOf({ isSecure: true, cookies: binding === undefined ? {} : { binding } });

describe("the cookie of a negotiate", () => {
  it("is set over https alone, for scripts and other sites out of reach", () => {
    expect(bind(requestOf(), "/hubs/Ward", ports)).toBeUndefined();
    expect(bind(secure(), "/hubs/Ward", ports)?.setCookie).toMatch(
      /^__Host-hubward-hubs\.ward=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    );
    expect(bindingCookieName("/hub")).toBe("__Host-hubward-hub");
  });

  it("stays what it is in a browser that has it, so that its other connections stay bound", () => {
    const bound = bind(secure(value), "/hub", ports);
    expect(bound).toEqual({ binding: { browser: systemDigest(value), isShown: false }, setCookie: undefined });
  });

  it.each(["", "short", "v".repeat(44), `${"v".repeat(42)}%`])("is replaced where it is not of ours: %j", (shown) => {
    expect(bind(secure(shown), "/hub", ports)?.setCookie).toContain("__Host-hubward-hub=");
    expect(browserOf(secure(shown), systemDigest)).toBeUndefined();
  });

  it("is new for each browser, and kept by hash", () => {
    const made = [bind(secure(), "/hub", ports), bind(secure(), "/hub", ports)];
    expect(new Set(made.map((one) => one?.setCookie)).size).toBe(2);
    const [, text = ""] = /=([\w-]{43});/.exec(made[0]?.setCookie ?? "") ?? [];
    expect(made[0]?.binding.browser).toBe(browserOf(secure(text), systemDigest));
    expect(JSON.stringify(made[0]?.binding)).not.toContain(text);
  });
});

describe("a connection", () => {
  const attempt = (binding?: Binding) => ({ binding, isAttached: false });
  const fresh = () => attempt({ browser: "mine", isShown: false });

  it("that was negotiated over http is bound to no browser", () => {
    expect([undefined, "any"].map((browser) => isOfBrowser(attempt(), browser))).toEqual([true, true]);
  });

  it("asks nothing of a client that never shows a cookie", () => {
    const one = fresh();
    expect([1, 2, 3].map(() => isOfBrowser({ ...one, isAttached: true }, undefined))).toEqual([true, true, true]);
  });

  it("requires the cookie once it was shown", () => {
    const one = fresh();
    const attached = { ...one, isAttached: true };
    expect(["mine", undefined, "other", "mine"].map((browser) => isOfBrowser(attached, browser))).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  it("is bound to what its browser shows when it gets its transport, where another tab was faster", () => {
    const one = fresh();
    expect(isOfBrowser(one, "the other tab's")).toBe(true);
    expect(["mine", undefined, "the other tab's"].map((browser) => isOfBrowser(one, browser))).toEqual([
      false,
      false,
      true,
    ]);
  });

  it("is not bound by a stranger's cookie later on", () => {
    const attached = { ...fresh(), isAttached: true };
    expect([undefined, "stranger", undefined].map((browser) => isOfBrowser(attached, browser))).toEqual([
      true,
      true,
      true,
    ]);
  });
});
