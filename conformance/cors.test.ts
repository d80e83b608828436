/** Pages of other origins: what their browser asks before, and what it lets them read. */

import { describe, expect, test } from "vitest";
import { ask, bearer, type PlainReply } from "../tests/support/server.js";
import { negotiateTicket } from "./support/plain-http.js";
import { EVENT_STREAM, HELLO, openStream, polling, rawClient, type RawClient } from "./support/raw-transports.js";
import { createWorld, HUB_PATH, type World } from "./support/world.js";

const PAGE = "https://wards.example";
const FOREIGN = "https://evil.example";
const options = { allowedOrigins: [PAGE] };

const shared = { "access-control-allow-origin": PAGE, "access-control-allow-credentials": "true", vary: "Origin" };
const sharing = ({ headers }: Pick<PlainReply, "headers">): unknown => ({
  "access-control-allow-origin": headers["access-control-allow-origin"],
  "access-control-allow-credentials": headers["access-control-allow-credentials"],
  vary: headers["vary"],
});
const notShared = {
  "access-control-allow-origin": undefined,
  "access-control-allow-credentials": undefined,
  vary: "Origin",
};

function preflight(world: World, path: string, method: string, origin: string): Promise<PlainReply> {
  return ask(world.port, {
    method: "OPTIONS",
    path,
    headers: {
      origin,
      "access-control-request-method": method,
      "access-control-request-headers": "authorization,x-requested-with,x-signalr-user-agent",
    },
  });
}

describe("a preflight", () => {
  test.each([
    ["POST", "/negotiate?negotiateVersion=1"],
    ["GET", "?id=unknown"],
    ["POST", "?id=unknown"],
    ["DELETE", "?id=unknown"],
  ])("for %s %s is answered before anybody asks who it is", async (method, rest) => {
    const world = await createWorld(options);
    const reply = await preflight(world, HUB_PATH + rest, method, PAGE);
    expect([reply.status, reply.body, reply.headers["content-length"]]).toEqual([204, "", undefined]);
    expect(sharing(reply)).toEqual(shared);
    expect(reply.headers).toMatchObject({
      "access-control-allow-methods": "GET, POST, DELETE",
      "access-control-allow-headers": "authorization, content-type, x-requested-with, x-signalr-user-agent",
      "access-control-max-age": "600",
    });
    expect(world.telemetry.items).toEqual([]);
  });

  test("of another origin is refused, and the log says which option to set", async () => {
    const world = await createWorld(options);
    const reply = await preflight(world, HUB_PATH, "POST", FOREIGN);
    expect([reply.status, sharing(reply), reply.headers["access-control-allow-methods"]]).toEqual([
      403,
      notShared,
      undefined,
    ]);
    expect(world.telemetry.items).toEqual([
      expect.objectContaining({ reason: "origin_denied", hint: "a page of this origin is not in allowedOrigins" }),
    ]);
  });
});

/** Everything a page asks, in the order of a long-polling connection's life. */
async function wholeLife(
  world: World,
  client: RawClient,
  headers: Readonly<Record<string, string>>,
): Promise<PlainReply[]> {
  const token = await world.issuer.token("ada");
  const path = `${HUB_PATH}/negotiate?negotiateVersion=1`;
  return [
    await ask(world.port, { method: "POST", path, headers: { ...bearer(token), ...headers } }),
    await client.get({ headers }),
    await client.post(HELLO, { headers }),
    await client.get({ headers }),
    await client.remove({ headers }),
  ];
}

async function fresh(world: World): Promise<RawClient> {
  const { id, ticket } = await negotiateTicket(world, await world.issuer.token("ada"));
  return rawClient(world, id, ticket);
}

describe("answers", () => {
  test("of a whole long-polling life can be read by the page that is allowed", async () => {
    const world = await createWorld(options);
    const replies = await wholeLife(world, await fresh(world), { origin: PAGE, "sec-fetch-site": "cross-site" });
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 202]);
    for (const reply of replies) expect(sharing(reply)).toEqual(shared);
  });

  test("of a stream can, too", async () => {
    const world = await createWorld(options);
    const stream = await openStream(world, await fresh(world), { origin: PAGE, "sec-fetch-site": "cross-site" });
    expect([stream.status, sharing(stream)]).toEqual([200, shared]);
    stream.destroy();
  });

  test("that are refusals can be read as well: 400, 401, 403, 404, 405, 409, 413, 503", async () => {
    const world = await createWorld(options);
    const headers = { origin: PAGE };
    const client = await polling(world);
    const stream = await openStream(world, await fresh(world));
    const visitor = await world.issuer.token("vera", { roles: ["visitor"] });
    const path = `${HUB_PATH}/negotiate?negotiateVersion=1`;
    const replies = [
      await client.get({ headers, path: HUB_PATH }),
      await client.get({ headers, as: null }),
      await ask(world.port, { method: "POST", path, headers: { ...bearer(visitor), ...headers } }),
      await client.get({ headers, path: `${HUB_PATH}?id=x` }),
      await client.send("PUT", "", { headers }),
      await client.post("x".repeat(2_000_000), { headers }),
    ];
    const second = await fresh(world);
    const open = await openStream(world, second);
    replies.push(await second.get({ headers: { ...headers, ...EVENT_STREAM } }));
    for (const each of [stream, open]) each.destroy();
    void world.app.close();
    replies.push(
      await ask(world.port, {
        method: "POST",
        path,
        headers: { ...bearer(await world.issuer.token("ada")), ...headers },
      }),
    );
    expect(replies.map(({ status }) => status)).toEqual([400, 401, 403, 404, 405, 413, 409, 503]);
    for (const reply of replies) expect(sharing(reply)).toEqual(shared);
  });

  test("of a refresh beside the connection can, with its preflight and its refusal; another origin's is refused", async () => {
    const world = await createWorld(options);
    const path = "/hubs/refreshing";
    world.app
      .hub(path, { authenticationRefresh: true })
      .allow(world.app.policy("RefreshingAnyone", () => true))
      .methods((m) => ({ Nothing: m.handle(() => null) }));
    const from = (origin: string): Record<string, string> => ({ origin, "sec-fetch-site": "cross-site" });
    const post = async (rest: string, token: string, headers: Readonly<Record<string, string>>): Promise<PlainReply> =>
      ask(world.port, { method: "POST", path: path + rest, headers: { ...bearer(token), ...headers } });
    const token = await world.issuer.token("ada");
    const negotiated = await post("/negotiate?negotiateVersion=1", token, from(PAGE));
    const { connectionToken } = JSON.parse(negotiated.body) as { readonly connectionToken: string };
    const client = rawClient(world, connectionToken, token);
    const poll = { path: `${path}?id=${connectionToken}`, headers: from(PAGE) };
    await client.get(poll);
    await client.post(HELLO, poll);

    const refresh = `/refresh?id=${connectionToken}`;
    const asked = await preflight(world, path + refresh, "POST", PAGE);
    expect([asked.status, sharing(asked)]).toEqual([204, shared]);
    const later = await world.issuer.token("ada", { lifetime: 600 });
    const refreshed = await post(refresh, later, from(PAGE));
    expect([refreshed.status, sharing(refreshed)]).toEqual([200, shared]);
    expect(refreshed.body).toMatch(/^\{"tokenLifetimeSeconds":5\d\d\}$/);
    const refused = await post(refresh, "nonsense", from(PAGE));
    expect([refused.status, refused.body, sharing(refused)]).toEqual([401, '{"error":"invalid_token"}', shared]);
    const foreign = await post(refresh, await world.issuer.token("ada", { lifetime: 900 }), from(FOREIGN));
    expect([foreign.status, sharing(foreign)]).toEqual([403, notShared]);
    expect((await preflight(world, path + refresh, "POST", FOREIGN)).status).toBe(403);
    const again = await post(refresh, later, from(PAGE));
    // What is told is shortened by a random share; of the foreign page's 900 s it would be more than 600.
    expect(`${again.status} ${again.body}`).toMatch(/^200 \{"tokenLifetimeSeconds":5\d\d\}$/);
  });

  test("to another origin are refusals that its page cannot read; nothing was touched", async () => {
    const world = await createWorld(options);
    const client = await fresh(world);
    for (const headers of [
      { origin: FOREIGN },
      { origin: FOREIGN, "sec-fetch-site": "same-origin" },
      { origin: "null" },
    ]) {
      for (const reply of await wholeLife(world, client, headers)) {
        expect([reply.status, sharing(reply)]).toEqual([403, notShared]);
      }
      const stream = await openStream(world, client, headers);
      expect([stream.status, sharing(stream)]).toEqual([403, notShared]);
    }
    expect((await client.get()).status).toBe(200);
  });
});

describe("where a browser names no origin", () => {
  const site = (value: string): Readonly<Record<string, string>> => ({ "sec-fetch-site": value });

  test("polls and streams of our own pages are answered", async () => {
    const world = await createWorld(options);
    const client = await fresh(world);
    expect((await client.get({ headers: site("same-origin") })).status).toBe(200);
    const stream = await openStream(world, await fresh(world), site("same-origin"));
    expect(stream.status).toBe(200);
    stream.destroy();
  });

  test.each(["cross-site", "same-site", "none", ""])("those of a %j page are not", async (value) => {
    const world = await createWorld(options);
    const client = await fresh(world);
    expect((await client.get({ headers: site(value) })).status).toBe(403);
    expect((await openStream(world, client, site(value))).status).toBe(403);
    expect((await client.get()).status).toBe(200);
  });

  test.each(["POST", "DELETE"])("%s is never answered: a browser always names one there", async (method) => {
    const world = await createWorld(options);
    const client = await polling(world);
    expect((await client.send(method, "", { headers: site("same-origin") })).status).toBe(403);
    expect((await client.send(method, "", { headers: { origin: PAGE } })).status).toBeLessThan(300);
  });

  test("a client that is no browser needs none", async () => {
    const world = await createWorld();
    const replies = await wholeLife(world, await fresh(world), { "sec-fetch-mode": "cors" });
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 202]);
  });
});
