import { describe, expect, it } from "vitest";
import { createApp, type AppFixture } from "../../test/app-fixture.js";
import type { RequestWithHeaders } from "./http.js";
import { HubwardError } from "./index.js";

const origin = "https://ward.example";
const createCookieApp = (): AppFixture => createApp({ allowedOrigins: [origin], cookie: "__Host-access" });

/** Who was let in, or why nobody was. */
function outcome({ app }: AppFixture, request: RequestWithHeaders): Promise<string> {
  return app.http.authenticate(request).then(
    ({ principal }) => principal.subject,
    (error: unknown) => (error instanceof HubwardError ? error.reason : String(error)),
  );
}

type Headers = Readonly<Record<string, string>>;

describe("a cookie at a guarded route", () => {
  it.each<[string, string, Headers, string]>([
    ["GET", "of our page", { "sec-fetch-site": "same-origin" }, "ann"],
    ["GET", "by the address bar", { "sec-fetch-site": "none" }, "ann"],
    ["GET", "of another page", { "sec-fetch-site": "cross-site" }, "origin_denied"],
    ["GET", "of nobody who says so", {}, "origin_denied"],
    ["POST", "of our page", { origin, "sec-fetch-site": "same-origin" }, "ann"],
    ["POST", "of our page without its origin", { "sec-fetch-site": "same-origin" }, "origin_denied"],
    ["POST", "of another page's form", { origin: "https://evil.example" }, "origin_denied"],
    ["POST", "beside another person's bearer", { authorization: "Bearer <bob>" }, "bob"],
    ["POST", "beside an unknown bearer", { origin, authorization: "Bearer eyJ-unknown" }, "invalid_token"],
    ["POST", "beside a bearer that cannot be read", { origin, authorization: "Bearer a, Bearer b" }, "invalid_token"],
    ["POST", "beside an empty bearer", { origin, authorization: "Bearer" }, "invalid_token"],
    ["POST", "beside another scheme", { origin, authorization: "Basic YTpi" }, "ann"],
  ])("%s %s", async (method, _, headers, expected) => {
    const fixture = createCookieApp();
    const cookie = `theme=dark; __Host-access=${fixture.tokenOf({ subject: "ann" })}`;
    const bob = fixture.tokenOf({ subject: "bob" });
    const { authorization, ...rest } = headers;
    const all = {
      ...rest,
      cookie,
      ...(authorization === undefined ? {} : { authorization: authorization.replace("<bob>", bob) }),
    };
    expect(await outcome(fixture, { method, headers: all })).toBe(expected);
    // A web Request's headers are read in the same way.
    const read = { get: (name: string) => (all as Headers)[name] ?? null };
    expect(await outcome(fixture, { method, headers: read })).toBe(expected);
  });

  it("without a method is asked what a POST is", async () => {
    const fixture = createCookieApp();
    const cookie = `__Host-access=${fixture.tokenOf({ subject: "ann" })}`;
    expect(await outcome(fixture, { headers: { cookie, "sec-fetch-site": "same-origin" } })).toBe("origin_denied");
    expect(await outcome(fixture, { headers: { cookie, origin } })).toBe("ann");
  });

  it("that stands there twice is no way to ask, and a ticket in it is none", async () => {
    const fixture = createCookieApp();
    const by = (cookie: string) => outcome(fixture, { method: "POST", headers: { origin, cookie } });
    const token = fixture.tokenOf({ subject: "ann" });
    expect(await by(`__Host-access=${token}; __Host-access=${token}`)).toBe("invalid_request");
    expect(await by(`__Host-access=hwt_${"x".repeat(43)}`)).toBe("invalid_token");
    expect(await by("__Host-access=")).toBe("invalid_token");
    expect(await by(`access=${token}`)).toBe("invalid_token");
  });

  it("is nobody where the application names none", async () => {
    const fixture = createApp({ allowedOrigins: [origin] });
    const headers = { origin, cookie: `__Host-access=${fixture.tokenOf({})}` };
    expect(await outcome(fixture, { method: "POST", headers })).toBe("invalid_token");
  });
});
