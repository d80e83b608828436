/**
 * No sink shows what people log in with: refresh tokens, session cookies, tickets, proofs of keys, opaque tokens and the
 * secret that asks an issuer about them; nor does any error or part that an application may print.
 */

import { createServer } from "node:http";
import { inspect } from "node:util";
import { auditLines, jsonLines, type TelemetryEvent } from "@hubward/server";
import { dpop, dpopNonces, introspection, issuers, jwt, localJwks } from "@hubward/server/jose";
import { Secret, type Clock } from "@hubward/server/ports";
import {
  createMemorySessionStore,
  createSessions,
  deriveRefreshKey,
  generateSigningKey,
  type SessionStore,
} from "@hubward/sessions";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createDpopKey } from "../support/dpop.js";
import { createFakeClock } from "../support/fake-clock.js";
import { leaksOf, listenToConsole } from "../support/leaks.js";
import { openWebSocket, upgrade } from "../support/raw-web-socket.js";
import { outcomeOf, runApp } from "../support/running-app.js";
import { ask, bearer, listen, shut } from "../support/server.js";
import { AUDIENCE, createIssuer } from "../support/tokens.js";
import { until } from "../support/until.js";

const HUB = "/hubs/ward";
const DEVICES = "/hubs/devices";
const PAGE = "https://ward.example";
const SIGN_IN = "https://sign-in.ward.example/";
const OPAQUE = "https://devices.ward.example/";
const negotiationOf = (hub: string): string => `${hub}/negotiate?negotiateVersion=1`;

afterEach(() => vi.restoreAllMocks());

/** As careless as a dump can be. */
const dump = (value: unknown): string => inspect(value, { depth: 20, showHidden: true, maxArrayLength: null });

/** An introspection endpoint that says back whatever it is told, in each way in which it can fail. */
async function runEcho(clock: Pick<Clock, "now">): Promise<string> {
  const now = Math.floor(clock.now() / 1000);
  const server = createServer((request, response) => {
    void request.toArray().then((chunks) => {
      const asked = Buffer.concat(chunks as Buffer[]).toString();
      const echo = `${request.headers.authorization} ${asked}`;
      const [, way = ""] = /token=opaque-([a-z]+)/.exec(asked) ?? [];
      if (way === "fails") response.writeHead(500, echo.replaceAll(/[^\x20-\x7e]/g, "")).end(echo);
      else if (way === "refuses") response.writeHead(401, { "www-authenticate": `Basic realm="${echo}"` }).end(echo);
      else if (way === "redirects") response.writeHead(302, { location: `/?${encodeURIComponent(echo)}` }).end();
      else if (way === "garbles") response.writeHead(200, { "content-type": "application/json" }).end(`{"${echo}`);
      else if (way === "breaks") request.socket.resetAndDestroy();
      else
        response.writeHead(200, { "content-type": "application/json" }).end(
          JSON.stringify({
            active: way === "works",
            sub: "pump",
            aud: AUDIENCE,
            exp: now + 300,
            iat: now,
            said: echo,
          }),
        );
    });
  });
  const port = await listen(server);
  onTestFinished(() => shut(server));
  return `http://127.0.0.1:${port}/introspect`;
}

/** The work of a day. `plant`: what an application's store complains of when it fails. */
async function playADay(plant: (secrets: Readonly<Record<string, string>>) => string = () => "the disk is full") {
  const said = listenToConsole();
  const secrets: Record<string, string> = { "client secret": "canary-of-the-introspection-client" };
  const lines: string[] = [];
  const kept: string[] = [];
  const audit = auditLines({
    write(text, done) {
      kept.push(text);
      done();
    },
  });
  const log = jsonLines({ write: (text) => lines.push(text) });
  const events: TelemetryEvent[] = [];
  const thrown: unknown[] = [];
  const replies: string[] = [];
  const reasons: string[] = [];

  const clock = createFakeClock();
  let isStoreBroken = false;
  const memory = createMemorySessionStore({ clock });
  const orBroken =
    <Args extends readonly unknown[], T>(work: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      if (isStoreBroken) throw new Error(plant(secrets));
      return work(...args);
    };
  const store: SessionStore = {
    ...memory,
    read: orBroken((...args) => memory.read(...args)),
    create: orBroken((...args) => memory.create(...args)),
  };
  const sessions = createSessions({
    issuer: SIGN_IN,
    audience: AUDIENCE,
    publicOrigin: PAGE,
    signingKey: await generateSigningKey(),
    refreshKey: deriveRefreshKey((secrets["refresh secret"] = "canary-of-the-key-that-derives-refresh-tokens")),
    store,
    clock,
    onEnded: async ({ sessionId }) => void (await running.app.revoke({ session: sessionId, issuer: SIGN_IN })),
    onFailure: (cause) => thrown.push(cause),
  });
  const authenticator = introspection({
    endpoint: await runEcho(clock),
    client: { id: "hub", secret: secrets["client secret"] ?? "", method: "client_secret_post" },
    issuer: OPAQUE,
    audience: AUDIENCE,
    allowLoopbackHttp: true,
    clock,
    onFailure: (error) => thrown.push(error),
  });
  const byHeader = introspection({
    endpoint: await runEcho(clock),
    client: { id: "hub", secret: new Secret(secrets["client secret"] ?? "") },
    issuer: OPAQUE,
    audience: AUDIENCE,
    allowLoopbackHttp: true,
    clock,
    onFailure: (error) => thrown.push(error),
  });
  const proofs = dpop({
    origins: PAGE,
    nonces: dpopNonces(Buffer.from((secrets["nonce secret"] = "canary-of-the-key-of-nonces-0123")), { clock }),
    clock,
  });
  const running = await runApp(
    () => ({ roles: ["nurse"] }),
    (app) => {
      app
        .hub(HUB, { authenticationRefresh: true })
        .allow(app.policy("Anyone", () => true))
        .methods((m) => ({ Hi: m.handle(({ principal }) => principal.subject) }));
      const devices = app.scope({ authenticator, principal: () => ({}) });
      devices
        .hub(DEVICES)
        .allow(devices.policy("AnyDevice", () => true))
        .methods((m) => ({ Hi: m.handle(({ principal }) => principal.subject) }));
    },
    {
      clock,
      audit,
      dpop: proofs,
      telemetry: (event) => {
        events.push(event);
        log(event);
      },
      authenticator: issuers(
        (await createIssuer(clock)).authenticator,
        jwt({ issuer: SIGN_IN, audience: AUDIENCE, keys: localJwks(sessions.jwks()), clock }),
      ),
      allowedOrigins: [PAGE],
      cookie: { name: "__Host-ward" },
    },
  );
  const { app, port } = running;
  const issuer = await createIssuer(clock);
  const keep = async (path: string, headers: Record<string, string>, method = "POST") => {
    const { body, ...head } = await ask(port, { method, path, headers });
    // The one answer that is to hold a ticket, and tells nobody else.
    if (!body.includes("accessToken")) replies.push(body, JSON.stringify(head));
    return body;
  };
  const caught = async (work: Promise<unknown>): Promise<void> => {
    await work.catch((error: unknown) => thrown.push(error));
  };

  // Somebody signs in, refreshes, is copied, and logs out.
  const auth = (path: string, headers: Record<string, string>): Request =>
    new Request(`${PAGE}/auth/${path}`, { method: "POST", headers: { origin: PAGE, ...headers } });
  const cookieOf = (reply: Response): string => reply.headers.get("set-cookie")?.split(";")[0] ?? "";
  const tell = async (reply: Response): Promise<Response> => {
    // What a framework might print of it, and what it says where it is no success.
    replies.push(dump(reply));
    if (reply.status >= 400) replies.push(await reply.text(), JSON.stringify([...reply.headers]));
    return reply;
  };
  const login = auth("login", { "content-type": "application/json" });
  const started = await tell(await sessions.start({ subject: "ada", claims: {}, request: login }));
  const first = cookieOf(started);
  const access = ((await started.json()) as { access_token: string }).access_token;
  secrets["access token"] = access;
  const renewed = await tell(await sessions.refresh(auth("refresh", { cookie: first })));
  const second = cookieOf(renewed);
  const third = cookieOf(await tell(await sessions.refresh(auth("refresh", { cookie: second }))));
  for (const [name, cookie] of Object.entries({ first, second, third })) {
    const value = cookie.slice(cookie.indexOf("=") + 1);
    secrets[`refresh token, the ${name}`] = value;
    secrets[`refresh token, what makes the ${name} one`] = value.split(".").at(-1) ?? "";
  }
  await tell(await sessions.refresh(auth("refresh", { cookie: first })));
  await tell(await sessions.refresh(auth("refresh", { cookie: `${first}; ${second}` })));
  await tell(await sessions.refresh(auth("refresh", { cookie: `${first.slice(0, -1)}x` })));
  await tell(await sessions.refresh(auth("refresh", { cookie: second, origin: "https://evil.example" })));
  isStoreBroken = true;
  await tell(await sessions.refresh(auth("refresh", { cookie: third })));
  await tell(await sessions.logout(auth("logout", { cookie: third })));
  isStoreBroken = false;

  // With the token of the session: by header, and in the page's cookie. Tickets, good and spoilt.
  const stock = running.build(HUB, "unused", {}, [], { ...issuer, token: () => Promise.resolve(access) });
  await stock.connection.start();
  const closed = new Promise<void>((resolve) =>
    stock.connection.onclose((error) => (reasons.push(String(error)), resolve())),
  );
  const page = { origin: PAGE, "sec-fetch-site": "same-origin" };
  const inCookie = (secrets["session cookie"] = await issuer.token("eve", { claims: { sid: "session-of-eve" } }));
  await keep(negotiationOf(HUB), { ...page, cookie: `__Host-ward=${inCookie}` });
  await keep(negotiationOf(HUB), { origin: "https://evil.example", cookie: `__Host-ward=${inCookie}` });
  await keep(negotiationOf(HUB), { ...page, cookie: `__Host-ward=${inCookie}x` });
  const { accessToken: ticket, connectionToken } = JSON.parse(await keep(negotiationOf(HUB), bearer(access))) as Record<
    "accessToken" | "connectionToken",
    string
  >;
  Object.assign(secrets, { ticket, connectionToken });
  const path = `${HUB}?id=${connectionToken}&access_token=${ticket}`;
  const socket = await openWebSocket({ port, path });
  await socket.shakeHands();
  reasons.push(JSON.stringify(await socket.invoke("1", "hubward.reauthenticate", `${access}x`)));
  reasons.push(JSON.stringify(await socket.invoke("2", "hubward.reauthenticate", ticket)));
  await upgrade({ port, path });
  await keep(`${HUB}/refresh?id=${connectionToken}`, bearer(ticket));
  await keep(negotiationOf(DEVICES), bearer(ticket));
  await keep(negotiationOf(HUB), bearer(`${ticket.slice(0, -1)}x`));
  await caught(app.http.authenticate({ headers: bearer(ticket) }));
  await caught(app.http.authenticate({ headers: bearer(`${access}x`) }));

  // A token bound to a key, with a proof that is good, used up, of another request, and none at all.
  const key = await createDpopKey(clock);
  const bound = (secrets["bound token"] = await issuer.token("bob", { claims: { cnf: { jkt: key.jkt } } }));
  const nonce = proofs.nonce() ?? "";
  const url = `${PAGE}${HUB}/negotiate`;
  const proof = (secrets["proof"] = await key.prove({ url, token: bound, nonce }));
  const foreign = (secrets["proof of another request"] = await key.prove({ url: `${PAGE}/`, token: bound, nonce }));
  const withoutNonce = (secrets["proof without a nonce"] = await key.prove({ url, token: bound }));
  for (const each of [proof, proof, withoutNonce, foreign, `${proof}x`, `${proof}, ${foreign}`])
    await keep(negotiationOf(HUB), { authorization: `DPoP ${bound}`, dpop: each });
  await keep(negotiationOf(HUB), { authorization: `DPoP ${bound}` });
  await caught(
    app.http.authenticate({ headers: { authorization: `DPoP ${bound}`, dpop: foreign }, method: "GET", url: "/" }),
  );

  // Opaque tokens, of which an issuer is asked that answers in every way.
  for (const way of ["works", "ends", "fails", "refuses", "redirects", "garbles", "breaks"]) {
    const token = (secrets[`opaque token that ${way}`] = `opaque-${way}-0123456789`);
    await keep(negotiationOf(DEVICES), bearer(token));
    for (const each of [authenticator, byHeader])
      await caught(Promise.resolve(each.authenticate({ kind: "bearer", token: new Secret(token), source: "header" })));
  }

  await tell(await sessions.logout(auth("logout", { cookie: third })));
  await closed;
  reasons.push(JSON.stringify(await socket.closeFrame()), await outcomeOf(stock.connection.start()));
  socket.end();
  await tell(await sessions.refresh(auth("refresh", { cookie: third })));
  await until(() => kept.join("").split("connection.closed").length > 2);
  await audit.close();
  await new Promise((resolve) => setImmediate(resolve));
  vi.restoreAllMocks();
  return {
    secrets,
    sinks: {
      log: lines.join(""),
      telemetry: dump(events),
      audit: kept.join(""),
      replies: replies.join("\n"),
      reasons: reasons.join("\n"),
      errors: dump(thrown),
      parts: dump([app, authenticator, byHeader, proofs, sessions]),
      console: said.join("\n"),
    },
  };
}

describe("what people log in with", () => {
  test("comes out nowhere: not in a log, an audit, an event, a reply, a reason, an error, a dump of a part", async () => {
    const { sinks, secrets } = await playADay();
    // There was something to be seen in each.
    for (const word of ["invalid_dpop_proof", "ticket_invalid", "origin_denied", "auth_unavailable", "session_revoked"])
      expect(sinks.log).toContain(word);
    expect(sinks.audit).toContain("connection.refused");
    expect(sinks.telemetry).toContain("reauthentication.refused");
    expect(sinks.replies).toContain("Response { status: 200 }");
    for (const word of ["refresh_superseded", "session_revoked", "auth_unavailable", "use_dpop_nonce"])
      expect(sinks.replies).toContain(word);
    expect(sinks.reasons).toContain("session_revoked");
    for (const word of ["the disk is full", "introspection", "DpopRefused"]) expect(sinks.errors).toContain(word);
    expect(sinks.parts).toContain("isRequired");
    expect(Object.keys(secrets)).toHaveLength(24);
    expect(leaksOf(sinks, secrets)).toEqual([]);
  });

  test("would be found if it did: a store that complains of the token it was asked for", async () => {
    const { sinks, secrets } = await playADay((known) => `no such row: ${known["refresh token, the second"] ?? ""}`);
    const found = leaksOf(sinks, secrets);
    expect(found).toContainEqual({ sink: "errors", secret: "refresh token, the second" });
    expect(new Set(found.map(({ sink }) => sink))).toEqual(new Set(["errors"]));
  });
});
