/** `POST {hub}/negotiate` by hand: what the stock clients of the matrix do not ask. */

import { describe, expect, test } from "vitest";
import { upgrade } from "../tests/support/raw-web-socket.js";
import { ask, bearer } from "../tests/support/server.js";
import {
  enter,
  negotiate,
  postNegotiate,
  STOCK_AGENT,
  told,
  tryUpgrade,
  type Negotiated,
} from "./support/plain-http.js";
import { createWorld, HUB_PATH } from "./support/world.js";

const DOTNET_AGENT = "Microsoft SignalR/8.0 (8.0.29; Linux; .NET; .NET 8.0.29)";
const JAVA_AGENT = "Microsoft SignalR/8.0 (8.0.29; Linux; Java; 17.0.9; Eclipse Adoptium)";

describe("the reply", () => {
  test("names both ids, all transports, and a ticket", async () => {
    const world = await createWorld();
    const reply = await postNegotiate(world, bearer(await world.issuer.token("ada")));
    expect(reply.status).toBe(200);
    expect(reply.headers["content-type"]).toBe("application/json");
    expect(reply.headers["cache-control"]).toBe("no-store");
    const body = JSON.parse(reply.body) as Negotiated;
    expect(body).toEqual({
      negotiateVersion: 1,
      connectionId: expect.stringMatching(/^[\w-]{22}$/) as unknown,
      connectionToken: expect.stringMatching(/^[\w-]{22}$/) as unknown,
      availableTransports: [
        { transport: "WebSockets", transferFormats: ["Text", "Binary"] },
        { transport: "ServerSentEvents", transferFormats: ["Text"] },
        { transport: "LongPolling", transferFormats: ["Text", "Binary"] },
      ],
      accessToken: expect.stringMatching(/^hwt_[\w-]{43}$/) as unknown,
    });
    expect(body.connectionId).not.toBe(body.connectionToken);
  });

  test("of version 0 has one id, which is the secret one and stands in no log", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada");
    const body = await negotiate(world, token, {}, "");
    expect(body.negotiateVersion).toBe(0);
    expect(body).not.toHaveProperty("connectionToken");
    const socket = await enter(world, body.connectionId, body.accessToken ?? "");
    await socket.shakeHands();
    const [opened] = await world.opened(1);
    expect(opened?.connectionId).toMatch(/^[\w-]{22}$/);
    expect(JSON.stringify(world.telemetry.items)).not.toContain(body.connectionId);
    const { result } = await socket.invoke("1", "WhoAmI");
    expect(result).toMatchObject({ connectionId: opened?.connectionId });
    socket.end();
  });

  test("answers later versions as version 1, whatever the parameter's case", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada");
    for (const query of ["negotiateVersion=2", "NEGOTIATEVERSION=1", "negotiateversion=99"]) {
      expect((await negotiate(world, token, {}, query)).negotiateVersion).toBe(1);
    }
  });

  test.each([
    ["negotiateVersion=one", "The client requested a non-integer protocol version."],
    ["negotiateVersion=1&negotiateversion=1", "The client requested a non-integer protocol version."],
    ["negotiateVersion=1.5", "The client requested a non-integer protocol version."],
    ["negotiateVersion=-1", "The client requested version '-1', but the server does not support this version."],
  ])("for %s is a 200 that holds nothing but the error", async (query, error) => {
    const world = await createWorld();
    const reply = await postNegotiate(world, bearer(await world.issuer.token("ada")), { query });
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.body)).toEqual({ error });
  });

  test.each([
    [".NET", DOTNET_AGENT],
    ["Java", JAVA_AGENT],
  ])("holds no ticket for the %s client, which sends its JWT in headers only", async (_, agent) => {
    const world = await createWorld();
    const token = await world.issuer.token("ada");
    const body = await negotiate(world, token, { "user-agent": agent });
    expect(body).not.toHaveProperty("accessToken");
    const socket = await enter(world, body.connectionToken ?? "", token);
    await socket.shakeHands();
    expect((await socket.invoke("1", "WhoAmI"))["result"]).toMatchObject({ connectionId: body.connectionId });
    socket.end();
  });

  test("holds a ticket for a browser, which names itself in a header of its own", async () => {
    const world = await createWorld({ allowedOrigins: ["https://wards.example"] });
    const body = await negotiate(world, await world.issuer.token("ada"), {
      origin: "https://wards.example",
      "user-agent": "Mozilla/5.0",
      "x-signalr-user-agent": "Microsoft SignalR/10.0 (10.0.11; Unknown OS; Browser; Unknown Runtime Version)",
    });
    expect(body.accessToken).toMatch(/^hwt_/);
  });
});

describe("the method", () => {
  test.each(["GET", "PUT", "DELETE", "HEAD"])(
    "%s is not allowed, and that is judged before anything else",
    async (method) => {
      const world = await createWorld();
      const reply = await ask(world.port, { method, path: `${HUB_PATH}/negotiate?negotiateVersion=1` });
      expect(reply.status).toBe(405);
      expect(reply.headers["allow"]).toBe("POST");
      expect(reply.headers["content-type"]).toBe("text/plain");
    },
  );

  test("a large body nobody asked for is not waited for", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada");
    const reply = await ask(world.port, {
      method: "POST",
      path: `${HUB_PATH}/negotiate?negotiateVersion=1`,
      headers: bearer(token),
      body: "x".repeat(1_000_000),
    });
    expect(reply.status).toBe(200);
    expect(reply.headers["connection"]).toBe("close");
  });
});

describe("the credential", () => {
  test("is missing: a bare 401 that says nothing else", async () => {
    const world = await createWorld();
    const reply = await postNegotiate(world);
    expect([reply.status, reply.headers["www-authenticate"], reply.body]).toEqual([401, "Bearer", ""]);
    const basic = await postNegotiate(world, { authorization: "Basic YWRhOmFkYQ==" });
    expect([basic.status, basic.body]).toEqual([401, ""]);
  });

  test("is not good: 401 with the reason, and the same for every way of not being good", async () => {
    const world = await createWorld();
    const other = await createWorld();
    const good = await world.issuer.token("ada");
    const bad = [
      "x",
      `${good}=`,
      good.slice(0, -4),
      `${good}.`,
      "hwt_short",
      await other.issuer.token("ada", { claims: { aud: "https://elsewhere.example/" } }),
    ];
    for (const token of bad.slice(0, 4)) {
      const reply = await postNegotiate(world, bearer(token));
      expect([reply.status, reply.body]).toEqual([401, '{"error":"invalid_token;action=relogin"}']);
      expect(reply.headers["www-authenticate"]).toBe('Bearer error="invalid_token"');
    }
    const ticket = await postNegotiate(world, bearer("hwt_short"));
    expect([ticket.status, ticket.body]).toEqual([401, '{"error":"ticket_invalid;action=reconnect"}']);
  });

  test("stands in the query: refused, unless the server allows it", async () => {
    const token = await (await createWorld()).issuer.token("ada");
    const query = `negotiateVersion=1&access_token=${token}`;
    const strict = await createWorld();
    const refused = await postNegotiate(strict, {}, { query });
    expect([refused.status, refused.body]).toEqual([401, '{"error":"invalid_token;action=relogin"}']);
    expect(strict.telemetry.items).toEqual([
      expect.objectContaining({ hint: "a JWT stood in the query, and allowQueryToken is off" }),
    ]);
    const lenient = await createWorld({ allowQueryToken: true });
    expect((await postNegotiate(lenient, {}, { query })).status).toBe(200);
  });

  test("is two that differ: 400, in whatever places they stand", async () => {
    const world = await createWorld({ allowQueryToken: true });
    const [ada, bob] = [await world.issuer.token("ada"), await world.issuer.token("bob")];
    const told400 = '{"error":"invalid_request;action=fix-request"}';
    const inQuery = await postNegotiate(world, bearer(ada), { query: `negotiateVersion=1&access_token=${bob}` });
    expect([inQuery.status, inQuery.body]).toEqual([400, told400]);
    const twice = await postNegotiate(world, {}, { query: `access_token=${ada}&access_token=${bob}` });
    expect([twice.status, twice.body]).toEqual([400, told400]);
    const same = await postNegotiate(world, bearer(ada), { query: `negotiateVersion=1&access_token=${ada}` });
    expect(same.status).toBe(200);
  });

  test("is about to expire: 401 with the reason", async () => {
    const world = await createWorld();
    const reply = await postNegotiate(world, bearer(await world.issuer.token("ada", { lifetime: 9, age: 200 })));
    expect([reply.status, reply.body]).toEqual([401, '{"error":"token_expired;action=refresh"}']);
  });

  test("may not connect: 403 with the reason, except to a stock client, which is told in its own way", async () => {
    const world = await createWorld();
    const visitor = await world.issuer.token("vera", { roles: ["visitor"] });
    const reply = await postNegotiate(world, bearer(visitor));
    expect([reply.status, reply.body]).toEqual([403, '{"error":"forbidden: visitors may not connect"}']);
    expect(reply.headers).not.toHaveProperty("www-authenticate");
    expect((await postNegotiate(world, { ...bearer(visitor), "user-agent": STOCK_AGENT })).status).toBe(200);
    expect(world.telemetry.items.map((event) => event.event)).toEqual(["connection.refused", "connection.refused"]);
  });

  test("cannot be judged: 503 that tells when to come back, never 401", async () => {
    const world = await createWorld({
      principal: () => {
        throw new Error("the directory is down");
      },
    });
    for (const agent of ["curl/8", STOCK_AGENT]) {
      const reply = await postNegotiate(world, { ...bearer(await world.issuer.token("ada")), "user-agent": agent });
      expect([reply.status, reply.body]).toEqual([
        503,
        '{"error":"auth_unavailable;action=retry-after;retry_after=1"}',
      ]);
      expect(reply.headers["retry-after"]).toBe("1");
    }
  });
});

describe("an upgrade without a negotiate", () => {
  test("needs a JWT that may connect", async () => {
    const world = await createWorld();
    const upgradeWith = async (token: string): Promise<string> => {
      return told(await upgrade({ port: world.port, path: HUB_PATH, headers: bearer(token) }));
    };
    expect(await upgradeWith("x")).toBe('401 {"error":"invalid_token;action=relogin"}');
    expect(await upgradeWith(await world.issuer.token("ada", { lifetime: 5, age: 100 }))).toBe(
      '401 {"error":"token_expired;action=refresh"}',
    );
    expect(await upgradeWith(await world.issuer.token("vera", { roles: ["visitor"] }))).toBe(
      '403 {"error":"forbidden: visitors may not connect"}',
    );
    expect(await tryUpgrade(world, "unknown", await world.issuer.token("ada")).then(told)).toBe(
      "404 No Connection with that ID",
    );
  });
});
