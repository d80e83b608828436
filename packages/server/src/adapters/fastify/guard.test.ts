import { fastify, type FastifyInstance, type FastifyRequest } from "fastify";
import { describe, expect, onTestFinished, test } from "vitest";
import { createApp } from "../../../test/app-fixture.js";
import { admissionOf, answerRefusals, requirePolicy } from "./index.js";

interface WardRoute {
  Params: { ward: string };
}

function createRoutes(): FastifyInstance {
  const routes = fastify();
  onTestFinished(() => routes.close());
  return routes;
}

async function get(routes: FastifyInstance, url: string, token?: string): Promise<string> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const { statusCode, body } = await routes.inject({ url, headers });
  return `${statusCode} ${body}`;
}

describe("a guarded route", () => {
  test("knows who was let in, by whichever hook", async () => {
    const { app, tokenOf } = createApp();
    const routes = createRoutes();
    const ownWard = app.policy("OwnWard", ({ principal }, ward: string) => principal.department === ward);
    const guard = requirePolicy(app, ownWard, (request: FastifyRequest<WardRoute>) => request.params.ward);
    const whoAndWhere = (request: FastifyRequest<WardRoute>): string =>
      `${admissionOf(app, request).principal.subject} in ${request.params.ward}`;
    routes.get<WardRoute>("/first/:ward", { onRequest: guard }, whoAndWhere);
    routes.get<WardRoute>("/last/:ward", { preHandler: guard }, whoAndWhere);
    const ann = tokenOf({ subject: "ann", department: "icu" });
    for (const hook of ["first", "last"]) {
      expect(await get(routes, `/${hook}/icu`, ann)).toBe("200 ann in icu");
      expect(await get(routes, `/${hook}/er`, ann)).toBe('403 {"error":"forbidden"}');
    }
  });

  test("never runs for whom no policy allowed, and what others set on the answer stays", async () => {
    const { app, tokenOf } = createApp();
    const routes = createRoutes();
    let runs = 0;
    routes.addHook("onRequest", async (_request, reply) => void reply.header("x-frame-options", "DENY"));
    routes.addHook(
      "onRequest",
      requirePolicy(
        app,
        app.policy("Nobody", () => false),
      ),
    );
    routes.get("/", () => runs++);
    const refused = await routes.inject({ url: "/", headers: { authorization: `Bearer ${tokenOf({})}` } });
    expect(refused.statusCode).toBe(403);
    expect(refused.headers).toMatchObject({
      "x-frame-options": "DENY",
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
    });
    const challenged = await routes.inject("/");
    expect([challenged.statusCode, challenged.body]).toEqual([401, ""]);
    expect(challenged.headers).toMatchObject({ "www-authenticate": "Bearer", "content-length": "0" });
    expect(challenged.headers["content-type"]).toBeUndefined();
    expect(runs).toBe(0);
  });

  test("is 503 where nobody can tell, and 400 where its resource cannot be read", async () => {
    const { app, tokenOf } = createApp();
    const routes = createRoutes();
    const broken = app.policy("Broken", () => Promise.reject(new Error("down")));
    const about = app.policy("About", (_context, length: number) => length > 0);
    const lengthOf = (request: FastifyRequest): number => (request.headers["x-missing"] as string).length;
    routes.get("/broken", { onRequest: requirePolicy(app, broken) }, () => "in");
    routes.get("/unreadable", { onRequest: requirePolicy(app, about, lengthOf) }, () => "in");
    expect(await get(routes, "/broken", tokenOf({}))).toContain("503");
    expect(await get(routes, "/unreadable", tokenOf({}))).toContain("400");
  });
});

test("who was let in is not known where nobody asked, nor to another application", async () => {
  const { app, tokenOf } = createApp();
  const routes = createRoutes();
  routes.get("/open", (request) => admissionOf(app, request).principal.subject);
  routes.get(
    "/other",
    {
      onRequest: requirePolicy(
        app,
        app.policy("All", () => true),
      ),
    },
    (request) => admissionOf(createApp().app, request),
  );
  for (const url of ["/open", "/other"]) expect(await get(routes, url, tokenOf({}))).toContain("500");
});

test("a refusal that a handler throws is answered, and other errors are Fastify's", async () => {
  const { app, tokenOf } = createApp();
  const own = app.policy("Own", ({ principal }, owner: string) => principal.subject === owner);
  const routes = createRoutes();
  routes.setErrorHandler(answerRefusals);
  routes.addHook(
    "onRequest",
    requirePolicy(
      app,
      app.policy("All", () => true),
    ),
  );
  routes.get<{ Params: { owner: string } }>("/of/:owner", async (request) => {
    await app.http.require(admissionOf(app, request), own, request.params.owner);
    return "in";
  });
  routes.get("/broken", () => {
    throw Object.assign(new Error("broken"), { statusCode: 418 });
  });
  const ann = tokenOf({ subject: "ann" });
  expect(await get(routes, "/of/ann", ann)).toBe("200 in");
  expect(await get(routes, "/of/bob", ann)).toBe('403 {"error":"forbidden"}');
  expect(await get(routes, "/broken", ann)).toContain("418");
});
