import { createServer, type IncomingMessage } from "node:http";
import { Hono } from "hono";
import { describe, expect, onTestFinished, test } from "vitest";
import { ask, listen, shut } from "../../../../../tests/support/server.js";
import { createApp } from "../../../test/app-fixture.js";
import { forwardedIdentity, hubward } from "../../app/index.js";
import { attach } from "../node/attach.js";
import { answerRefusals, requirePolicy } from "./index.js";

const by = (token: string): RequestInit => ({ headers: { authorization: `Bearer ${token}` } });
const told = async (response: Response): Promise<string> => `${response.status} ${await response.text()}`;

describe("a guarded route", () => {
  test("knows who was let in", async () => {
    const { app, tokenOf } = createApp();
    const ownWard = app.policy("OwnWard", ({ principal }, ward: string) => principal.department === ward);
    const routes = new Hono();
    routes.get(
      "/wards/:ward",
      requirePolicy(app, ownWard, (context) => context.req.param("ward") ?? ""),
      (context) => context.text(`${context.get("admission").principal.subject} in ${context.req.param("ward")}`),
    );
    const ann = by(tokenOf({ subject: "ann", department: "icu" }));
    expect(await told(await routes.request("/wards/icu", ann))).toBe("200 ann in icu");
    expect(await told(await routes.request("/wards/er", ann))).toBe('403 {"error":"forbidden"}');
  });

  test("never runs for whom no policy allowed, and what others set on the answer stays", async () => {
    const { app, tokenOf } = createApp();
    let runs = 0;
    const routes = new Hono();
    routes.use(async (context, next) => {
      context.header("x-frame-options", "DENY");
      await next();
    });
    routes.get(
      "/",
      requirePolicy(
        app,
        app.policy("Nobody", () => false),
      ),
      (context) => context.text(String(runs++)),
    );
    const refused = await routes.request("/", by(tokenOf({})));
    expect([refused.status, refused.headers.get("x-frame-options")]).toEqual([403, "DENY"]);
    expect(refused.headers.get("content-type")).toBe("application/json; charset=utf-8");
    const challenged = await routes.request("/");
    expect(await told(challenged)).toBe("401 ");
    expect(challenged.headers.get("www-authenticate")).toBe("Bearer");
    expect(challenged.headers.get("content-type")).toBeNull();
    expect(runs).toBe(0);
  });

  test("is 503 where nobody can tell, and 400 where its resource cannot be read", async () => {
    const { app, tokenOf } = createApp();
    const routes = new Hono();
    const about = app.policy("About", (_context, length: number) => length > 0);
    routes.get(
      "/broken",
      requirePolicy(
        app,
        app.policy("Broken", () => Promise.reject(new Error("down"))),
      ),
    );
    routes.get(
      "/unreadable",
      requirePolicy(app, about, (context) => (context.req.header("x-missing") as string).length),
    );
    const request = by(tokenOf({}));
    const broken = await routes.request("/broken", request);
    expect([broken.status, broken.headers.get("retry-after")]).toEqual([503, "1"]);
    expect((await routes.request("/unreadable", request)).status).toBe(400);
  });
});

test("a refusal that a handler throws is answered, and other errors are Hono's", async () => {
  const { app, tokenOf } = createApp();
  const own = app.policy("Own", ({ principal }, owner: string) => principal.subject === owner);
  const routes = new Hono();
  routes.onError(answerRefusals);
  routes.get(
    "/of/:owner",
    requirePolicy(
      app,
      app.policy("All", () => true),
    ),
    async (context) => {
      await app.http.require(context.get("admission"), own, context.req.param("owner"));
      return context.text("in");
    },
  );
  const failure = new Error("broken");
  routes.get("/broken", () => {
    throw failure;
  });
  const ann = by(tokenOf({ subject: "ann" }));
  expect(await told(await routes.request("/of/ann", ann))).toBe("200 in");
  expect(await told(await routes.request("/of/bob", ann))).toBe('403 {"error":"forbidden"}');
  await expect(async () => routes.request("/broken", ann)).rejects.toBe(failure);
});

test("credentials are those that the server received, a gateway's too, or what middleware has put in their place", async () => {
  const gateway = hubward<object>({
    authenticator: forwardedIdentity({ issuer: "https://gateway.example/", maxLifeSeconds: 60 }),
    principal: () => ({}),
    telemetry: () => undefined,
  });
  const routes = new Hono();
  routes.get(
    "/me",
    requirePolicy(
      gateway,
      gateway.policy("All", () => true),
    ),
    (context) => context.text(context.get("admission").principal.subject),
  );
  // As @hono/node-server does: a web Request made of what came, which itself goes along as `incoming`.
  const server = createServer((incoming: IncomingMessage, response) => {
    void Promise.resolve(routes.fetch(new Request("http://127.0.0.1/me"), { incoming })).then(async (answer) =>
      response.writeHead(answer.status).end(await answer.text()),
    );
  });
  attach(server, gateway, { trustedProxies: ["127.0.0.1"] });
  onTestFinished(() => shut(server));
  const port = await listen(server);
  const reply = await ask(port, { path: "/me", headers: { "x-auth-subject": "anna" } });
  expect([reply.status, reply.body]).toEqual([200, "anna"]);
  expect((await ask(port, { path: "/me" })).status).toBe(401);

  const { app, tokenOf } = createApp();
  const exchanged = new Hono();
  const ann = tokenOf({ subject: "ann" });
  exchanged.use(async (context, next) => {
    context.req.raw.headers.set("authorization", `Bearer ${ann}`);
    await next();
  });
  exchanged.get(
    "/",
    requirePolicy(
      app,
      app.policy("All", () => true),
    ),
    (context) => context.text(context.get("admission").principal.subject),
  );
  expect(await told(await exchanged.request("/", {}, { incoming: { headers: {} } }))).toBe("200 ann");
});
