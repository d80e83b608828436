import { describe, expect, it } from "vitest";
import { requestOf } from "../../../test/http-fixture.js";
import { Secret } from "../../core/auth/secret.js";
import type { HttpRequest } from "../../core/http.js";
import { systemDigest } from "../../platform/system-crypto.js";
import { fingerprintOf, KnownCredentials } from "./credentials.js";

const of = (request: HttpRequest): string | undefined => fingerprintOf(request, systemDigest);
const bearer = (token: string): HttpRequest => requestOf({ bearers: [token] });
const forwarded = (headers: Readonly<Record<string, string>>, bearers: readonly string[] = []): HttpRequest => ({
  ...requestOf({ bearers }),
  forwarded: {
    kind: "forwarded",
    headers: new Map(Object.entries(headers).map(([name, value]) => [name, new Secret(value)])),
  },
});

describe("a request's fingerprint", () => {
  it("is the same for the same credential, and holds nothing of it", () => {
    expect(of(bearer("abc"))).toBe(of(bearer("abc")));
    expect(of(bearer("abc"))).not.toContain("abc");
    expect(of(forwarded({ a: "1", b: "2" }))).toBe(of(forwarded({ b: "2", a: "1" })));
    // A ticket is the same in the URL of a stream and in the header of a send.
    expect(of(requestOf({ queryBearers: ["hwt_x"] }))).toBe(of(bearer("hwt_x")));
  });

  it("differs for anything that could mean another", () => {
    const all = [
      bearer("a"),
      bearer("b"),
      forwarded({ a: "1" }),
      forwarded({ a: "2" }),
      forwarded({ a: "1" }, ["a"]),
      forwarded({ a: "1", b: "2" }),
      forwarded({ a: "1b", b: "2" }),
      forwarded({ ab: "1", b: "2" }),
      forwarded({ a: "" }, ["1"]),
    ].map(of);
    expect(new Set(all).size).toBe(all.length);
  });

  it("is none for nothing, and for a JWT in a URL", () => {
    expect(of(requestOf())).toBeUndefined();
    expect(of(requestOf({ queryBearers: ["eyJ.eyJ.x"] }))).toBeUndefined();
  });

  it("is refused for two credentials, and for headers that nobody may believe", () => {
    expect(() => of(requestOf({ bearers: ["a", "b"] }))).toThrow("invalid_request");
    expect(() => of({ ...bearer("a"), forwarded: { kind: "unbelievable", why: "untrusted" } })).toThrow(
      "invalid_request",
    );
  });
});

it("a connection knows the credential it began with and the last other one; nothing is no credential", () => {
  const known = new KnownCredentials("first");
  for (const each of ["second", "first", "third", undefined]) known.add(each);
  expect(["first", "second", "third", undefined].map((each) => known.has(each))).toEqual([true, false, false, false]);
  known.add("third");
  expect(known.has("third")).toBe(true);
  expect(new KnownCredentials(undefined).has(undefined)).toBe(false);
});
