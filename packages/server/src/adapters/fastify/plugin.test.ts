import dns from "node:dns";
import { isIP, isIPv6, type AddressInfo } from "node:net";
import { fastify, type FastifyInstance } from "fastify";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { openWebSocket } from "../../../../../tests/support/raw-web-socket.js";
import { createFakeClock } from "../../../../../tests/support/fake-clock.js";
import { ask, bearer } from "../../../../../tests/support/server.js";
import { createWard, HUB } from "../../../test/ward-fixture.js";
import { forwardedIdentity } from "../../app/index.js";
import { admissionOf, hubwardPlugin, requirePolicy } from "./index.js";

afterEach(() => vi.restoreAllMocks());

/** Good by any test's clock. */
const CENTURY_MS = 3.2e12;
const NEGOTIATE = `${HUB}/negotiate?negotiateVersion=1`;

function createServer(lines: string[] = []): FastifyInstance {
  const server = fastify({ logger: { level: "trace", stream: { write: (line) => void lines.push(line) } } });
  onTestFinished(() => server.close());
  return server;
}

const portOf = (server: FastifyInstance): number => (server.server.address() as AddressInfo).port;

describe("the plugin", () => {
  test("mounts the hubs, which reach neither routes nor log", async () => {
    const lines: string[] = [];
    const { app, tokenOf } = createWard();
    const server = createServer(lines);
    await server.register(hubwardPlugin, { app });
    server.get("/ordinary", () => "an ordinary answer");
    await server.listen({ port: 0, host: "127.0.0.1" });
    const port = portOf(server);
    expect((await ask(port, { path: "/ordinary" })).body).toBe("an ordinary answer");
    const reply = await ask(port, { method: "POST", path: NEGOTIATE, headers: bearer(tokenOf({})) });
    expect(reply.status).toBe(200);
    expect((await ask(port, { method: "POST", path: NEGOTIATE })).status).toBe(401);
    expect(lines.join("")).toContain("/ordinary");
    expect(lines.join("")).not.toContain("/hubs/");
  });

  test("ends the connections when Fastify closes, which would wait for them otherwise", async () => {
    const { app, tokenOf } = createWard({ clock: createFakeClock(), maxTokenAgeMs: 2 * CENTURY_MS });
    const server = createServer();
    await server.register(hubwardPlugin, { app });
    await server.listen({ port: 0, host: "127.0.0.1" });
    const socket = await openWebSocket({
      port: portOf(server),
      path: HUB,
      headers: bearer(tokenOf({ livesMs: CENTURY_MS })),
    });
    await socket.shakeHands();
    expect(app.connectionCount).toBe(1);
    const closed = server.close();
    expect(await socket.closeFrame()).toMatchObject({ code: 1001 });
    socket.end();
    await closed;
    expect(app.connectionCount).toBe(0);
  });

  test("decorates requests of the whole instance it is registered on with who was let in", async () => {
    const { app, tokenOf } = createWard();
    const server = createServer();
    await server.register(hubwardPlugin, { app });
    const all = app.policy("All", () => true);
    await server.register(async (inner) => {
      inner.get(
        "/guarded",
        { onRequest: requirePolicy(app, all) },
        (request) => request.getDecorator<{ principal: { subject: string } }>("admission").principal.subject,
      );
    });
    server.get("/open", (request) => ({
      admission: request.getDecorator("admission") === undefined ? "none" : "some",
    }));
    const headers = bearer(tokenOf({ subject: "ann" }));
    expect((await server.inject({ url: "/guarded", headers })).body).toBe("ann");
    expect((await server.inject({ url: "/open", headers })).json()).toEqual({ admission: "none" });
  });

  test("may be registered for two applications, each with its own hubs", async () => {
    const one = createWard();
    const another = createWard();
    another.app
      .hub("/hubs/another")
      .allow(another.app.policy("All", () => true))
      .methods(() => ({}));
    const server = createServer();
    await server.register(hubwardPlugin, { app: one.app });
    await server.register(hubwardPlugin, { app: another.app });
    await server.listen({ port: 0, host: "127.0.0.1" });
    const path = "/hubs/another/negotiate?negotiateVersion=1";
    const ask1 = { method: "POST", path, headers: bearer(another.tokenOf({})) };
    expect((await ask(portOf(server), ask1)).status).toBe(200);
    expect((await ask(portOf(server), { ...ask1, path: NEGOTIATE, headers: bearer(one.tokenOf({})) })).status).toBe(
      200,
    );
  });
});

/** As on a machine where localhost has these addresses, of which this one may have only the first. */
function giveLocalhost(names: readonly string[]): void {
  vi.spyOn(dns, "lookup").mockImplementation(((host: string, ...rest: readonly unknown[]) => {
    const found = rest.at(-1) as (error: null, ...found: readonly unknown[]) => void;
    const addresses = (host === "localhost" ? names : [host]).map((address) => ({ address, family: isIP(address) }));
    const isAll = (rest[0] as { readonly all?: boolean }).all === true;
    if (isAll) found(null, addresses);
    else found(null, addresses[0]?.address, addresses[0]?.family);
  }) as unknown as typeof dns.lookup);
}

test("on localhost with several addresses the hubs answer on each of them", async () => {
  giveLocalhost(["127.0.0.1", "127.0.0.2"]);
  const { app, tokenOf } = createWard();
  const server = createServer();
  await server.register(hubwardPlugin, { app });
  server.get("/ordinary", () => "an ordinary answer");
  await server.listen({ port: 0, host: "localhost" });
  const addresses = server.addresses() as readonly AddressInfo[];
  expect(addresses.map(({ address }) => address)).toEqual(expect.arrayContaining(["127.0.0.1", "127.0.0.2"]));
  for (const { address, port } of addresses) {
    const origin = `http://${address}:${port}`;
    expect(await (await fetch(`${origin}/ordinary`)).text()).toBe("an ordinary answer");
    const reply = await fetch(origin + NEGOTIATE, { method: "POST", headers: bearer(tokenOf({})) });
    expect([address, reply.status]).toEqual([address, 200]);
    expect((await fetch(origin + NEGOTIATE, { method: "POST" })).headers.get("www-authenticate")).toBe("Bearer");
  }
});

test("on localhost a gateway's headers are cut out of every request, and open guarded routes, by each address", async () => {
  giveLocalhost(["127.0.0.1", "::1"]);
  const clock = createFakeClock();
  const { app } = createWard({
    clock,
    authenticator: forwardedIdentity({ issuer: "https://gateway.test/", maxLifeSeconds: 60, clock }),
    principal: () => ({ department: null }),
  });
  const server = createServer();
  await server.register(hubwardPlugin, { app, trustedProxies: ["127.0.0.1", "::1"] });
  const seen: string[] = [];
  server.addHook("onRequest", (request, _reply, next) => {
    seen.push(JSON.stringify([request.headers, request.raw.rawHeaders]));
    next();
  });
  server.get("/ordinary", () => "an ordinary answer");
  const anybody = app.policy("Anybody", () => true);
  server.get(
    "/me",
    { onRequest: requirePolicy(app, anybody) },
    (request) => admissionOf(app, request)?.authentication.subject,
  );
  await server.listen({ port: 0, host: "localhost" });
  const addresses = server.addresses() as readonly AddressInfo[];
  expect(addresses.map(({ address }) => address).sort()).toEqual(["127.0.0.1", "::1"]);
  const answers: unknown[] = [];
  for (const { address, port } of addresses) {
    for (const path of ["/ordinary", "/me", "/nowhere"]) {
      const reply = await fetch(`http://${isIPv6(address) ? `[${address}]` : address}:${port}${path}`, {
        headers: { "x-auth-subject": "secret-anna" },
      });
      answers.push([path, reply.status, path === "/me" && reply.ok ? await reply.text() : ""]);
    }
  }
  expect(answers).toEqual([
    ["/ordinary", 200, ""],
    ["/me", 200, "secret-anna"],
    ["/nowhere", 404, ""],
    ["/ordinary", 200, ""],
    ["/me", 200, "secret-anna"],
    ["/nowhere", 404, ""],
  ]);
  expect(seen).toHaveLength(6);
  expect(seen.join()).not.toContain("secret-anna");
});
