/**
 * Every answer of `{hub}?id=…`, over raw HTTP: which request, in which state. Recorded from ASP.NET Core where it is
 * the same; what differs on purpose says so.
 */

import { describe, expect, test } from "vitest";
import { upgrade } from "../tests/support/raw-web-socket.js";
import { ask, bearer } from "../tests/support/server.js";
import { until } from "../tests/support/until.js";
import { enter, negotiateTicket, told, tryUpgrade } from "./support/plain-http.js";
import {
  call,
  DATA,
  EVENT_STREAM,
  HELLO,
  invoke,
  line,
  negotiated,
  openStream,
  polling,
  rawClient,
  UNKNOWN_ID,
} from "./support/raw-transports.js";
import { createWorld, HUB_PATH, type World } from "./support/world.js";

const EMPTY = '200 text/plain ""';
const OVERTAKEN = '204 text/plain ""';
const OTHER_TRANSPORT = '400 text/plain "Cannot change transports mid-connection"';
const NO_STORE = {
  "cache-control": "no-cache, no-store",
  pragma: "no-cache",
  expires: "Thu, 01 Jan 1970 00:00:00 GMT",
};

const gone = (world: World): Promise<unknown> => world.telemetry.first(({ event }) => event === "connection.closed");

describe("any request", () => {
  test.each(["GET", "POST", "DELETE"])(
    "%s without an id is a 400, with an id that nobody knows a 404",
    async (method) => {
      const world = await createWorld();
      const token = await world.issuer.token("ada");
      const answer = async (path: string): Promise<string> =>
        line(await ask(world.port, { method, path, headers: bearer(token) }));
      expect(await answer(HUB_PATH)).toBe('400 text/plain "Connection ID required"');
      expect(await answer(`${HUB_PATH}?id=`)).toBe('400 text/plain "Connection ID required"');
      expect(await answer(`${HUB_PATH}?id=unknown`)).toBe(UNKNOWN_ID);
      expect(await answer(`${HUB_PATH}?id=${"x".repeat(4_000)}`)).toBe(UNKNOWN_ID);
    },
  );

  test.each(["PUT", "PATCH", "HEAD", "OPTIONS", "TRACE"])(
    "%s is a 405, before anybody asks who it is",
    async (method) => {
      const world = await createWorld();
      const client = await negotiated(world);
      for (const path of [HUB_PATH, client.path, `${HUB_PATH}?id=unknown`]) {
        const reply = await ask(world.port, { method, path });
        expect([reply.status, reply.headers["allow"]]).toEqual([405, "GET, POST, DELETE"]);
      }
    },
  );

  test.each(["GET", "POST", "DELETE"])("%s by nobody is a 401, whether the id is known or not", async (method) => {
    const world = await createWorld();
    const client = await polling(world);
    for (const path of [HUB_PATH, client.path, `${HUB_PATH}?id=unknown`]) {
      expect(line(await client.send(method, "", { as: null, path }))).toBe('401 ""');
      expect(line(await client.send(method, "", { as: "nonsense", path }))).toBe(
        '401 application/json; charset=utf-8 "{\\"error\\":\\"invalid_token;action=relogin\\"}"',
      );
    }
    const { reply } = await client.beginPoll();
    world.tellHub("still here");
    expect((await reply).body).toContain("still here");
  });

  test.each(["GET", "POST", "DELETE"])("%s is answered for nobody to keep, whatever the answer", async (method) => {
    const world = await createWorld();
    const client = await negotiated(world);
    for (const path of [client.path, HUB_PATH, `${HUB_PATH}?id=unknown`]) {
      for (const as of [undefined, null]) {
        const { headers } = await client.send(method, "", { as, path });
        expect(headers["cache-control"]).toContain("no-store");
      }
    }
  });

  test("finds its connection whatever the case of path and name", async () => {
    const world = await createWorld();
    const client = await negotiated(world);
    const path = client.path.replace("?id=", "?ID=").replace("/hubs/", "/HUBS/");
    expect(line(await client.get({ path }))).toBe(DATA(""));
  });

  test("does not find a connection by its public id, and finds none after the time to attach is over", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada");
    const { id, ticket } = await negotiateTicket(world, token);
    const client = rawClient(world, id, ticket);
    const path = `${HUB_PATH}?id=${world.telemetry.items.length}`;
    expect(line(await client.get({ path }))).toBe(UNKNOWN_ID);
    world.clock.advance(30_000);
    expect(line(await client.get())).toBe(UNKNOWN_ID);
    expect(line(await client.get({ as: token }))).toBe(UNKNOWN_ID);
  });
});

describe("long polling", () => {
  test("answers the first poll at once and empty, and every poll for nobody to keep", async () => {
    const world = await createWorld();
    const client = await negotiated(world);
    const first = await client.get();
    expect([line(first), first.headers]).toEqual([DATA(""), expect.objectContaining(NO_STORE)]);
    const poll = await client.beginPoll();
    expect(line(await client.post(HELLO))).toBe(EMPTY);
    const second = await poll.reply;
    expect([line(second), second.headers]).toEqual([DATA("{}\x1e"), expect.objectContaining(NO_STORE)]);
    expect(world.app.connectionCount).toBe(1);
  });

  test("answers a poll with everything that has gathered, in order", async () => {
    const world = await createWorld();
    const client = await polling(world);
    for (const value of ["one", "two"]) expect(line(await client.post(invoke(value, "Echo", value)))).toBe(EMPTY);
    await client.post(invoke("a", "Echo", 1) + invoke("b", "Echo", 2));
    world.tellHub("news");
    const bodies = (await client.get()).body.split("\x1e").slice(0, -1);
    expect(bodies.map((body) => (JSON.parse(body) as { invocationId?: string }).invocationId)).toEqual([
      "one",
      "two",
      "a",
      "b",
      undefined,
    ]);
  });

  test("answers 204 to a poll that a newer one overtakes", async () => {
    const world = await createWorld();
    const client = await polling(world);
    const older = await client.beginPoll();
    const newer = await client.beginPoll();
    const overtaken = await older.reply;
    expect([line(overtaken), overtaken.headers]).toEqual([OVERTAKEN, expect.objectContaining(NO_STORE)]);
    world.tellHub("news");
    expect((await newer.reply).body).toContain('"news"');
  });

  test("answers a poll empty after 90 s without news, and the connection goes on", async () => {
    const world = await createWorld({ keepAliveMs: 1_000 });
    const client = await polling(world);
    const poll = await client.beginPoll();
    world.clock.advance(89_000);
    expect(world.gets.open).toBe(1);
    world.clock.advance(1_000);
    const reply = await poll.reply;
    expect([line(reply), reply.headers]).toEqual([EMPTY, expect.objectContaining(NO_STORE)]);
    await client.post(invoke("1", "Echo", 1));
    expect((await client.get()).body).toContain('"result":1');
  });

  test("ends a connection that nobody has polled for 15 s", async () => {
    const world = await createWorld();
    const client = await polling(world);
    world.clock.advance(14_000);
    expect(line(await client.post(invoke("1", "Echo", 1)))).toBe(EMPTY);
    // To send is no poll.
    world.clock.advance(2_000);
    expect(await gone(world)).toMatchObject({ reason: "normal", subject: "ada" });
    expect([line(await client.get()), line(await client.post(HELLO))]).toEqual([UNKNOWN_ID, UNKNOWN_ID]);
    expect([world.app.connectionCount, world.clock.pending]).toEqual([0, []]);
  });

  test("does not mind a client that says nothing for as long as it polls", async () => {
    const world = await createWorld();
    const client = await polling(world);
    for (let times = 0; times < 3; times++) {
      const poll = await client.beginPoll();
      world.clock.advance(60_000);
      world.tellHub("news");
      expect((await poll.reply).status).toBe(200);
    }
  });

  test("takes sends in their order, and lets those that come faster than they are handled wait", async () => {
    const world = await createWorld();
    const client = await polling(world);
    await client.post(call("Wait", "gate", 0));
    const calls = Array.from({ length: 60 }, (_, index) => call("Note", `note ${index}`)).join("");
    const first = client.post(calls);
    await first;
    // Held back now: what comes next is not even read.
    const waiting = client.post(call("Note", "last"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(world.seen.items).toEqual([]);
    world.open("gate");
    expect(line(await waiting)).toBe(EMPTY);
    const seen = await world.seen.take(61);
    expect(seen.map(({ args }) => args[0])).toEqual([
      ...Array.from({ length: 60 }, (_, index) => `note ${index}`),
      "last",
    ]);
  });

  test("takes an empty send for what it is", async () => {
    const world = await createWorld();
    const client = await polling(world);
    expect(line(await client.post(""))).toBe(EMPTY);
    await client.post(invoke("1", "Echo", 1));
    expect((await client.get()).status).toBe(200);
  });

  test("is ended by DELETE with 202, its waiting poll with 204, and everything after with 404", async () => {
    const world = await createWorld();
    const client = await polling(world);
    const poll = await client.beginPoll();
    expect(line(await client.remove())).toBe('202 text/plain ""');
    expect(line(await poll.reply)).toBe(OVERTAKEN);
    expect(await gone(world)).toMatchObject({ reason: "normal" });
    for (const method of ["GET", "POST", "DELETE"]) expect(line(await client.send(method))).toBe(UNKNOWN_ID);
    expect([world.app.connectionCount, world.clock.pending]).toEqual([0, []]);
  });

  test("that its own Close has ended may be deleted once more without a warning, by nobody else", async () => {
    const world = await createWorld();
    const client = await polling(world);
    await client.post('{"type":7}\x1e');
    await client.get();
    await client.get();
    await gone(world);
    const before = world.telemetry.items.length;
    expect(line(await client.remove())).toBe(UNKNOWN_ID);
    expect(world.telemetry.items.slice(before)).toEqual([]);
    expect(line(await client.remove({ as: await world.issuer.token("bob") }))).toBe(UNKNOWN_ID);
    expect(world.telemetry.items.slice(before)).toMatchObject([{ event: "connection.refused", reason: "not_found" }]);
  });

  test("does not end by DELETE what has no transport yet", async () => {
    const world = await createWorld();
    const client = await negotiated(world);
    expect(line(await client.remove())).toBe(
      '400 text/plain "Cannot terminate this connection using the DELETE endpoint."',
    );
    expect(line(await client.get())).toBe(DATA(""));
  });

  // ASP.NET Core keeps what is sent before the first poll; here it would be memory for nobody.
  test("takes nothing before the first poll, and loses nothing by it", async () => {
    const world = await createWorld();
    const client = await negotiated(world);
    expect(line(await client.post(HELLO))).toBe('400 text/plain "The connection has no transport yet."');
    expect(line(await client.get())).toBe(DATA(""));
    await client.post(HELLO);
    expect(line(await client.get())).toBe(DATA("{}\x1e"));
  });

  test("says its last words to the next poll, then 204, then 404", async () => {
    const world = await createWorld();
    const client = await polling(world);
    await client.post('{"type":7}\x1e');
    expect(line(await client.get())).toBe(DATA('{"type":7}\x1e'));
    expect(line(await client.get())).toBe(OVERTAKEN);
    await gone(world);
    expect(line(await client.get())).toBe(UNKNOWN_ID);
    expect(world.clock.pending).toEqual([]);
  });

  test("refuses a handshake in the words of the reference", async () => {
    const world = await createWorld();
    const client = await negotiated(world);
    await client.get();
    expect(line(await client.post('{"protocol":"xml","version":1}\x1e'))).toBe(EMPTY);
    expect(line(await client.get())).toBe(DATA('{"error":"The protocol \'xml\' is not supported."}\x1e'));
    expect(line(await client.get())).toBe(OVERTAKEN);
    await until(() => world.clock.pending.length === 0);
    expect(line(await client.get())).toBe(UNKNOWN_ID);
  });

  test("refuses other transports for its connection", async () => {
    const world = await createWorld();
    const client = await polling(world);
    expect(line(await client.get({ headers: EVENT_STREAM }))).toBe(OTHER_TRANSPORT);
    expect(told(await tryUpgrade(world, client.id, client.credential))).toBe(
      "400 Cannot change transports mid-connection",
    );
    const { reply } = await client.beginPoll();
    world.tellHub("still here");
    expect((await reply).body).toContain("still here");
  });

  test.each(["*/*", "text/html, text/event-stream;q=0.9, */*", ""])("is what %j wishes for", async (accept) => {
    const world = await createWorld();
    const client = await negotiated(world);
    expect(line(await client.get({ headers: { accept } }))).toBe(DATA(""));
  });

  test("reads a body of several messages up to 1 MiB, and answers 413 beyond it", async () => {
    const world = await createWorld();
    const client = await polling(world);
    const note = call("Note", "x".repeat(1_000));
    const count = Math.floor((1024 * 1024) / note.length);
    expect(line(await client.post(note.repeat(count)))).toBe(EMPTY);
    await world.seen.take(count);
    expect(line(await client.post(note.repeat(count + 1)))).toBe(
      '413 application/json; charset=utf-8 "{\\"error\\":\\"message_too_big;action=fix-request\\"}"',
    );
    expect(world.seen.items).toHaveLength(count);
    await client.post(invoke("1", "Echo", "still here"));
    expect((await client.get()).body).toContain("still here");
  });
});

describe("server-sent events", () => {
  test("stream at once, with headers for nobody to keep or compress", async () => {
    const world = await createWorld();
    const client = await negotiated(world);
    const stream = await openStream(world, client);
    expect(stream).toMatchObject({
      status: 200,
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-store",
        pragma: "no-cache",
        "content-encoding": "identity",
      },
    });
    expect(await stream.chunks.first()).toBe(":\r\n");
    expect(line(await client.post(HELLO))).toBe(EMPTY);
    await stream.chunks.take(2);
    expect(stream.text).toBe(":\r\ndata: {}\x1e\r\n\r\n");
    world.tellHub("two\nlines");
    await stream.chunks.take(3);
    expect(stream.chunks.items[2]).toBe('data: {"type":1,"target":"said","arguments":["two\\nlines"]}\x1e\r\n\r\n');
  });

  test("are there once for a connection: a second one is a 409, other transports are a 400", async () => {
    const world = await createWorld();
    const client = await negotiated(world);
    const stream = await openStream(world, client);
    await client.post(HELLO);
    expect(line(await client.get({ headers: EVENT_STREAM }))).toBe('409 text/plain ""');
    expect(line(await client.get())).toBe(OTHER_TRANSPORT);
    expect(told(await tryUpgrade(world, client.id, client.credential))).toBe(
      "400 Cannot change transports mid-connection",
    );
    expect(line(await client.remove())).toBe(
      '400 text/plain "Cannot terminate this connection using the DELETE endpoint."',
    );
    world.tellHub("still here");
    await stream.chunks.first((chunk) => chunk.includes("still here"));
  });

  test("end after the last words; a client that goes away ends the connection", async () => {
    const world = await createWorld();
    const client = await negotiated(world);
    const stream = await openStream(world, client);
    await client.post(HELLO);
    await client.post('{"type":7}\x1e');
    expect([await stream.ended, stream.text.endsWith('data: {"type":7}\x1e\r\n\r\n')]).toEqual(["complete", true]);
    await gone(world);
    expect(line(await client.post("x"))).toBe(UNKNOWN_ID);

    const other = await negotiated(world, "bob");
    const cut = await openStream(world, other);
    await other.post(HELLO);
    await until(() => world.app.connectionCount === 1);
    cut.destroy();
    await world.telemetry.take(2, ({ event }) => event === "connection.closed");
    expect([world.app.connectionCount, world.clock.pending]).toEqual([0, []]);
  });

  test("do not carry MessagePack, and say so in the reference's words", async () => {
    const world = await createWorld();
    const client = await negotiated(world);
    const stream = await openStream(world, client);
    await client.post('{"protocol":"messagepack","version":1}\x1e');
    expect([await stream.ended, stream.text]).toEqual([
      "complete",
      ":\r\ndata: {\"error\":\"Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format.\"}\x1e\r\n\r\n",
    ]);
  });

  test("are kept alive by pings, and end for a client that is silent for 30 s", async () => {
    const world = await createWorld();
    const client = await negotiated(world);
    const stream = await openStream(world, client);
    await client.post(HELLO);
    await stream.chunks.take(2);
    world.clock.advance(15_000);
    await stream.chunks.take(3);
    expect(stream.chunks.items[2]).toBe('data: {"type":6}\x1e\r\n\r\n');
    await client.post('{"type":6}\x1e');
    world.clock.advance(29_000);
    expect(world.app.connectionCount).toBe(1);
    world.clock.advance(1_000);
    expect(await gone(world)).toMatchObject({ reason: "heartbeat_timeout" });
    expect(await stream.ended).toBe("cut");
  });
});

describe("a WebSocket's connection", () => {
  test("has nothing to do with plain requests", async () => {
    const world = await createWorld();
    const { id, ticket } = await negotiateTicket(world, await world.issuer.token("ada"));
    const socket = await enter(world, id, ticket);
    await socket.shakeHands();
    const client = rawClient(world, id, ticket);
    expect(line(await client.get())).toBe(OTHER_TRANSPORT);
    expect(line(await client.get({ headers: EVENT_STREAM }))).toBe(OTHER_TRANSPORT);
    expect(line(await client.post(call("Note", "x")))).toBe(
      '405 text/plain "POST requests are not allowed for WebSocket connections."',
    );
    expect(line(await client.remove())).toBe(
      '400 text/plain "Cannot terminate this connection using the DELETE endpoint."',
    );
    expect(told(await tryUpgrade(world, id, ticket))).toBe("409 Connection already has a transport");
    expect(await socket.invoke("1", "Echo", 1)).toMatchObject({ result: 1 });
    socket.end();
    await gone(world);
    expect(line(await client.post("x"))).toBe(UNKNOWN_ID);
    expect(world.seen.items).toEqual([]);
  });
});

describe("a transport that is switched off", () => {
  test.each([
    ["WebSockets", ["ServerSentEvents", "LongPolling"]],
    ["ServerSentEvents", ["WebSockets", "LongPolling"]],
    ["LongPolling", ["WebSockets", "ServerSentEvents"]],
  ] as const)("%s alone is offered, the others are a 404", async (transport, others) => {
    const world = await createWorld({ transports: [transport] });
    const token = await world.issuer.token("ada");
    const { id, ticket } = await negotiateTicket(world, token);
    const client = rawClient(world, id, ticket);
    const reply = await ask(world.port, { method: "POST", path: `${HUB_PATH}/negotiate`, headers: bearer(token) });
    expect(reply.body).toContain(`"availableTransports":[{"transport":"${transport}"`);
    const ways = {
      WebSockets: async () => told(await tryUpgrade(world, id, ticket)),
      ServerSentEvents: async () => line(await client.get({ headers: EVENT_STREAM })),
      LongPolling: async () => line(await client.get()),
    };
    for (const other of others) {
      expect(reply.body).not.toContain(other);
      const answer = await ways[other]();
      expect(answer).toContain("404");
      expect(answer).toContain(`${other} transport not supported by this end point type`);
    }
    if (transport !== "WebSockets") {
      expect(told(await tryUpgrade(world, "", token, {}))).toContain("404");
    }
  });

  test("for one hub is offered by the others of its application", async () => {
    const world = await createWorld();
    const path = "/hubs/polled";
    world.app
      .hub(path, { transports: ["LongPolling"] })
      .allow(world.app.policy("PolledAnyone", () => true))
      .methods((m) => ({ Nothing: m.handle(() => null) }));
    const headers = bearer(await world.issuer.token("ada"));
    const offered = async (hub: string): Promise<readonly string[]> => {
      const reply = await ask(world.port, { method: "POST", path: `${hub}/negotiate?negotiateVersion=1`, headers });
      const { availableTransports } = JSON.parse(reply.body) as {
        readonly availableTransports: readonly { readonly transport: string }[];
      };
      return availableTransports.map(({ transport }) => transport);
    };
    expect(await offered(path)).toEqual(["LongPolling"]);
    expect(await offered(HUB_PATH)).toEqual(["WebSockets", "ServerSentEvents", "LongPolling"]);
    const refused = await upgrade({ port: world.port, path, headers });
    expect(told(refused)).toContain("WebSockets transport not supported by this end point type");
    const taken = await upgrade({ port: world.port, path: HUB_PATH, headers });
    expect(taken.isOpen).toBe(true);
    if (taken.isOpen) taken.webSocket.socket.destroy();
  });
});
