/** Ambient credentials at the guards of each framework: what a gateway forwards, and a cookie. */

import { createServer, type IncomingMessage, type Server } from "node:http";
import {
  forwardedIdentity,
  hubward,
  HubwardError,
  type App,
  type Policy,
  type Principal,
  type RequestWithHeaders,
} from "@hubward/server";
import { requirePolicy as requireInExpress } from "@hubward/server/express";
import { requirePolicy as requireInFastify } from "@hubward/server/fastify";
import { requirePolicy as requireInHono } from "@hubward/server/hono";
import { attach, guardFetch } from "@hubward/server/node";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { testAuthentication } from "@hubward/testing";
import { expect, onTestFinished, test } from "vitest";
import { ask, listen, shut } from "../support/server.js";

const gateway = { "x-auth-subject": "anna", "x-auth-roles": "staff" };

interface Guarded {
  readonly app: App<Principal>;
  readonly staff: Policy<Principal>;
}

function createApp(): Guarded {
  const app = hubward<object>({
    authenticator: forwardedIdentity({ issuer: "https://gateway.example/", maxLifeSeconds: 60 }),
    principal: ({ claims }) => ({ roles: claims["roles"] as string[] }),
    telemetry: () => undefined,
  });
  return { app, staff: app.policy("Staff", ({ principal }) => principal.hasRole("staff")) };
}

const frameworks: Readonly<Record<string, (guarded: Guarded) => Promise<Server>>> = {
  async express({ app, staff }) {
    const routes = express();
    routes.get("/me", requireInExpress(app, staff), (_request, response) => void response.send("in"));
    return createServer(routes);
  },
  async fastify({ app, staff }) {
    const routes = fastify();
    routes.get("/me", { onRequest: requireInFastify(app, staff) }, async () => "in");
    await routes.ready();
    return routes.server;
  },
};

test.each(Object.keys(frameworks))("with %s", async (name) => {
  const statuses: number[] = [];
  for (const trustedProxies of [["127.0.0.1"], ["10.0.0.0/8"]]) {
    const guarded = createApp();
    const server = await frameworks[name]!(guarded);
    attach(server, guarded.app, { trustedProxies });
    onTestFinished(() => shut(server));
    const port = await listen(server);
    for (const headers of [gateway, {}]) statuses.push((await ask(port, { path: "/me", headers })).status);
  }
  expect(statuses).toEqual([200, 401, 400, 401]);
});

test("a web Request made of one is a request of nobody: its headers may come from anywhere", async () => {
  const { app, staff } = createApp();
  const outcomes: Promise<string>[] = [];
  const outcome = (request: RequestWithHeaders): Promise<string> =>
    app.http.authorize(request, staff).then(
      ({ principal }) => principal.subject,
      ({ reason }: HubwardError) => reason,
    );
  const server = createServer((request, response) => {
    const copied = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]);
    outcomes.push(outcome(request), outcome(new Request("http://127.0.0.1/me", { headers: copied })));
    outcomes.push(
      outcome(new Request("http://127.0.0.1/me", { headers: gateway })),
      outcome({ headers: { authorization: undefined, ...gateway } }),
    );
    response.end();
  });
  attach(server, app, { trustedProxies: ["127.0.0.1"] });
  onTestFinished(() => shut(server));
  await ask(await listen(server), { path: "/me", headers: gateway });
  expect(await Promise.all(outcomes)).toEqual(["anna", "invalid_token", "invalid_token", "invalid_token"]);
});

/** Web Requests made of what came, which itself goes along, as @hono/node-server does. */
function serve(answer: (request: Request, incoming: IncomingMessage) => Response | Promise<Response>): Server {
  return createServer((incoming, response) => {
    const headers = Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]);
    const request = new Request("http://127.0.0.1/me", { method: incoming.method ?? "GET", headers });
    void Promise.resolve(answer(request, incoming)).then(({ status }) => response.writeHead(status).end());
  });
}

test.each(["express", "fastify", "hono", "guardFetch"])("a cookie with %s: pages of ours, no other", async (name) => {
  const origin = "https://ward.example";
  const app = hubward<object>({
    authenticator: {
      authenticate({ token }) {
        if (token.reveal() !== "good") throw new HubwardError("invalid_token");
        return testAuthentication({ subject: "anna", expiresAt: Date.now() + 3_600_000 });
      },
    },
    principal: () => ({}),
    allowedOrigins: [origin],
    cookie: "__Host-access",
    telemetry: () => undefined,
  });
  const anyone = app.policy("Anyone", () => true);
  const servers: Readonly<Record<string, () => Promise<Server>>> = {
    async express() {
      return createServer(
        express().all("/me", requireInExpress(app, anyone), (_request, response) => void response.send("in")),
      );
    },
    async fastify() {
      const routes = fastify();
      routes.all("/me", { onRequest: requireInFastify(app, anyone) }, async () => "in");
      await routes.ready();
      return routes.server;
    },
    async hono() {
      const routes = new Hono();
      routes.all("/me", requireInHono(app, anyone), (context) => context.text("in"));
      return serve((request, incoming) => routes.fetch(request, { incoming }));
    },
    async guardFetch() {
      return serve(guardFetch(app, anyone, () => new Response("in")));
    },
  };
  const server = await servers[name]!();
  attach(server, app);
  onTestFinished(() => shut(server));
  const port = await listen(server);
  const at = async (method: string, headers: Readonly<Record<string, string>>, token = "good"): Promise<number> =>
    (await ask(port, { method, path: "/me", headers: { cookie: `a=1; __Host-access=${token}`, ...headers } })).status;
  const own = { origin, "sec-fetch-site": "same-origin" };
  expect([await at("GET", { "sec-fetch-site": "same-origin" }), await at("POST", own)]).toEqual([200, 200]);
  expect([await at("POST", own, "bad"), await at("POST", { ...own, authorization: "Bearer bad" })]).toEqual([401, 401]);
  const evil = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
  expect([await at("POST", evil), await at("POST", {}), await at("GET", {})]).toEqual([403, 403, 403]);
});
