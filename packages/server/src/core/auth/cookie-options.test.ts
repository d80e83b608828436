import { describe, expect, it } from "vitest";
import { assertCookieOrigins, isLoopbackHost, resolveCookie } from "./cookie-options.js";

const strict = { name: "__Host-access", isLoopbackOnly: false };
const lax = { name: "access", isLoopbackOnly: true };

describe("the cookie option", () => {
  it("names a __Host- cookie, inherits one, or says that there is none", () => {
    expect(resolveCookie("hub", "__Host-access", undefined)).toEqual(strict);
    expect(resolveCookie("hub", { name: "__Host-access" }, undefined)).toEqual(strict);
    expect(resolveCookie("hub", undefined, strict)).toBe(strict);
    expect(resolveCookie("hub", undefined, undefined)).toBeUndefined();
    expect(resolveCookie("hub", false, strict)).toBeUndefined();
  });

  it("takes another name for development on loopback only, and says so", () => {
    expect(resolveCookie("hub", { name: "access", insecureLoopback: true }, undefined)).toEqual(lax);
    expect(() => resolveCookie("hub", "access", undefined)).toThrow(
      'hub.cookie: "access" does not begin with __Host-, so a subdomain or plain http could plant one. Over http on ' +
        'loopback, for development: { name: "access", insecureLoopback: true }',
    );
  });

  it.each(["", "__Host-", "a b", "a;b", "a=b", "ä", "__Host-a,b", `__Host-${"a".repeat(58)}`, "__Host-hubward-x"])(
    "refuses the name %j",
    (name) => {
      expect(() => resolveCookie("hub", { name, insecureLoopback: true }, undefined)).toThrow(TypeError);
    },
  );

  it.each(["__Secure-access", "__host-access", "__Http-access"])("refuses %j, which promises less", (name) => {
    expect(() => resolveCookie("hub", { name, insecureLoopback: true }, undefined)).toThrow("does not begin with");
  });

  it("needs the origins of pages, and on loopback no other than loopback's", () => {
    const origins = (...list: readonly string[]) => new Set(list);
    expect(() => assertCookieOrigins("hub", undefined, origins())).not.toThrow();
    expect(() => assertCookieOrigins("hub", strict, origins())).toThrow("hub.cookie: needs allowedOrigins");
    expect(() => assertCookieOrigins("hub", strict, origins("https://ward.example"))).not.toThrow();
    const local = ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:8080"];
    expect(() => assertCookieOrigins("hub", lax, origins(...local))).not.toThrow();
    expect(() => assertCookieOrigins("hub", lax, origins(...local, "https://ward.example"))).toThrow("not on loopback");
    expect(() => assertCookieOrigins("hub", lax, origins("http://localhost.evil.example"))).toThrow("not on loopback");
  });
});

it.each([
  ["localhost", true],
  ["localhost:3000", true],
  ["127.0.0.1:80", true],
  ["127.8.8.8", true],
  ["[::1]:3000", true],
  ["ward.example", false],
  ["localhost.ward.example", false],
  ["127.0.0.1.ward.example", false],
  ["", false],
  [undefined, false],
])("the host %j is on loopback: %j", (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected);
});
