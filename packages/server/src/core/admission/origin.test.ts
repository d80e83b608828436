import { describe, expect, it } from "vitest";
import { requestOf } from "../../../test/http-fixture.js";
import { isFromBrowser, judgeOrigin, resolveAllowedOrigins } from "./origin.js";

const allowed = resolveAllowedOrigins(["https://ward.example", "http://127.0.0.1:3000", "http://[::1]:3000"]);

describe("the origin of a request", () => {
  it.each<[string, Record<string, string>, boolean, boolean]>([
    ["no headers: no browser", {}, false, true],
    ["Node's fetch", { "sec-fetch-mode": "cors" }, false, true],
    ["an allowed page", { origin: "https://ward.example", "sec-fetch-site": "same-site" }, true, true],
    ["an allowed page of an old browser", { origin: "http://127.0.0.1:3000" }, true, true],
    ["an allowed page over IPv6", { origin: "http://[::1]:3000" }, true, true],
    ["a browser that names no origin", { "sec-fetch-site": "same-origin" }, true, false],
    ["another page", { origin: "https://evil.example" }, true, false],
    ["another port", { origin: "http://127.0.0.1:3001" }, true, false],
    ["another scheme", { origin: "http://ward.example" }, true, false],
    ["a page in a sandbox", { origin: "null" }, true, false],
    ["a longer name", { origin: "https://ward.example.evil.example" }, true, false],
    ["a subdomain", { origin: "https://x.ward.example" }, true, false],
    ["another spelling", { origin: "https://WARD.example" }, true, false],
    ["a path", { origin: "https://ward.example/" }, true, false],
    ["an empty one", { origin: "" }, true, false],
  ])("%s", (_, headers, fromBrowser, passes) => {
    const request = requestOf({ headers });
    expect(isFromBrowser(request)).toBe(fromBrowser);
    expect(judgeOrigin(request, allowed)?.reason).toBe(passes ? undefined : "origin_denied");
  });

  it("is refused to every page where none is allowed", () => {
    const none = resolveAllowedOrigins([]);
    expect(judgeOrigin(requestOf({ headers: { origin: "https://ward.example" } }), none)?.reason).toBe("origin_denied");
    expect(judgeOrigin(requestOf(), none)).toBeUndefined();
  });
});

describe("allowed origins", () => {
  it.each([
    "*",
    "https://*.example",
    "ward.example",
    "https://ward.example/",
    "https://ward.example/path",
    "https://WARD.example",
    "https://user@ward.example",
    "https://ward.example:",
    "https://ward.example:123456",
    "ftp://ward.example",
    "null",
    "",
    " https://ward.example",
    "https://ward.example\n",
  ])("cannot be %j, which no browser sends", (origin) => {
    expect(() => resolveAllowedOrigins([origin])).toThrow(RangeError);
  });
});
