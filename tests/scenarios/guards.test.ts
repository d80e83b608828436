/** The same credential and the same policies on ordinary HTTP routes. */

import type { RequestListener } from "node:http";
import { anyOf, hasRole, HubwardError, refusalReply } from "@hubward/server";
import { requirePolicy } from "@hubward/server/node";
import { describe, expect, test } from "vitest";
import { runApp, type RunningApp } from "../support/running-app.js";
import { ask, bearer, type PlainReply } from "../support/server.js";

const HUB = "/hubs/clinical";

interface Staff {
  readonly department: string;
}

async function runClinic(): Promise<RunningApp<unknown>> {
  let routes: RequestListener = () => undefined;
  const clinic = await runApp<Staff & { readonly roles: readonly string[] }>(
    async ({ subject, claims }) => {
      await Promise.resolve();
      if (subject === "unlucky") throw new Error("the directory is down");
      if (subject === "stranger") return null;
      return { roles: claims["roles"] as readonly string[], department: "icu" };
    },
    (app) => {
      const staff = app.policy("Staff", hasRole("doctor", "nurse"), { message: "staff only" });
      const ownWard = app.policy("OwnWard", async ({ principal }, ward: string) => {
        await Promise.resolve();
        return principal.department === ward;
      });
      const broken = app.policy("Broken", () => {
        throw new Error("the policy broke");
      });
      app
        .hub(HUB)
        .allow(staff)
        .methods((m) => ({ WhoAmI: m.handle(({ principal }) => principal.subject) }));
      const wardOf = (url: string | undefined): string => new URL(url ?? "", "http://x").searchParams.get("ward") ?? "";
      const byPolicy = requirePolicy(app, staff, (_request, response, { principal }) => {
        response.end(`hello ${principal.subject} of ${principal.department}`);
      });
      const byResource = requirePolicy(
        app,
        anyOf(ownWard, ownWard),
        (_request, response) => void response.end("patients"),
        (request) => wardOf(request.url),
      );
      const byBroken = requirePolicy(app, broken, (_request, response) => void response.end("in"));
      routes = (request, response) => {
        const path = request.url?.split("?")[0];
        if (path === "/policy") void byPolicy(request, response);
        else if (path === "/resource") void byResource(request, response);
        else if (path === "/broken") void byBroken(request, response);
        else {
          app.http
            .authorize(request, ownWard, wardOf(request.url))
            .then(({ principal }) => response.end(principal.subject))
            .catch((error: unknown) => {
              if (!(error instanceof HubwardError)) throw error;
              const { status, headers, body } = refusalReply(error);
              response.writeHead(status, headers).end(body);
            });
        }
      };
    },
    { listener: (request, response) => routes(request, response) },
  );
  return clinic as unknown as RunningApp<unknown>;
}

const summary = ({ status, body, headers }: PlainReply): string =>
  `${status} ${body}${headers["www-authenticate"] === undefined ? "" : ` (${headers["www-authenticate"]})`}`;

describe("a guarded route", () => {
  test("is open to those its policy allows, with the principal the hub would have", async () => {
    const clinic = await runClinic();
    const token = await clinic.issuer.token("ada", { roles: ["nurse"] });
    const get = async (path: string): Promise<string> =>
      summary(await ask(clinic.port, { path, headers: bearer(token) }));
    expect(await get("/policy")).toBe("200 hello ada of icu");
    expect(await get("/resource?ward=icu")).toBe("200 patients");
    expect(await get("/authorize?ward=icu")).toBe("200 ada");
    expect(await get("/resource?ward=er")).toBe('403 {"error":"forbidden"}');
    expect(await get("/authorize?ward=er")).toBe('403 {"error":"forbidden"}');
  });

  test("is a 401 without a credential, and says no more", async () => {
    const clinic = await runClinic();
    for (const path of ["/policy", "/resource?ward=icu", "/authorize?ward=icu"]) {
      expect(summary(await ask(clinic.port, { path }))).toBe("401  (Bearer)");
      expect(summary(await ask(clinic.port, { path, headers: { authorization: "Basic YWRhOmFkYQ==" } }))).toBe(
        "401  (Bearer)",
      );
    }
  });

  test("is a 401 with the reason for a credential that is not good, or no longer", async () => {
    const clinic = await runClinic();
    const told = async (token: string): Promise<string> =>
      summary(await ask(clinic.port, { path: "/policy", headers: bearer(token) }));
    expect(await told("x")).toBe('401 {"error":"invalid_token;action=relogin"} (Bearer error="invalid_token")');
    const token = await clinic.issuer.token("ada", { roles: ["nurse"], lifetime: 20 });
    expect(await told(token)).toBe("200 hello ada of icu");
    clinic.clock.advance(20_000);
    expect(await told(token)).toBe('401 {"error":"token_expired;action=refresh"} (Bearer error="invalid_token")');
  });

  test("is a 403 with the policy's own text for those it does not allow, and for those nobody knows", async () => {
    const clinic = await runClinic();
    const visitor = await clinic.issuer.token("vera", { roles: [] });
    expect(summary(await ask(clinic.port, { path: "/policy", headers: bearer(visitor) }))).toBe(
      '403 {"error":"forbidden: staff only"}',
    );
    const stranger = await clinic.issuer.token("stranger", { roles: ["doctor"] });
    expect(summary(await ask(clinic.port, { path: "/policy", headers: bearer(stranger) }))).toBe(
      '403 {"error":"forbidden"}',
    );
  });

  test("is a 503 that says when to come back where nobody can tell", async () => {
    const clinic = await runClinic();
    const unlucky = await clinic.issuer.token("unlucky", { roles: ["doctor"] });
    const ada = await clinic.issuer.token("ada", { roles: ["doctor"] });
    for (const [path, token] of [
      ["/policy", unlucky],
      ["/broken", ada],
    ] as const) {
      const reply = await ask(clinic.port, { path, headers: bearer(token) });
      expect(summary(reply)).toBe('503 {"error":"auth_unavailable;action=retry-after;retry_after=1"}');
      expect(reply.headers["retry-after"]).toBe("1");
      expect(reply.headers["cache-control"]).toBe("no-store");
    }
    expect(clinic.telemetry.items.filter(({ event }) => event === "application.failed")).toHaveLength(2);
  });

  test("takes no ticket, no cookie and no query for a credential", async () => {
    const clinic = await runClinic();
    const token = await clinic.issuer.token("ada", { roles: ["nurse"] });
    const negotiated = await ask(clinic.port, {
      method: "POST",
      path: `${HUB}/negotiate?negotiateVersion=1`,
      headers: bearer(token),
    });
    const { accessToken } = JSON.parse(negotiated.body) as { accessToken: string };
    const path = "/policy";
    expect(summary(await ask(clinic.port, { path, headers: bearer(accessToken) }))).toContain("401");
    expect(summary(await ask(clinic.port, { path: `${path}?access_token=${token}` }))).toBe("401  (Bearer)");
    expect(summary(await ask(clinic.port, { path, headers: { cookie: `access_token=${token}` } }))).toBe(
      "401  (Bearer)",
    );
  });

  test("lives beside the hub on one server", async () => {
    const clinic = await runClinic();
    const { connection } = await clinic.connect(HUB, "ada", { roles: ["nurse"] });
    expect(await connection.invoke("WhoAmI")).toBe("ada");
    const token = await clinic.issuer.token("bob", { roles: ["doctor"] });
    expect(summary(await ask(clinic.port, { path: "/policy", headers: bearer(token) }))).toBe("200 hello bob of icu");
  });
});
