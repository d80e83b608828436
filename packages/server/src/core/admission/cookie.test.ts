import { describe, expect, it } from "vitest";
import { requestOf, type TestRequest } from "../../../test/http-fixture.js";
import type { CookieRule } from "../auth/cookie-options.js";
import { readCookie } from "../auth/cookie-header.js";
import type { BearerCredential } from "../auth/credential.js";
import { HubwardError } from "../errors.js";
import { cookieOf, cookieOfRoute } from "./cookie.js";

const own = "https://ward.example";
const origins = new Set([own]);
const rule: CookieRule = { name: "__Host-access", isLoopbackOnly: false };
const local: CookieRule = { name: "access", isLoopbackOnly: true };

/** `in`, `nobody`, or why not. */
function verdict(read: () => BearerCredential | undefined): string {
  try {
    const credential = read();
    if (credential !== undefined) expect([credential.source, credential.token.reveal()]).toEqual(["cookie", "eyJ.x"]);
    return credential === undefined ? "nobody" : "in";
  } catch (error) {
    return error instanceof HubwardError ? error.reason : String(error);
  }
}

const ofHub = (request: TestRequest, used: CookieRule | undefined = rule): string =>
  verdict(() => cookieOf(requestOf({ cookies: { access: "eyJ.x" }, ...request }), used, origins));
const ofRoute = (method: string | undefined, headers: Readonly<Record<string, string>>): string =>
  verdict(() => cookieOfRoute(readCookie("a=eyJ.x", "a"), rule, { method, header: (name) => headers[name] }, origins));

const evil = "https://evil.example";
const sibling = "https://blog.ward.example";
const sockets = { upgrade: "websocket" };

describe("a cookie at a hub", () => {
  const contexts: readonly (readonly [string, Readonly<Record<string, string>>, sending: string, reading: string])[] = [
    ["our page", { origin: own, "sec-fetch-site": "same-origin" }, "in", "in"],
    ["our page, by Origin alone", { origin: own }, "in", "in"],
    ["our page, by Sec-Fetch-Site alone", { "sec-fetch-site": "same-origin" }, "origin_denied", "in"],
    ["nobody says", {}, "origin_denied", "origin_denied"],
    ["Node's fetch", { "sec-fetch-mode": "cors" }, "origin_denied", "origin_denied"],
    ["another page", { origin: evil, "sec-fetch-site": "cross-site" }, "origin_denied", "origin_denied"],
    ["another page of an old browser", { origin: evil }, "origin_denied", "origin_denied"],
    ["another page that names none", { "sec-fetch-site": "cross-site" }, "origin_denied", "origin_denied"],
    ["an allowed page elsewhere", { origin: own, "sec-fetch-site": "cross-site" }, "origin_denied", "origin_denied"],
    ["an allowed page next door", { origin: own, "sec-fetch-site": "same-site" }, "origin_denied", "origin_denied"],
    ["a sibling", { origin: sibling, "sec-fetch-site": "same-site" }, "origin_denied", "origin_denied"],
    ["a sibling that names none", { "sec-fetch-site": "same-site" }, "origin_denied", "origin_denied"],
    ["a person's address bar", { "sec-fetch-site": "none" }, "origin_denied", "origin_denied"],
    ["a sandbox", { origin: "null", "sec-fetch-site": "same-origin" }, "origin_denied", "origin_denied"],
    ["two words at once", { "sec-fetch-site": "same-origin, none" }, "origin_denied", "origin_denied"],
    ["an empty Origin", { origin: "", "sec-fetch-site": "same-origin" }, "origin_denied", "origin_denied"],
  ];
  it.each(contexts)("%s", (_, headers, sending, reading) => {
    expect(["POST", "DELETE"].map((method) => ofHub({ method, headers }))).toEqual([sending, sending]);
    expect(ofHub({ method: "GET", headers: { ...headers, ...sockets } })).toBe(sending);
    expect(ofHub({ method: "GET", headers })).toBe(reading);
  });

  const headers = { origin: own };
  it.each<[string, TestRequest, string]>([
    ["beside a bearer", { bearers: ["eyJ.other"] }, "nobody"],
    ["beside a bearer in the query", { queryBearers: ["hwt_x"] }, "nobody"],
    ["that is empty", { cookies: { access: "" } }, "nobody"],
    ["that is not there", { cookies: {} }, "nobody"],
    ["of a value no browser would keep", { cookies: { access: '"x"' } }, "invalid_request"],
    ["that holds a ticket", { cookies: { access: `hwt_${"x".repeat(43)}` } }, "invalid_token"],
  ])("%s", (_, request, expected) => {
    expect(ofHub({ headers, ...request })).toBe(expected);
  });

  it("is nobody's beside a gateway's word, and where the hub takes none", () => {
    const request = { ...requestOf({ headers, cookies: { access: "eyJ.x" } }) };
    const forwarded = { kind: "forwarded", headers: new Map() } as const;
    expect(cookieOf({ ...request, forwarded }, rule, origins)).toBeUndefined();
    expect(cookieOf(request, undefined, origins)).toBeUndefined();
  });

  it("without __Host- counts on loopback only", () => {
    const at = (host: string) => ofHub({ headers: { origin: own, host } }, local);
    expect([at("localhost:3000"), at("127.0.0.1:3000"), at("ward.example")]).toEqual(["in", "in", "invalid_request"]);
    expect(ofHub({ headers }, local)).toBe("invalid_request");
  });
});

describe("a cookie at an ordinary route", () => {
  const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  const denied = "origin_denied";
  it.each<[string, Readonly<Record<string, string>>, safe: string, unsafe: string]>([
    ["our page's fetch", { "sec-fetch-site": "same-origin" }, "in", denied],
    ["our page's form", { origin: own, "sec-fetch-site": "same-origin" }, "in", "in"],
    ["our page in an old browser", { origin: own }, "in", "in"],
    ["a person's address bar", { "sec-fetch-site": "none" }, "in", denied],
    ["a link from elsewhere", link, "in", denied],
    ["a form from elsewhere", { ...link, origin: evil }, denied, denied],
    ["a frame from elsewhere", { ...link, "sec-fetch-dest": "iframe" }, denied, denied],
    ["an image from elsewhere", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, denied, denied],
    ["an image from next door", { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" }, denied, denied],
    ["a fetch of another page", { origin: evil, "sec-fetch-site": "cross-site" }, denied, denied],
    ["a fetch of an allowed page elsewhere", { origin: own, "sec-fetch-site": "cross-site" }, denied, denied],
    ["a socket of another page", { origin: evil, ...sockets }, denied, denied],
    ["nobody says", {}, denied, denied],
  ])("%s", (_, headers, safe, unsafe) => {
    expect(["GET", "HEAD"].map((method) => ofRoute(method, headers))).toEqual([safe, safe]);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "get", undefined])
      expect(ofRoute(method, headers)).toBe(unsafe);
  });
});
