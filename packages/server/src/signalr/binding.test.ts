import { createSeededRandom } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { requestOf } from "../../test/http-fixture.js";
import { systemDigest } from "../platform/system-crypto.js";
import { identityKey } from "../core/ids.js";
import { bindingCookieName, createBindings, type Binding } from "./binding.js";

const { bind, allows } = createBindings({ digest: systemDigest, random: createSeededRandom(1) });
const identity = (subject: string) => identityKey({ tenant: undefined, issuer: "https://issuer.example", subject });
const ann = identity("ann");
const old = `${"v".repeat(22)}.${"v".repeat(43)}`;
const secure = (binding?: string) => requestOf({ isSecure: true, cookies: binding === undefined ? {} : { binding } });

function given(to = ann): { readonly binding: Binding; readonly value: string } {
  const bound = bind(secure(), "/hub", to, true);
  const [, value = ""] = /=([\w.-]+);/.exec(bound?.setCookie ?? "") ?? [];
  if (bound === undefined) throw new TypeError("nothing was given");
  return { binding: bound.binding, value };
}

describe("the cookie of a negotiate", () => {
  it("is set over https alone, for scripts and other sites out of reach", () => {
    expect(bind(requestOf(), "/hubs/Ward", ann, true)).toBeUndefined();
    expect(bind(secure(), "/hubs/Ward", ann, true)?.setCookie).toMatch(
      /^__Host-hubward-hubs\.ward=[\w-]{22}\.[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    );
    expect(bindingCookieName("/hub")).toBe("__Host-hubward-hub");
  });

  it("stays what it is in a browser that has it, so that its other connections stay bound", () => {
    const bound = bind(secure(old), "/hub", ann, true);
    expect(bound).toEqual({
      binding: { browser: systemDigest(old), identity: ann, isShown: false },
      setCookie: undefined,
    });
  });

  it("is given to nobody who may have read a ticket, and bound to where it was given before", () => {
    expect(bind(secure(), "/hub", ann, false)).toBeUndefined();
    expect(bind(secure(old), "/hub", ann, false)?.binding.browser).toBe(systemDigest(old));
  });

  it.each(["", "short", `${old}v`, `v${old}`, old.replace(".", "%"), old.replace(".", "v")])(
    "is replaced where it is not of ours: %j",
    (shown) => {
      expect(bind(secure(shown), "/hub", ann, true)?.setCookie).toContain("__Host-hubward-hub=");
    },
  );

  it("is new for each browser, and kept by hash", () => {
    const [one, two] = [given(), given()];
    expect(one.value).not.toBe(two.value);
    expect(one.binding.browser).toBe(systemDigest(one.value));
    expect(JSON.stringify(one.binding)).not.toContain(one.value.slice(0, 22));
  });
});

describe("a connection", () => {
  /** What is said to requests that show these, one after the other. */
  const said = (binding: Binding | undefined, ...values: readonly (string | undefined)[]): readonly boolean[] =>
    values.map((value) => allows(binding, secure(value)));

  it("that was negotiated over http is bound to no browser", () => {
    expect(said(undefined, undefined, old)).toEqual([true, true]);
  });

  it("asks nothing of a client that never shows a cookie", () => {
    expect(said(given().binding, undefined, undefined, undefined)).toEqual([true, true, true]);
  });

  it("requires the cookie once it was shown", () => {
    const { binding, value } = given();
    expect(said(binding, value, undefined, old, "short", value)).toEqual([true, false, false, false, true]);
  });

  it("knows every value that its identity was given, where another tab was faster", () => {
    const [{ binding, value }, other] = [given(), given()];
    expect(said(binding, value, other.value, undefined, value)).toEqual([true, true, false, true]);
    const tampered = `${other.value.slice(0, -1)}${other.value.endsWith("A") ? "B" : "A"}`;
    expect(said(binding, given(identity("bob")).value, tampered)).toEqual([false, false]);
  });

  it("takes no value that another server gave", () => {
    const { binding, value } = given();
    const elsewhere = createBindings({ digest: systemDigest, random: createSeededRandom(2) });
    const foreign = /=([\w.-]+);/.exec(elsewhere.bind(secure(), "/hub", ann, true)?.setCookie ?? "")?.[1];
    expect(said(binding, value, foreign)).toEqual([true, false]);
  });

  it("is not bound by a stranger's cookie", () => {
    expect(said(given().binding, old, given(identity("bob")).value, undefined)).toEqual([true, true, true]);
  });
});
