/**
 * Each poll, send and DELETE says anew who asks, and reaches a connection only for its own identity. Somebody else
 * who has got hold of the connection's secret id is told what is told of an id that never was; its owner notices
 * nothing.
 */

import { forwardedIdentity } from "@hubward/server";
import { describe, expect, test } from "vitest";
import { createFakeClock } from "../tests/support/fake-clock.js";
import { ask, bearer } from "../tests/support/server.js";
import { negotiate, negotiateTicket } from "./support/plain-http.js";
import {
  EVENT_STREAM,
  HELLO,
  invoke,
  line,
  negotiated,
  openStream,
  polling,
  rawClient,
  UNKNOWN_ID,
  type RawClient,
} from "./support/raw-transports.js";
import { createWorld, HUB_PATH, type World } from "./support/world.js";

/** Everything a stranger may try on an id. */
async function tryAll(client: RawClient, as: string): Promise<readonly string[]> {
  return [
    line(await client.get({ as })),
    line(await client.get({ as, headers: EVENT_STREAM })),
    line(await client.post(invoke("x", "Note", "a stranger's"), { as })),
    line(await client.remove({ as })),
  ];
}

const STRANGERS: readonly (readonly [string, (world: World) => Promise<string>])[] = [
  ["another person's token", (world) => world.issuer.token("bob")],
  ["another person's ticket", async (world) => (await negotiateTicket(world, await world.issuer.token("bob"))).ticket],
  [
    "her ticket for another connection",
    async (world) => (await negotiateTicket(world, await world.issuer.token("ada"))).ticket,
  ],
  ["her token through another client", (world) => world.issuer.token("ada", { claims: { client_id: "another" } })],
];

describe.each(STRANGERS)("a stolen id with %s", (_, credentialOf) => {
  test("is unknown, and the owner's poll, order and time go on as if nothing had been", async () => {
    const world = await createWorld();
    const client = await polling(world);
    const poll = await client.beginPoll();
    const stranger = await credentialOf(world);
    world.clock.advance(10_000);
    expect(await tryAll(client, stranger)).toEqual([UNKNOWN_ID, UNKNOWN_ID, UNKNOWN_ID, UNKNOWN_ID]);
    expect(await tryAll(rawClient(world, "unknown", stranger), stranger)).toEqual([
      UNKNOWN_ID,
      UNKNOWN_ID,
      UNKNOWN_ID,
      UNKNOWN_ID,
    ]);
    await client.post(invoke("1", "Echo", "mine"));
    expect((await poll.reply).body).toBe('{"type":3,"invocationId":"1","result":"mine"}\x1e');
    // A stranger's poll is no sign of life of the owner's.
    world.clock.advance(14_000);
    expect(await tryAll(client, stranger)).toContain(UNKNOWN_ID);
    world.clock.advance(1_000);
    await world.telemetry.first(({ event }) => event === "connection.closed");
    expect(world.seen.items).toEqual([]);
  });

  test("does not use up what has no transport yet, and leaves a stream alone", async () => {
    const world = await createWorld();
    const client = await negotiated(world);
    const stranger = await credentialOf(world);
    expect(new Set(await tryAll(client, stranger))).toEqual(new Set([UNKNOWN_ID]));
    const stream = await openStream(world, client);
    expect(stream.status).toBe(200);
    await client.post(HELLO);
    expect(new Set(await tryAll(client, stranger))).toEqual(new Set([UNKNOWN_ID]));
    await client.post(invoke("1", "Echo", "mine"));
    await stream.chunks.first((chunk) => chunk.includes("mine"));
    expect(stream.text).not.toContain("stranger");
  });

  test("is logged with who it was", async () => {
    const world = await createWorld();
    const client = await polling(world);
    const before = world.telemetry.items.length;
    await client.get({ as: await credentialOf(world) });
    expect(world.telemetry.items.slice(before)).toEqual([
      expect.objectContaining({
        event: "connection.refused",
        reason: "not_found",
        hint: "nothing with this id waits for a transport, or it is somebody else's",
      }),
    ]);
    expect(JSON.stringify(world.telemetry.items)).not.toContain(client.id);
  });
});

describe("the owner's own tokens", () => {
  const echoes = async (client: RawClient, as: string): Promise<void> => {
    const name = as.slice(-8);
    expect((await client.post(invoke(name, "Echo", name), { as })).status).toBe(200);
    const { body } = await client.get({ as });
    expect(body).toBe(`{"type":3,"invocationId":"${name}","result":"${name}"}\x1e`);
  };

  test("are as good as the ticket, whichever session they are of; an older one or a later one replaces nothing", async () => {
    const world = await createWorld();
    const client = await polling(world);
    for (const lifetime of [30, 300, 3_000]) {
      await echoes(client, await world.issuer.token("ada", { lifetime, claims: { sid: `session ${lifetime}` } }));
    }
    await client.post(invoke("1", "WhoAmI"));
    expect((await client.get()).body).toContain('"expiresInSeconds":300');
  });

  test("that have aged still fetch the last words of a connection that ended with them", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada", { lifetime: 20 });
    // A client that sends headers only gets no ticket.
    const agent = { "user-agent": "Microsoft SignalR/10.0 (10.0.11; Linux; .NET; 10.0)" };
    const { connectionToken = "", accessToken } = await negotiate(world, token, agent);
    expect(accessToken).toBeUndefined();
    const client = rawClient(world, connectionToken, token);
    await client.get();
    await client.post(HELLO);
    await client.get();
    const { reply } = await client.beginPoll();
    world.clock.advance(19_000);
    world.tellHub("in time");
    expect((await reply).status).toBe(200);
    world.clock.advance(1_000);
    expect(line(await client.post(invoke("1", "Echo", 1)))).toBe(UNKNOWN_ID);
    expect((await client.get()).body).toBe(
      '{"type":7,"error":"token_expired;action=refresh","allowReconnect":true}\x1e',
    );
    expect((await client.get()).status).toBe(204);
  });

  test("that ended before they were ever shown get a 401, which .NET answers with a newer one, and change nothing", async () => {
    const world = await createWorld();
    const client = await polling(world);
    const late = await world.issuer.token("ada", { lifetime: 20 });
    const poll = await client.beginPoll();
    world.clock.advance(20_000);
    const expired = '401 application/json; charset=utf-8 "{\\"error\\":\\"token_expired;action=refresh\\"}"';
    expect(await tryAll(client, late)).toEqual([expired, expired, expired, expired]);
    // The same for an id that never was: whoever holds an old token learns nothing by it.
    expect(await tryAll(rawClient(world, "unknown", late), late)).toEqual([expired, expired, expired, expired]);
    expect(world.seen.items).toEqual([]);
    const again = await world.issuer.token("ada", { lifetime: 300 });
    expect((await client.post(invoke("1", "Echo", "once more"), { as: again })).status).toBe(200);
    expect((await poll.reply).body).toContain('"result":"once more"');
  });

  test("do not stand in a URL, where they would have to be allowed", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada");
    const client = await polling(world);
    const path = `${client.path}&access_token=${token}`;
    expect((await client.get({ as: null, path })).status).toBe(401);
    // Not even when the connection knows it.
    expect((await client.post("", { as: token })).status).toBe(200);
    expect((await client.get({ as: null, path })).status).toBe(401);
    const two = await ask(world.port, { path, headers: bearer(client.credential) });
    expect(two.status).toBe(400);
  });
});

describe("an identity that a gateway forwards", () => {
  const gateway = { trustedProxies: ["127.0.0.1"] };
  const says = (subject: string, expiresAt: number): Readonly<Record<string, string>> => ({
    "x-auth-subject": subject,
    "x-auth-expires": String(Math.floor(expiresAt / 1000)),
  });

  async function gated(): Promise<{ world: World; client: RawClient; ada: Readonly<Record<string, string>> }> {
    const clock = createFakeClock();
    const authenticator = forwardedIdentity({ issuer: "https://gateway.test/", clock });
    const world = await createWorld({ authenticator, clock }, gateway);
    const ada = says("ada", clock.now() + 20_000);
    const reply = await ask(world.port, {
      method: "POST",
      path: `${HUB_PATH}/negotiate?negotiateVersion=1`,
      headers: { ...ada, "user-agent": "Microsoft SignalR/10.0 (10.0.11; Linux; .NET; 10.0)" },
    });
    const { connectionToken } = JSON.parse(reply.body) as { connectionToken: string };
    return { world: { ...world, clock }, client: rawClient(world, connectionToken, ""), ada };
  }

  test("is asked of every request, and another one finds nothing", async () => {
    const { world, client, ada } = await gated();
    const as = (headers: Readonly<Record<string, string>>) => ({ as: null, headers });
    expect((await client.get(as(ada))).status).toBe(200);
    await client.post(HELLO, as(ada));
    expect((await client.get(as(ada))).body).toBe("{}\x1e");
    const bob = says("bob", world.clock.now() + 20_000);
    expect(line(await client.get(as(bob)))).toBe(UNKNOWN_ID);
    expect(line(await client.post(invoke("1", "Note", "bob's"), as(bob)))).toBe(UNKNOWN_ID);
    expect(line(await client.remove(as(bob)))).toBe(UNKNOWN_ID);
    expect((await client.get(as({}))).status).toBe(401);
    // The gateway's word for her changes with the hour; it is still she.
    const later = says("ada", world.clock.now() + 60_000);
    await client.post(invoke("1", "Echo", "mine"), as(later));
    expect((await client.get(as(ada))).body).toContain('"mine"');
    expect(world.seen.items).toEqual([]);
    // Her connection ends with the word it began with, and tells her so.
    world.clock.advance(14_000);
    world.tellHub("in time");
    expect((await client.get(as(ada))).body).toContain("in time");
    world.clock.advance(6_000);
    expect((await client.get(as(ada))).body).toContain("token_expired");
    expect((await client.get(as(ada))).status).toBe(204);
  });
});

test("one identity has at most a hundred connections that cost no socket, and others have theirs", async () => {
  const world = await createWorld({ limits: { maxConnectionsPerPrincipal: 1_000 } });
  const clients = [];
  for (let each = 0; each < 100; each++) clients.push(await polling(world));
  const one = await negotiated(world);
  const refused = await one.get();
  expect([refused.status, refused.body]).toEqual([
    429,
    '{"error":"connection_limit;action=retry-after;retry_after=30"}',
  ]);
  await polling(world, "bob");
  await clients[0]?.remove();
  world.clock.advance(1_000);
  expect(line(await one.get())).toContain("200");
});
