/** Tokens bound to a key (RFC 9449) over real sockets: worth nothing without it, at any door, with the stock client. */

import type { RequestListener } from "node:http";
import {
  HttpClient,
  HttpResponse,
  HubConnectionBuilder,
  LogLevel,
  type HttpRequest,
  type HubConnection,
} from "@microsoft/signalr";
import type { DpopVerifier, Principal } from "@hubward/server";
import { dpop, dpopNonces, type DpopOptions } from "@hubward/server/jose";
import { requirePolicy } from "@hubward/server/node";
import type { Clock } from "@hubward/server/ports";
import { describe, expect, onTestFinished, test } from "vitest";
import { createDpopKey, type DpopKey, type ProofTerms } from "../support/dpop.js";
import { openWebSocket, upgrade } from "../support/raw-web-socket.js";
import { outcomeOf, runApp, type RunningApp, type RunOptions } from "../support/running-app.js";
import { ask, type PlainReply } from "../support/server.js";
import { holdsJwt } from "../support/tokens.js";

const HUB = "/hubs/ward";
const ORIGIN = "https://ward.example";
const NEGOTIATE = `${HUB}/negotiate`;

interface Ward extends RunningApp<Principal> {
  readonly key: DpopKey;
  /** A token of Ada's, by default bound to `key`. */
  token(jkt?: string | null, lifetime?: number): Promise<string>;
  nonce(): string;
  /** The headers of a request with the token and a proof for it, spoilt as wanted. */
  proven(terms: Partial<ProofTerms> & Pick<ProofTerms, "token">, by?: DpopKey): Promise<Record<string, string>>;
  at(door: Door, headers: Readonly<Record<string, string | readonly string[]>>): Promise<PlainReply>;
}

interface Door {
  readonly method: string;
  readonly path: string;
  readonly welcome: number;
}

/** Every door that takes a token, and what it answers to who may come in. */
const doors = {
  negotiate: { method: "POST", path: NEGOTIATE, welcome: 200 },
  "refresh of no connection": { method: "POST", path: `${HUB}/refresh`, welcome: 400 },
  "an upgrade without negotiate": { method: "GET", path: HUB, welcome: 101 },
  "a poll of no connection": { method: "GET", path: `${HUB}?id=none`, welcome: 404 },
  "a send to no connection": { method: "POST", path: `${HUB}?id=none`, welcome: 404 },
  "a guarded route": { method: "PUT", path: "/patients/7?full=true", welcome: 200 },
} as const satisfies Record<string, Door>;

async function runWard({
  policy = {},
  ...options
}: Omit<RunOptions, "dpop"> & {
  readonly policy?: Partial<DpopOptions> | "checked-upstream" | "off";
} = {}): Promise<Ward> {
  let route: RequestListener = () => undefined;
  const clock: Pick<Clock, "now" | "monotonic"> = {
    now: () => running.clock.now(),
    monotonic: () => running.clock.monotonic(),
  };
  const nonces = dpopNonces(new Uint8Array(32).fill(1), { clock });
  const verifier = (): DpopVerifier =>
    dpop({ origins: ORIGIN, clock: clock as Clock, ...(policy as Partial<DpopOptions>) });
  const running: RunningApp<Principal> = await runApp(
    () => ({}),
    (app) => {
      const anyone = app.policy("Anyone", () => true);
      app
        .hub(HUB, { authenticationRefresh: true, statefulReconnect: true })
        .allow(anyone)
        .methods((m) => ({ WhoAmI: m.handle(({ principal }) => principal.subject) }));
      const guarded = requirePolicy(app, anyone, (_request, response, { principal }) => {
        response.end(principal.subject);
      });
      route = (request, response) => void guarded(request, response);
    },
    {
      dpop: policy === "off" ? undefined : policy === "checked-upstream" ? policy : verifier(),
      listener: (request, response) => route(request, response),
      ...options,
    },
  );
  const { issuer, port } = running;
  const key = await createDpopKey(running.clock);
  return {
    ...running,
    key,
    token: (jkt = key.jkt, lifetime) => issuer.token("ada", { lifetime, claims: jkt === null ? {} : { cnf: { jkt } } }),
    nonce: () => nonces.current(),
    async proven({ url = ORIGIN + NEGOTIATE, ...terms }, by = key) {
      return { authorization: `DPoP ${terms.token}`, dpop: await by.prove({ url, ...terms }) };
    },
    async at({ method, path, welcome }, headers) {
      if (welcome !== 101) return ask(port, { method, path, headers: headers as Record<string, string | string[]> });
      const outcome = await upgrade({ port, path, headers });
      if (!outcome.isOpen) {
        const lines = outcome.head.split("\r\n").slice(1);
        return {
          status: outcome.status,
          headers: Object.fromEntries(lines.map((line) => line.split(/: (.*)/s, 2))),
          body: outcome.body,
        };
      }
      outcome.webSocket.socket.resetAndDestroy();
      return { status: 101, headers: {}, body: "" };
    },
  };
}

/** What RFC 9449 says of a request: its status, and the error in the challenge. */
function verdictOf({ status, headers }: PlainReply): string {
  const error = /^(\w+) error="(\w+)"/.exec(headers["www-authenticate"] ?? "");
  return error === null ? String(status) : `${status} ${error[1]} ${error[2]}`;
}

const isFor = (door: Door): Pick<ProofTerms, "method" | "url"> => ({
  method: door.method,
  url: ORIGIN + door.path.replace(/\?.*/, ""),
});

/** A page or a program that holds a key: a stock client whose requests carry proofs. As docs/identity-providers.md has it. */
class ProvingHttpClient extends HttpClient {
  readonly sent: string[] = [];
  nonce: string | undefined;
  readonly #base: string;
  readonly #key: DpopKey;

  constructor(base: string, key: DpopKey) {
    super();
    this.#base = base;
    this.#key = key;
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const first = await this.#try(request);
    const again = first.headers.get("www-authenticate")?.includes("use_dpop_nonce") === true;
    const response = again ? await this.#try(request) : first;
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    return new HttpResponse(response.status, response.statusText, await response.text());
  }

  async #try({ method = "GET", url = "", headers = {}, content }: HttpRequest): Promise<Response> {
    const sent = new Headers(headers as Record<string, string>);
    const token = /^Bearer (?!hwt_)(.+)$/.exec(sent.get("authorization") ?? "")?.[1];
    if (token !== undefined) {
      const htu = ORIGIN + new URL(url).pathname;
      sent.set("authorization", `DPoP ${token}`);
      sent.set("dpop", await this.#key.prove({ method, url: htu, token, nonce: this.nonce }));
    }
    this.sent.push(`${method} ${url.replace(this.#base, "")}`);
    const response = await fetch(url, { method, headers: sent, body: (content as string | undefined) ?? null });
    this.nonce = response.headers.get("dpop-nonce") ?? this.nonce;
    return response;
  }
}

/** A stock client that holds the ward's key. */
function build(ward: Ward, token: () => Promise<string>): { connection: HubConnection; httpClient: ProvingHttpClient } {
  const base = `http://127.0.0.1:${ward.port}`;
  const httpClient = new ProvingHttpClient(base, ward.key);
  const connection = new HubConnectionBuilder()
    .configureLogging(LogLevel.None)
    .withUrl(base + HUB, { accessTokenFactory: token, httpClient })
    .build();
  onTestFinished(() => connection.stop());
  return { connection, httpClient };
}

describe.each(Object.entries<Door>(doors))("at %s", (_, door) => {
  test("a bound token needs its key's proof for this very request, once", async () => {
    const ward = await runWard();
    const other = await createDpopKey(ward.clock);
    const token = await ward.token();
    const terms = { ...isFor(door), token };
    const seconds = ward.clock.now() / 1000;
    const shown: [string, Record<string, string>][] = [
      ["401 DPoP invalid_token", { authorization: `Bearer ${token}` }],
      // The scheme is not changed by what stands beside it (7.2).
      ["401 DPoP invalid_token", { ...(await ward.proven(terms)), authorization: `Bearer ${token}` }],
      ["401 DPoP invalid_dpop_proof", { authorization: `DPoP ${token}` }],
      ["401 DPoP invalid_dpop_proof", await ward.proven(terms, other)],
      ["401 DPoP invalid_dpop_proof", await ward.proven({ ...terms, url: `${ORIGIN}/elsewhere` })],
      [
        "401 DPoP invalid_dpop_proof",
        await ward.proven({ ...terms, url: `http://127.0.0.1:${ward.port}${door.path}` }),
      ],
      ["401 DPoP invalid_dpop_proof", await ward.proven({ ...terms, method: "PATCH" })],
      ["401 DPoP invalid_dpop_proof", await ward.proven({ ...terms, claims: { ath: "x" } })],
      ["401 DPoP invalid_dpop_proof", await ward.proven({ ...terms, claims: { iat: seconds - 61 } })],
      ["401 DPoP invalid_dpop_proof", await ward.proven({ ...terms, claims: { iat: seconds + 6 } })],
      ["401 DPoP invalid_dpop_proof", { authorization: `DPoP ${token}`, dpop: "x".repeat(9_000) }],
      ["401 DPoP invalid_token", await ward.proven({ ...terms, token: await ward.token(null) })],
      ["401 DPoP invalid_token", await ward.proven({ ...terms, token: await ward.token(ward.key.jkt, -1) })],
    ];
    for (const [verdict, headers] of shown) expect(verdictOf(await ward.at(door, headers))).toBe(verdict);
    const good = await ward.proven(terms);
    const two = { ...good, dpop: [good["dpop"]!, (await ward.proven(terms))["dpop"]!] };
    expect((await ward.at(door, two)).status).toBe(400);
    const host = "evil.example";
    expect((await ward.at(door, { ...good, host })).status).toBe(door.welcome);
    expect(verdictOf(await ward.at(door, good))).toBe("401 DPoP invalid_dpop_proof");
    expect((await ward.at(door, { authorization: `Bearer ${await ward.token(null)}` })).status).toBe(door.welcome);
  });

  test("a nonce is asked for, told, and taken", async () => {
    const nonces = dpopNonces(new Uint8Array(32).fill(1), { clock: { now: () => ward.clock.now() } });
    const ward: Ward = await runWard({ policy: { nonces } });
    const token = await ward.token();
    const terms = { ...isFor(door), token };
    const refused = await ward.at(door, await ward.proven(terms));
    expect(verdictOf(refused)).toBe("401 DPoP use_dpop_nonce");
    expect(refused.headers["www-authenticate"]).toContain('algs="ES256 EdDSA RS256"');
    const nonce = String(refused.headers["dpop-nonce"]);
    expect(nonce).toBe(ward.nonce());
    expect(verdictOf(await ward.at(door, await ward.proven({ ...terms, nonce: "x" })))).toBe("401 DPoP use_dpop_nonce");
    expect((await ward.at(door, await ward.proven({ ...terms, nonce }))).status).toBe(door.welcome);
    ward.clock.advance(120_000);
    expect(verdictOf(await ward.at(door, await ward.proven({ ...terms, nonce })))).toBe("401 DPoP use_dpop_nonce");
  });

  test("where proofs are required, no other token will do", async () => {
    const ward = await runWard({ policy: { required: true } });
    const bearer = { authorization: `Bearer ${await ward.token(null)}` };
    expect(verdictOf(await ward.at(door, bearer))).toBe("401 DPoP invalid_token");
    const none = await ward.at(door, {});
    expect([none.status, none.headers["www-authenticate"]]).toEqual([401, 'DPoP algs="ES256 EdDSA RS256"']);
    expect((await ward.at(door, await ward.proven({ ...isFor(door), token: await ward.token() }))).status).toBe(
      door.welcome,
    );
  });

  test("where nobody checks proofs, a bound token is refused, with one or without", async () => {
    const ward = await runWard({ policy: "off" });
    const token = await ward.token();
    expect(verdictOf(await ward.at(door, { authorization: `Bearer ${token}` }))).toBe("401 DPoP invalid_token");
    expect(verdictOf(await ward.at(door, await ward.proven({ ...isFor(door), token })))).toBe("401 DPoP invalid_token");
  });

  test("where a gateway has checked it, it passes", async () => {
    const ward = await runWard({ policy: "checked-upstream" });
    const token = await ward.token();
    for (const scheme of ["Bearer", "DPoP"])
      expect((await ward.at(door, { authorization: `${scheme} ${token}` })).status).toBe(door.welcome);
  });
});

describe("the stock client", () => {
  test("with an HTTP client that adds proofs connects, calls, and has no token in a URL", async () => {
    const nonces = dpopNonces(new Uint8Array(32).fill(1), { clock: { now: () => ward.clock.now() } });
    const ward: Ward = await runWard({ policy: { nonces, required: true } });
    const { connection, httpClient } = build(ward, () => ward.token());
    await connection.start();
    expect(await connection.invoke("WhoAmI")).toBe("ada");
    // Told it needs a nonce, it asked again with one.
    expect(httpClient.sent).toEqual(Array(2).fill(`POST ${NEGOTIATE}?negotiateVersion=1`));
    expect(holdsJwt(httpClient.sent.join() + JSON.stringify(ward.telemetry.items))).toBe(false);
  });

  test("without one is refused, and so is whoever has its token alone", async () => {
    const ward = await runWard();
    const leaked = await ward.token();
    const { connection } = build(ward, () => Promise.resolve(leaked));
    await connection.start();
    const thief = new HubConnectionBuilder()
      .configureLogging(LogLevel.None)
      .withUrl(`http://127.0.0.1:${ward.port}${HUB}`, { accessTokenFactory: () => leaked })
      .build();
    expect(await outcomeOf(thief.start())).toContain("401");
    for (const door of Object.values<Door>(doors))
      expect(verdictOf(await ward.at(door, { authorization: `Bearer ${leaked}` }))).toBe("401 DPoP invalid_token");
    expect(ward.app.connectionCount).toBe(1);
    expect(ward.telemetry.items).toContainEqual(
      expect.objectContaining({
        event: "connection.refused",
        reason: "invalid_token",
        hint: "the token is bound to a key and came without a proof",
      }),
    );
  });
});

describe("a live connection that is bound to a key", () => {
  const later = 600;
  const renew = (connection: HubConnection, ...args: unknown[]): Promise<string> =>
    outcomeOf(connection.invoke("hubward.reauthenticate", ...args));
  const refreshUrl = `${ORIGIN}${HUB}/refresh`;

  test("takes a later token in band with a proof of its own key, and nothing else", async () => {
    const ward = await runWard();
    const { connection } = build(ward, () => ward.token());
    await connection.start();
    const token = await ward.token(ward.key.jkt, later);
    const proof = () => ward.key.prove({ url: refreshUrl, token });
    expect(await renew(connection, token)).toContain("invalid_token");
    expect(await renew(connection, token, await ward.key.prove({ url: ORIGIN + NEGOTIATE, token }))).toContain(
      "invalid_dpop_proof",
    );
    const other = await createDpopKey(ward.clock);
    const ofOther = await ward.token(other.jkt, later);
    const otherProof = await other.prove({ url: refreshUrl, token: ofOther });
    expect(await renew(connection, ofOther, otherProof)).toContain("principal_mismatch");
    expect(await renew(connection, await ward.token(null, later))).toContain("principal_mismatch");
    const used = await proof();
    expect(JSON.parse(await renew(connection, token, used))).toMatchObject({ expiresInSeconds: expect.any(Number) });
    ward.clock.advance(10_000); // one more attempt
    expect(await renew(connection, token, used)).toContain("invalid_dpop_proof");
    expect(await renew(connection, token, 7)).toContain("bad_arguments");
    expect(await connection.invoke("WhoAmI")).toBe("ada");
  });

  test("takes it at /refresh, where the nonce is told, too", async () => {
    const nonces = dpopNonces(new Uint8Array(32).fill(1), { clock: { now: () => ward.clock.now() } });
    const ward: Ward = await runWard({ policy: { nonces } });
    const url = ORIGIN + NEGOTIATE;
    const first = await ward.token();
    const headers = await ward.proven({ token: first, url, nonce: ward.nonce() });
    const negotiated = await ask(ward.port, { method: "POST", path: `${NEGOTIATE}?negotiateVersion=1`, headers });
    expect(negotiated.headers["dpop-nonce"]).toBe(ward.nonce());
    const { connectionToken, accessToken } = JSON.parse(negotiated.body) as Record<string, string>;
    const path = `${HUB}?id=${connectionToken}`;
    const opened = await upgrade({ port: ward.port, path, headers: { authorization: `Bearer ${accessToken}` } });
    if (!opened.isOpen) throw new Error(opened.head);
    onTestFinished(() => void opened.webSocket.socket.resetAndDestroy());
    await opened.webSocket.shakeHands();

    const refresh = async (token: string, by = ward.key, bearer = false): Promise<readonly unknown[]> => {
      const shown = await ward.proven({ token, url: refreshUrl, nonce: ward.nonce() }, by);
      const reply = await ask(ward.port, {
        method: "POST",
        path: `${HUB}/refresh?id=${connectionToken}`,
        headers: bearer ? { authorization: `Bearer ${token}` } : shown,
      });
      return [reply.status, (JSON.parse(reply.body) as { error?: string }).error];
    };
    const token = await ward.token(ward.key.jkt, later);
    const other = await createDpopKey(ward.clock);
    expect(await refresh(token, ward.key, true)).toEqual([401, "invalid_token"]);
    expect(await refresh(await ward.token(other.jkt, later), other)).toEqual([403, "principal_mismatch"]);
    expect(await refresh(await ward.token(null, later), ward.key, true)).toEqual([403, "principal_mismatch"]);
    expect(await refresh(token)).toEqual([200, undefined]);
  });

  test("may be one that was opened with an unbound token, from its first bound one on", async () => {
    const ward = await runWard();
    const { connection } = await ward.connect(HUB, "ada");
    const bound = await ward.token(ward.key.jkt, later);
    expect(await renew(connection, bound)).toContain("invalid_token");
    expect(await renew(connection, bound, await ward.key.prove({ url: refreshUrl, token: bound }))).toContain(
      "expiresInSeconds",
    );
    expect(await renew(connection, await ward.token(null, 2 * later))).toContain("principal_mismatch");
  });

  test("is not renewed in band behind a gateway, which cannot have seen that", async () => {
    const ward = await runWard({ policy: "checked-upstream" });
    const { connection } = await ward.connect(HUB, "ada", { claims: { cnf: { jkt: ward.key.jkt } } });
    const token = await ward.token(ward.key.jkt, later);
    expect(await renew(connection, token)).toContain("invalid_token");
    expect(await renew(connection, token, await ward.key.prove({ url: refreshUrl, token }))).toContain("invalid_token");
  });
});

describe("a connection made of requests", () => {
  const stream = { accept: "text/plain" };

  test("shows a proof with each of them, and a later token with its proof is taken", async () => {
    const ward = await runWard();
    // .NET's client keeps its token in a header throughout.
    const agent = { "user-agent": "Microsoft SignalR/10.0 (10.0.0; Linux; .NET; .NET 10.0.0)" };
    const negotiate = async (headers: Record<string, string>): Promise<string> => {
      const path = `${NEGOTIATE}?negotiateVersion=1`;
      const reply = await ask(ward.port, { method: "POST", path, headers: { ...agent, ...headers } });
      return `${HUB}?id=${(JSON.parse(reply.body) as { connectionToken: string }).connectionToken}`;
    };
    const token = await ward.token();
    const path = await negotiate(await ward.proven({ token }));
    const send = async (method: string, shown: string, body = ""): Promise<number> => {
      const headers = { ...agent, ...stream, ...(await ward.proven({ token: shown, method, url: ORIGIN + HUB })) };
      return (await ask(ward.port, { method, path, headers, body })).status;
    };
    expect(await send("GET", token)).toBe(200);
    expect(await send("POST", token, '{"protocol":"json","version":1}\x1e')).toBe(200);
    const bare = { ...agent, ...stream, authorization: `Bearer ${token}` };
    expect((await ask(ward.port, { method: "POST", path, headers: bare })).status).toBe(401);
    const unbound = { ...bare, authorization: `Bearer ${await ward.token(null)}` };
    expect((await ask(ward.port, { method: "POST", path, headers: unbound })).status).toBe(404);
    expect(await send("POST", await ward.token(ward.key.jkt, 600))).toBe(200);
    expect(ward.telemetry.items.map(({ event }) => event)).toContain("connection.reauthenticated");
    expect(await send("DELETE", token)).toBe(202);
  });

  test("does not go on by the unbound token that it began with", async () => {
    const ward = await runWard();
    const agent = { "user-agent": "Microsoft SignalR/10.0 (10.0.0; Linux; .NET; .NET 10.0.0)" };
    const old = { ...agent, ...stream, authorization: `Bearer ${await ward.token(null)}` };
    const reply = await ask(ward.port, { method: "POST", path: `${NEGOTIATE}?negotiateVersion=1`, headers: old });
    const path = `${HUB}?id=${(JSON.parse(reply.body) as { connectionToken: string }).connectionToken}`;
    const post = async (headers: Record<string, string>, body = ""): Promise<number> =>
      (await ask(ward.port, { method: "POST", path, headers, body })).status;
    expect((await ask(ward.port, { path, headers: old })).status).toBe(200);
    expect(await post(old, '{"protocol":"json","version":1}\x1e')).toBe(200);
    const token = await ward.token(ward.key.jkt, 600);
    expect(await post({ ...agent, ...(await ward.proven({ token, url: ORIGIN + HUB })) })).toBe(200);
    expect(await post(old)).toBe(404);
    const end = await ward.proven({ token, method: "DELETE", url: ORIGIN + HUB });
    expect((await ask(ward.port, { method: "DELETE", path, headers: { ...agent, ...end } })).status).toBe(202);
  });
});

test("pages are told of proofs by CORS only where they are taken", async () => {
  const page = "https://page.example";
  const asking = { origin: page, "access-control-request-method": "POST", "access-control-request-headers": "dpop" };
  for (const policy of [{}, "off", "checked-upstream"] as const) {
    const ward = await runWard({ policy, allowedOrigins: [page] });
    const preflight = await ask(ward.port, { method: "OPTIONS", path: NEGOTIATE, headers: asking });
    const refused = await ask(ward.port, { method: "POST", path: NEGOTIATE, headers: { origin: page } });
    const isTaken = typeof policy === "object";
    expect([
      /\bdpop\b/.test(preflight.headers["access-control-allow-headers"] ?? ""),
      refused.headers["access-control-expose-headers"],
    ]).toEqual([isTaken, isTaken ? "DPoP-Nonce, WWW-Authenticate" : undefined]);
  }
});

test("no other listener sees a proof", async () => {
  const seen: string[] = [];
  const ward = await runWard();
  const headers = await ward.proven({ token: await ward.token() });
  const emit = ward.server.emit.bind(ward.server);
  let raw: { readonly headers: object; readonly rawHeaders: readonly string[] } | undefined;
  ward.server.emit = ((event: string, ...args: unknown[]) => {
    if (event === "request") raw = args[0] as typeof raw;
    return (emit as (...all: unknown[]) => boolean)(event, ...args);
  }) as typeof ward.server.emit;
  expect((await ask(ward.port, { method: "POST", path: NEGOTIATE, headers })).status).toBe(200);
  seen.push(JSON.stringify([raw?.headers, raw?.rawHeaders, ward.telemetry.items]));
  expect(seen[0]).toContain("host");
  expect(holdsJwt(seen.join())).toBe(false);
});

describe("a connection with stateful reconnect", () => {
  const resumable = { method: "POST", path: `${NEGOTIATE}?negotiateVersion=1&useStatefulReconnect=true` };

  async function enter(ward: Ward, headers: Record<string, string>) {
    const reply = await ask(ward.port, { ...resumable, headers });
    const { connectionToken, accessToken } = JSON.parse(reply.body) as Record<string, string>;
    const path = `${HUB}?id=${connectionToken}`;
    const [line] = [reply.headers["set-cookie"] ?? []].flat();
    const cookie = line === undefined ? undefined : { cookie: line.split(";")[0] ?? "" };
    const ticket = {
      authorization: `Bearer ${accessToken}`,
      "x-forwarded-proto": headers["x-forwarded-proto"] ?? "http",
    };
    const socket = await openWebSocket({ port: ward.port, path, headers: { ...ticket, ...cookie } });
    onTestFinished(() => void socket.socket.destroy());
    socket.sendJson({ protocol: "json", version: 2 });
    await socket.frames.first();
    return { socket, path, ticket, cookie };
  }

  test("that is bound to a key is nobody's who has its ticket alone, and notices nothing", async () => {
    const ward = await runWard();
    const token = await ward.token();
    const { socket, path, ticket } = await enter(ward, await ward.proven({ token, method: "POST" }));
    const stranger = await upgrade({ port: ward.port, path, headers: ticket });
    expect(stranger).toMatchObject({ isOpen: false, status: 404 });
    socket.sendJson({ type: 1, invocationId: "1", target: "WhoAmI", arguments: [] });
    const answer = await socket.frames.first(({ payload }) => payload.includes('"invocationId":"1"'));
    expect(answer.payload.toString()).toContain('"result":"ada"');
    const proven = await ward.proven({ token, method: "GET", url: ORIGIN + HUB });
    expect(await upgrade({ port: ward.port, path, headers: proven })).toMatchObject({ isOpen: true });
    expect(await socket.closed).toEqual({ wasReset: true });
  });

  test("that is bound to a key is its browser's, which shows the cookie of the ticket", async () => {
    const ward = await runWard({ attachOptions: { trustedProxies: ["127.0.0.1"] } });
    const proven = await ward.proven({ token: await ward.token(), method: "POST" });
    const { path, ticket, cookie } = await enter(ward, { ...proven, "x-forwarded-proto": "https" });
    expect(cookie?.cookie).toContain("__Host-hubward");
    expect(await upgrade({ port: ward.port, path, headers: ticket })).toMatchObject({ isOpen: false, status: 404 });
    const browser = { ...ticket, ...cookie };
    expect(await upgrade({ port: ward.port, path, headers: browser })).toMatchObject({ isOpen: true });
  });

  test("that became bound meanwhile is so from then on", async () => {
    const ward = await runWard();
    const plain = { authorization: `Bearer ${await ward.token(null)}` };
    const { path, ticket, socket } = await enter(ward, plain);
    const later = await ward.token(ward.key.jkt, 7_200);
    const proof = await ward.key.prove({ method: "POST", url: `${ORIGIN}${HUB}/refresh`, token: later });
    socket.sendJson({ type: 1, invocationId: "r", target: "hubward.reauthenticate", arguments: [later, proof] });
    const answer = await socket.frames.first(({ payload }) => payload.includes('"invocationId":"r"'));
    expect(answer.payload.toString()).toContain("expiresInSeconds");
    socket.socket.destroy();
    expect(await upgrade({ port: ward.port, path, headers: ticket })).toMatchObject({ isOpen: false, status: 404 });
  });

  test("that is bound to none comes back with its ticket", async () => {
    const ward = await runWard();
    const { path, ticket } = await enter(ward, { authorization: `Bearer ${await ward.token(null)}` });
    expect(await upgrade({ port: ward.port, path, headers: ticket })).toMatchObject({ isOpen: true });
  });
});
