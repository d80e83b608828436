import { describe, expect, it } from "vitest";
import { clearCookie, describeCookie, readCookie, writeCookie } from "./cookie.js";

const plain = describeCookie("session", "/auth", false);
const secure = describeCookie("session", "/auth", true);

describe("the cookie that is written", () => {
  it("over https is Secure and says so in its name", () => {
    expect(writeCookie(secure, "v", 60)).toBe(
      "__Secure-session=v; Max-Age=60; Path=/auth; HttpOnly; SameSite=Strict; Secure",
    );
  });

  it("over http is neither", () => {
    expect(writeCookie(plain, "v", 60)).toBe("session=v; Max-Age=60; Path=/auth; HttpOnly; SameSite=Strict");
  });

  it("is cleared with the same name, path and attributes", () => {
    expect(clearCookie(secure)).toBe("__Secure-session=; Max-Age=0; Path=/auth; HttpOnly; SameSite=Strict; Secure");
  });

  it.each([
    ["a;b", "/auth"],
    ["a b", "/auth"],
    ["a=b", "/auth"],
    ["", "/auth"],
    ["__Host-a", "/auth"],
    ["a\r\nSet-Cookie: b", "/auth"],
    ["a", "auth"],
    ["a", "/auth; Domain=example.org"],
    ["a", "/a\nb"],
  ])("cannot be described by name %j and path %j", (name, path) => {
    expect(() => describeCookie(name, path, true)).toThrow(TypeError);
  });
});

describe("the cookie that is read", () => {
  it.each([
    ["no header", null, { found: "none" }],
    ["an empty header", "", { found: "none" }],
    ["other cookies only", "a=1; b=2", { found: "none" }],
    ["ours among others", "a=1; session=v.1.m; b=2", { found: "one", value: "v.1.m" }],
    ["ours without spaces", "a=1;session=v;b=2", { found: "one", value: "v" }],
    ["ours with equals signs in it", "session=a=b==", { found: "one", value: "a=b==" }],
    ["ours with nothing in it", "session=", { found: "one", value: "" }],
    ["ours in quotes, which belong to it", 'session="v"', { found: "one", value: '"v"' }],
    ["a name that ends like ours", "xsession=v", { found: "none" }],
    ["a name that begins like ours", "session2=v", { found: "none" }],
    ["our name in other letters", "Session=v", { found: "none" }],
    ["our name without a value", "session", { found: "none" }],
    ["our name in the value of another", "a=session=v", { found: "none" }],
    ["a nameless cookie that imitates ours", "=session=v", { found: "none" }],
    ["our name behind a no-break space", "\u00a0session=v", { found: "none" }],
    ["our name twice", "session=v; session=w", { found: "several" }],
    ["our name twice with one value", "session=v; a=1; session=v", { found: "several" }],
    ["ours and an empty one", "session=; session=v", { found: "several" }],
    ["the secure name, which is another cookie", "__Secure-session=v", { found: "none" }],
  ])("from %s", (_name, header, reading) => {
    expect(readCookie(plain, header)).toEqual(reading);
  });

  it("over https is the prefixed one only: the other may have been planted over http", () => {
    expect(readCookie(secure, "session=planted; __Secure-session=v")).toEqual({ found: "one", value: "v" });
    expect(readCookie(secure, "session=planted")).toEqual({ found: "none" });
  });
});
