import { once } from "node:events";
import { createServer, request, type IncomingMessage } from "node:http";
import express, { type Express, type NextFunction, type Request, type Response } from "express";
import { describe, expect, onTestFinished, test } from "vitest";
import { ask, bearer, listen, shut } from "../../../../../tests/support/server.js";
import { createApp, type AppFixture } from "../../../test/app-fixture.js";
import { deferred } from "../../../test/hub-fixture.js";
import { admissionOf, answerRefusals, requirePolicy } from "./index.js";

interface Routes extends AppFixture {
  readonly routes: Express;
  get(path: string, token?: string): Promise<string>;
}

async function createRoutes(): Promise<Routes> {
  const fixture = createApp();
  const routes = express();
  const server = createServer(routes);
  const port = await listen(server);
  onTestFinished(() => shut(server));
  return {
    ...fixture,
    routes,
    async get(path, token) {
      const { status, body } = await ask(port, { path, headers: token === undefined ? {} : bearer(token) });
      return `${status} ${body}`;
    },
  };
}

describe("a guarded route", () => {
  test("knows who was let in, as the last guard in front of it found", async () => {
    const { app, routes, tokenOf, get } = await createRoutes();
    const all = app.policy("All", () => true);
    const seen: unknown[] = [];
    routes.use(requirePolicy(app, all));
    routes.use((request: Request, _response: Response, next: NextFunction) => {
      seen.push(admissionOf(app, request));
      next();
    });
    const ownWard = app.policy("OwnWard", ({ principal }, ward: string) => principal.department === ward);
    routes.get(
      "/wards/:ward",
      requirePolicy(app, ownWard, (request: Request<{ ward: string }>) => request.params.ward),
      (request, response) => {
        const admission = admissionOf(app, request);
        expect(admission).not.toBe(seen[0]);
        response.send(`${admission.principal.subject} in ${request.params.ward}`);
      },
    );
    const ann = tokenOf({ subject: "ann", department: "icu" });
    expect(await get("/wards/icu", ann)).toBe("200 ann in icu");
    expect(await get("/wards/er", ann)).toBe('403 {"error":"forbidden"}');
    expect(seen).toHaveLength(2);
  });

  test("behind what reads the body is closed to whoever was revoked while it arrived", async () => {
    const { app, routes, tokenOf } = await createRoutes();
    const all = app.policy("All", () => true);
    const began = deferred<void>();
    let runs = 0;
    routes.post(
      "/",
      (_request, _response, next) => {
        began.resolve();
        next();
      },
      express.json({ limit: "1kb" }),
      requirePolicy(app, all),
      (_request, response) => void response.send(String(++runs)),
    );
    const server = createServer(routes);
    const port = await listen(server);
    onTestFinished(() => shut(server));
    const text = '{"subject":"bob"}';
    const headers = { ...bearer(tokenOf({ subject: "ann" })), "content-type": "application/json" };
    const sent = request({ port, method: "POST", headers: { ...headers, "content-length": text.length } });
    sent.write(text.slice(0, 3));
    await began.promise;
    await app.revoke({ subject: "ann" });
    const answered = once(sent, "response") as Promise<[IncomingMessage]>;
    sent.end(text.slice(3));
    const [response] = await answered;
    response.resume();
    expect([response.statusCode, runs]).toEqual([403, 0]);
  });

  test("counts failed credentials by the address that a middleware in front of it vouches for", async () => {
    const fixture = createApp({ limits: { authentication: { burst: 1, perSecond: 0.1 } } });
    const { app, tokenOf, of } = fixture;
    const routes = express();
    routes.use((request, _response, next) => {
      Object.assign(request, { remoteAddress: request.ip });
      next();
    });
    routes.get(
      "/",
      requirePolicy(
        app,
        app.policy("All", () => true),
      ),
      (_request, response) => void response.send("in"),
    );
    const server = createServer(routes);
    const port = await listen(server);
    onTestFinished(() => shut(server));
    const statusOf = async (token: string) => (await ask(port, { path: "/", headers: bearer(token) })).status;
    const genuine = tokenOf({});
    expect([await statusOf(genuine), await statusOf("eyJ-none"), await statusOf(genuine)]).toEqual([200, 401, 429]);
    expect(of("request.refused").map(({ reason, remoteAddress }) => [reason, remoteAddress])).toEqual([
      ["invalid_token", expect.stringContaining("127.0.0.1")],
      ["rate_limited", expect.stringContaining("127.0.0.1")],
    ]);
  });

  test("never runs for whom no policy allowed, and what others set on the answer stays", async () => {
    const { app, routes, tokenOf } = await createRoutes();
    const server = createServer(routes);
    const port = await listen(server);
    onTestFinished(() => shut(server));
    let runs = 0;
    routes.use((_request: Request, response: Response, next: NextFunction) => {
      response.setHeader("x-frame-options", "DENY");
      next();
    });
    routes.use(
      requirePolicy(
        app,
        app.policy("Nobody", () => false),
      ),
    );
    routes.use(() => runs++);
    const { status, headers } = await ask(port, { path: "/", headers: bearer(tokenOf({})) });
    expect([status, headers["x-frame-options"], headers["content-length"]]).toEqual([403, "DENY", "21"]);
    expect((await ask(port, { path: "/" })).status).toBe(401);
    expect((await ask(port, { method: "HEAD", path: "/", headers: bearer(tokenOf({})) })).body).toBe("");
    expect(runs).toBe(0);
  });

  test("is 503 where nobody can tell, and 400 where its resource cannot be read", async () => {
    const { app, routes, tokenOf, get } = await createRoutes();
    const broken = app.policy("Broken", () => Promise.reject(new Error("down")));
    const about = app.policy("About", (_context, length: number) => length > 0);
    routes.get("/broken", requirePolicy(app, broken));
    const lengthOf = (request: Request): number => (request.headers["x-missing"] as string).length;
    routes.get("/unreadable", requirePolicy(app, about, lengthOf));
    expect(await get("/broken", tokenOf({}))).toBe('503 {"error":"auth_unavailable;action=retry-after;retry_after=1"}');
    expect(await get("/unreadable", tokenOf({}))).toBe('400 {"error":"invalid_request;action=fix-request"}');
  });

  test("fails as it would without a guard", async () => {
    const { app, routes, tokenOf, get } = await createRoutes();
    routes.get(
      "/",
      requirePolicy(
        app,
        app.policy("All", () => true),
      ),
      () => {
        throw new Error("the handler broke");
      },
    );
    routes.use((error: Error, _request: Request, response: Response, _next: NextFunction) => {
      response.status(418).send(error.message);
    });
    expect(await get("/", tokenOf({}))).toBe("418 the handler broke");
  });
});

test("who was let in is not known where nobody asked, nor to another application", async () => {
  const { app, routes, tokenOf, get } = await createRoutes();
  const other = createApp().app;
  const messages: string[] = [];
  const note = (request: Request, _response: Response, next: NextFunction): void => {
    for (const application of [app, other]) {
      try {
        messages.push(admissionOf(application, request).principal.subject);
      } catch (error) {
        messages.push((error as TypeError).name);
      }
    }
    next();
  };
  routes.use(
    note,
    requirePolicy(
      app,
      app.policy("All", () => true),
    ),
    note,
  );
  await get("/", tokenOf({ subject: "ann" }));
  expect(messages).toEqual(["TypeError", "TypeError", "ann", "TypeError"]);
});

test("a refusal that a handler throws is answered, and other errors are the next handler's", async () => {
  const { app, routes, tokenOf, get } = await createRoutes();
  const all = app.policy("All", () => true);
  const own = app.policy("Own", ({ principal }, owner: string) => principal.subject === owner);
  routes.use(requirePolicy(app, all));
  routes.get("/of/:owner", async (request, response) => {
    await app.http.require(admissionOf(app, request), own, request.params.owner);
    response.send("in");
  });
  routes.get("/broken", () => {
    throw new Error("broken");
  });
  routes.get("/late", async (request, response) => {
    response.write("begun");
    await app.http.require(admissionOf(app, request), own, "nobody");
  });
  routes.use(answerRefusals);
  const left: string[] = [];
  routes.use((error: Error, _request: Request, response: Response, _next: NextFunction) => {
    left.push(error.message);
    if (response.headersSent) response.destroy();
    else response.status(418).end();
  });
  const ann = tokenOf({ subject: "ann" });
  expect(await get("/of/ann", ann)).toBe("200 in");
  expect(await get("/of/bob", ann)).toBe('403 {"error":"forbidden"}');
  expect(await get("/broken", ann)).toBe("418 ");
  await expect(get("/late", ann)).rejects.toThrow();
  expect(left).toEqual(["broken", "forbidden"]);
});
