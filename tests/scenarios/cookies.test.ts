/** Cookies over real sockets: as a page's credential on every transport, and as what binds a connection to its browser. */

import { request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import type { Principal } from "@hubward/server";
import { requirePolicy } from "@hubward/server/node";
import { describe, expect, onTestFinished, test } from "vitest";
import { openWebSocket, upgrade, type RawWebSocket } from "../support/raw-web-socket.js";
import { Recorder } from "../support/recorder.js";
import { runApp, type RunningApp, type RunOptions } from "../support/running-app.js";
import { ask, bearer, type PlainReply } from "../support/server.js";
import { holdsJwt } from "../support/tokens.js";
import { until } from "../support/until.js";

const HUB = "/hubs/ward";
const OWN = "https://ward.example";
const EVIL = "https://evil.example";
const HELLO = '{"protocol":"json","version":1}\x1e';
const WHO_AM_I = '{"type":1,"invocationId":"1","target":"WhoAmI","arguments":[]}\x1e';

/** What a browser says when a page of ours sends, and when it reads. */
const sending = { origin: OWN, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" };
const reading = { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" };
const stream = { accept: "text/event-stream" };
/** What a browser says of a form on another page. */
const form = {
  origin: EVIL,
  "sec-fetch-site": "cross-site",
  "sec-fetch-mode": "navigate",
  "sec-fetch-dest": "document",
  "content-type": "application/x-www-form-urlencoded",
};

type Headers = Readonly<Record<string, string>>;

interface Ward extends RunningApp<Principal> {
  cookieOf(subject: string, lifetime?: number): Promise<{ readonly cookie: string }>;
  send(method: string, path: string, headers: Headers, body?: string): Promise<PlainReply>;
}

async function runWard(options: RunOptions = {}): Promise<Ward> {
  let route: RequestListener = () => undefined;
  const running = await runApp(
    () => ({}),
    (app) => {
      const anyone = app.policy("Anyone", () => true);
      app
        .hub(HUB, { statefulReconnect: true })
        .allow(anyone)
        .methods((m) => ({ WhoAmI: m.handle(({ principal }) => principal.subject) }));
      const guarded = requirePolicy(app, anyone, (_request, response, { principal }) => {
        response.end(principal.subject);
      });
      route = (request, response) => void guarded(request, response);
    },
    {
      allowedOrigins: [OWN],
      cookie: "__Host-access",
      listener: (request, response) => route(request, response),
      ...options,
    },
  );
  const { issuer, port } = running;
  return {
    ...running,
    cookieOf: async (subject, lifetime) => ({
      cookie: `theme=dark; __Host-access=${await issuer.token(subject, { lifetime })}; lang=de`,
    }),
    send: (method, path, headers, body) => ask(port, { method, path, headers, body }),
  };
}

/** The hub's address with the id that a page's negotiate was given. */
async function negotiate({ send }: Ward, headers: Headers): Promise<string> {
  const path = `${HUB}/negotiate?negotiateVersion=1&useStatefulReconnect=true`;
  const reply = await send("POST", path, { ...sending, ...headers });
  expect(reply.status).toBe(200);
  const { connectionToken, accessToken } = JSON.parse(reply.body) as Record<string, string>;
  expect(accessToken).toBeUndefined();
  return `${HUB}?id=${connectionToken}`;
}

/** A response that does not end; ended with the test. */
async function openStream(port: number, path: string, headers: Headers) {
  const said = new Recorder<string>();
  let isOver = false;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = httpRequest({ host: "127.0.0.1", port, path, headers, agent: false }, resolve).on("error", reject);
    onTestFinished(() => void sent.destroy());
    sent.end();
  });
  response.setEncoding("utf8").on("data", said.push);
  response.on("close", () => (isOver = true)).on("error", () => undefined);
  return { status: response.statusCode, said, isOver: () => isOver };
}

const openSocket = async (port: number, path: string, headers: Headers): Promise<RawWebSocket> => {
  const socket = await openWebSocket({ port, path, headers });
  onTestFinished(() => void socket.socket.resetAndDestroy());
  return socket;
};

const refusals = ({ telemetry }: Ward): readonly unknown[] =>
  telemetry.items.flatMap((event) => (event.event === "connection.refused" ? [event.reason] : []));

describe("a page that is signed in by a cookie", () => {
  test("uses a WebSocket, and comes back to it with the cookie of the day", async () => {
    const ward = await runWard();
    const cookie = await ward.cookieOf("ada");
    const path = await negotiate(ward, cookie);
    const bob = await ward.cookieOf("bob");
    expect(await upgrade({ port: ward.port, path, headers: { origin: OWN, ...bob } })).toMatchObject({ status: 404 });
    expect(await upgrade({ port: ward.port, path, headers: cookie })).toMatchObject({ status: 403 });
    expect(await upgrade({ port: ward.port, path, headers: { origin: EVIL, ...cookie } })).toMatchObject({
      status: 403,
    });
    const socket = await openSocket(ward.port, path, { origin: OWN, ...cookie });
    socket.sendJson({ protocol: "json", version: 2 });
    await socket.frames.first();
    expect(await socket.invoke("1", "WhoAmI")).toMatchObject({ result: "ada" });

    socket.socket.resetAndDestroy();
    await ward.telemetry.first(({ event }) => event === "connection.detached");
    expect(await upgrade({ port: ward.port, path, headers: { origin: OWN, ...bob } })).toMatchObject({ status: 404 });
    const aged = await ward.cookieOf("ada", -1);
    expect(await upgrade({ port: ward.port, path, headers: { origin: OWN, ...aged } })).toMatchObject({ status: 404 });
    const next = await openSocket(ward.port, path, { origin: OWN, ...(await ward.cookieOf("ada")) });
    await ward.telemetry.first(({ event }) => event === "connection.resumed");
    next.sendJson({ type: 9, sequenceId: 2 });
    expect(await next.invoke("2", "WhoAmI")).toMatchObject({ result: "ada" });
  });

  test("opens no WebSocket that was not negotiated", async () => {
    const ward = await runWard();
    const headers = { origin: OWN, ...(await ward.cookieOf("ada")) };
    expect(await upgrade({ port: ward.port, path: HUB, headers })).toMatchObject({ status: 400 });
  });

  test("uses server-sent events, which a stranger and another page cannot touch", async () => {
    const ward = await runWard();
    const cookie = await ward.cookieOf("ada");
    const path = await negotiate(ward, cookie);
    const events = await openStream(ward.port, path, { ...reading, ...stream, ...cookie });
    expect(events.status).toBe(200);
    const post = (headers: Headers, body: string) => ward.send("POST", path, headers, body);
    expect((await post({ ...sending, ...cookie }, HELLO)).status).toBe(200);
    await events.said.first((text) => text.includes("{}"));
    expect((await post({ ...form, ...cookie }, WHO_AM_I)).status).toBe(403);
    expect((await post(cookie, WHO_AM_I)).status).toBe(403);
    expect((await post({ ...sending, ...(await ward.cookieOf("bob")) }, WHO_AM_I)).status).toBe(404);
    expect((await post({ ...sending, ...(await ward.cookieOf("ada", -1)) }, WHO_AM_I)).status).toBe(404);
    expect((await post(sending, WHO_AM_I)).status).toBe(404);
    expect([events.isOver(), events.said.items.length]).toEqual([false, 2]);
    expect((await post({ ...sending, ...(await ward.cookieOf("ada")) }, WHO_AM_I)).status).toBe(200);
    await events.said.first((text) => text.includes('"result":"ada"'));
  });

  test("uses long polling, and ends it", async () => {
    const ward = await runWard();
    const cookie = await ward.cookieOf("ada");
    const path = await negotiate(ward, cookie);
    const poll = (headers: Headers = reading) => ward.send("GET", path, { ...headers, ...cookie });
    const post = (body: string) => ward.send("POST", path, { ...sending, ...cookie }, body);
    expect(await poll({})).toMatchObject({ status: 403 });
    expect(await poll({ "sec-fetch-site": "cross-site" })).toMatchObject({ status: 403 });
    expect(await poll()).toMatchObject({ status: 200, body: "" });
    await post(HELLO);
    expect(await poll()).toMatchObject({ body: "{}\x1e" });
    await post(WHO_AM_I);
    expect((await poll()).body).toContain('"result":"ada"');
    const end = (headers: Headers) => ward.send("DELETE", path, { ...headers, ...cookie });
    expect((await end(reading)).status).toBe(403);
    expect((await end(form)).status).toBe(403);
    expect((await end(sending)).status).toBe(202);
  });

  test("ends when the cookie's token does, and is told why", async () => {
    const ward = await runWard();
    const cookie = await ward.cookieOf("ada", 12);
    const path = await negotiate(ward, cookie);
    const socket = await openSocket(ward.port, path, { origin: OWN, ...cookie });
    socket.answersPings = true;
    await socket.shakeHands();
    ward.clock.advance(11_999);
    // Its pong, too, has arrived when this is answered.
    expect(await socket.invoke("1", "WhoAmI")).toMatchObject({ result: "ada" });
    ward.clock.advance(1);
    expect(await socket.messages.first(({ type }) => type === 7)).toMatchObject({
      error: "token_expired;action=refresh",
    });
  });
});

describe("another page in a browser that is signed in", () => {
  test("gets nothing by a form, an image, a fetch or a socket", async () => {
    const ward = await runWard();
    const cookie = await ward.cookieOf("ada");
    const paths = [`${HUB}/negotiate?negotiateVersion=1`, `${HUB}?id=unknown`];
    const tries: [string, Headers][] = [
      ["POST", form],
      ["POST", { ...form, origin: "null" }],
      ["POST", { origin: EVIL, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }],
      ["POST", { origin: OWN, "sec-fetch-site": "same-site" }],
      ["POST", {}],
    ];
    for (const path of paths) {
      for (const [method, headers] of tries) {
        const reply = await ward.send(method, path, { ...headers, ...cookie }, "a=1");
        expect([reply.status, reply.headers["access-control-allow-origin"]]).toEqual([
          403,
          headers["origin"] === OWN ? OWN : undefined,
        ]);
      }
    }
    const image = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" };
    expect((await ward.send("GET", `${HUB}?id=unknown`, { ...image, ...cookie })).status).toBe(403);
    expect(refusals(ward).every((reason) => reason === "origin_denied")).toBe(true);
    expect(ward.app.connectionCount).toBe(0);
  });

  test("changes nothing at a guarded route, where a person's own link still leads", async () => {
    const ward = await runWard();
    const cookie = await ward.cookieOf("ada");
    const at = async (method: string, headers: Headers): Promise<readonly unknown[]> => {
      const { status, body } = await ward.send(method, "/patients", { ...headers, ...cookie });
      return status === 200 ? [status, body] : [status];
    };
    expect(await at("POST", sending)).toEqual([200, "ada"]);
    expect(await at("GET", reading)).toEqual([200, "ada"]);
    const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
    expect(await at("GET", link)).toEqual([200, "ada"]);
    expect(await at("POST", form)).toEqual([403]);
    expect(await at("POST", reading)).toEqual([403]);
    expect(await at("GET", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" })).toEqual([403]);
    expect(await at("GET", {})).toEqual([403]);
    expect(await at("POST", { ...form, ...bearer(await ward.issuer.token("bob")) })).toEqual([200, "bob"]);
    expect(await at("POST", { ...sending, ...bearer("eyJ.unknown.x") })).toEqual([401]);
  });
});

describe("the cookie itself", () => {
  test("is in no log and reaches no other listener; the page's other cookies do no harm", async () => {
    const seen: string[] = [];
    const ward = await runWard();
    ward.server.prependListener("request", ({ headers, rawHeaders }: IncomingMessage) => {
      seen.push(JSON.stringify([headers, rawHeaders]));
    });
    const cookie = await ward.cookieOf("ada");
    const path = await negotiate(ward, cookie);
    const socket = await openSocket(ward.port, path, { origin: OWN, ...cookie });
    await socket.shakeHands();
    await ward.send("POST", `${HUB}/negotiate`, { ...form, ...cookie });
    expect(seen).toEqual([]);
    expect(holdsJwt(JSON.stringify(ward.telemetry.items))).toBe(false);
    expect(ward.telemetry.items.length).toBeGreaterThan(1);
  });

  test("that stands there twice is refused, in one header or in two", async () => {
    const ward = await runWard();
    const token = await ward.issuer.token("ada");
    const one = `__Host-access=${token}`;
    for (const cookie of [`${one}; ${one}`, [one, "a=1", one]]) {
      const headers = { ...sending, cookie };
      const reply = await ask(ward.port, { method: "POST", path: `${HUB}/negotiate?negotiateVersion=1`, headers });
      expect(reply.status).toBe(400);
    }
  });

  test("without __Host- counts on loopback alone", async () => {
    const origin = "http://localhost:5173";
    const ward = await runWard({ allowedOrigins: [origin], cookie: { name: "access", insecureLoopback: true } });
    const cookie = `access=${await ward.issuer.token("ada")}`;
    const at = async (host: string): Promise<number> =>
      (await ward.send("POST", `${HUB}/negotiate?negotiateVersion=1`, { origin, cookie, host })).status;
    expect([await at("localhost:5173"), await at("127.0.0.1"), await at("ward.example")]).toEqual([200, 200, 400]);
  });
});

describe("a leaked URL of server-sent events, behind a proxy that ends TLS", () => {
  const secure = { "x-forwarded-proto": "https" };

  async function begin(ward: Ward) {
    const token = await ward.issuer.token("ada");
    const reply = await ward.send("POST", `${HUB}/negotiate?negotiateVersion=1`, {
      ...sending,
      ...secure,
      ...bearer(token),
    });
    const { connectionToken, accessToken } = JSON.parse(reply.body) as Record<string, string>;
    const [line = ""] = reply.headers["set-cookie"] ?? [];
    return { line, cookie: line.split(";")[0] ?? "", url: `${HUB}?id=${connectionToken}&access_token=${accessToken}` };
  }

  test("is worth nothing without the browser's cookie, and its owner notices nothing", async () => {
    const ward = await runWard({ cookie: undefined, attachOptions: { trustedProxies: ["127.0.0.1"] } });
    const { line, cookie, url } = await begin(ward);
    expect(line).toMatch(
      /^__Host-hubward-hubs\.ward=[\w-]{22}\.[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    );
    const owner = { ...secure, cookie };
    const events = await openStream(ward.port, url, { ...reading, ...stream, ...owner });
    expect((await ward.send("POST", url, { ...sending, ...owner }, HELLO)).status).toBe(200);
    await events.said.first((text) => text.includes("{}"));
    for (const method of ["GET", "POST", "DELETE"]) {
      const body = method === "POST" ? WHO_AM_I : "";
      expect((await ward.send(method, url, { ...secure, ...stream }, body)).status).toBe(404);
      const wrong = { cookie: `__Host-hubward-hubs.ward=${"x".repeat(22)}.${"x".repeat(43)}` };
      expect((await ward.send(method, url, { ...secure, ...stream, ...wrong }, body)).status).toBe(404);
    }
    expect(await upgrade({ port: ward.port, path: url, headers: secure })).toMatchObject({ status: 404 });
    expect(events.isOver()).toBe(false);
    expect((await ward.send("POST", url, { ...sending, ...owner }, WHO_AM_I)).status).toBe(200);
    await events.said.first((text) => text.includes('"result":"ada"'));
    expect(events.said.items.length).toBe(3);
  });

  test("goes on for clients that keep no cookies, and for those over http no cookie is set", async () => {
    const ward = await runWard({ cookie: undefined, attachOptions: { trustedProxies: ["127.0.0.1"] } });
    const { url } = await begin(ward);
    const events = await openStream(ward.port, url, { ...secure, ...stream });
    expect((await ward.send("POST", url, secure, HELLO)).status).toBe(200);
    await until(() => events.said.items.some((text) => text.includes("{}")));
    // From anybody but a trusted proxy that word means nothing.
    const untrusting = await runWard({ cookie: undefined });
    expect((await begin(untrusting)).line).toBe("");
  });
});
