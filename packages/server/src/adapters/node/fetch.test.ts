import { describe, expect, test } from "vitest";
import { createApp } from "../../../test/app-fixture.js";
import { HubwardError } from "../../core/errors.js";
import { guardFetch, refusalResponse } from "./fetch.js";

const requestBy = (token?: string): Request =>
  new Request(
    "http://ward.example/wards/icu",
    token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  );

describe("a guarded fetch handler", () => {
  test("is given who asks, and whatever its framework passes beside the request", async () => {
    const { app, tokenOf } = createApp();
    const ownWard = app.policy("OwnWard", ({ principal }, ward: string) => principal.department === ward);
    const handler = guardFetch(
      app,
      ownWard,
      (request, { principal }, params: { readonly ward: string }) =>
        new Response(`${request.url} ${principal.subject} ${params.ward}`),
      (_request, { ward }) => ward,
    );
    const ann = tokenOf({ subject: "ann", department: "icu" });
    const response = await handler(requestBy(ann), { ward: "icu" });
    expect([response.status, await response.text()]).toEqual([200, "http://ward.example/wards/icu ann icu"]);
    expect((await handler(requestBy(ann), { ward: "er" })).status).toBe(403);
  });

  test("does not run for others, who are told why", async () => {
    const { app, tokenOf } = createApp();
    const doctors = app.policy("Doctors", ({ principal }) => principal.hasRole("doctor"), { message: "doctors only" });
    let runs = 0;
    const handler = guardFetch(app, doctors, () => (runs++, new Response()));
    const challenged = await handler(requestBy());
    expect([challenged.status, await challenged.text(), challenged.headers.get("www-authenticate")]).toEqual([
      401,
      "",
      "Bearer",
    ]);
    expect(challenged.headers.get("content-type")).toBeNull();
    const refused = await handler(requestBy(tokenOf({ roles: ["nurse"] })));
    expect([refused.status, await refused.text()]).toEqual([403, '{"error":"forbidden: doctors only"}']);
    expect(refused.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(refused.headers.get("cache-control")).toBe("no-store");
    expect(runs).toBe(0);
  });

  test("may refuse by what it finds; other errors are its framework's", async () => {
    const { app, tokenOf } = createApp();
    const all = app.policy("All", () => true);
    const own = app.policy("Own", ({ principal }, owner: string) => principal.subject === owner);
    const token = tokenOf({ subject: "ann" });
    const looksFurther = guardFetch(app, all, async (_request, admission) => {
      await app.http.require(admission, own, "bob");
      return new Response("in");
    });
    expect((await looksFurther(requestBy(token))).status).toBe(403);
    const failure = new Error("the handler broke");
    const breaks = guardFetch(app, all, () => {
      throw failure;
    });
    await expect(breaks(requestBy(token))).rejects.toBe(failure);
  });
});

test("a refusal as a Response says when to come back, where that is known", async () => {
  const response = refusalResponse(new HubwardError("auth_unavailable", { retryAfterSeconds: 7 }));
  expect([response.status, response.headers.get("retry-after"), await response.text()]).toEqual([
    503,
    "7",
    '{"error":"auth_unavailable;action=retry-after;retry_after=7"}',
  ]);
});
