/** A credential that ends, on connections made of requests and on one whose transport is lost: byte for byte. */

import { describe, expect, onTestFinished, test } from "vitest";
import { ask, bearer } from "../tests/support/server.js";
import type { RawWebSocket } from "../tests/support/raw-web-socket.js";
import { until } from "../tests/support/until.js";
import { enter, negotiate, negotiateTicket, told, tryUpgrade } from "./support/plain-http.js";
import {
  DATA,
  HELLO,
  invoke,
  line,
  openStream,
  rawClient,
  UNKNOWN_ID,
  type RawClient,
} from "./support/raw-transports.js";
import { createWorld, HUB_PATH, type World } from "./support/world.js";

const EXPIRED = "token_expired;action=refresh";
const CLOSE = `{"type":7,"error":"${EXPIRED}","allowReconnect":true}\x1e`;
const LIFETIME = 20;

function createRefreshable(): Promise<World> {
  return createWorld({
    authenticationRefresh: true,
    statefulReconnect: true,
    clientTimeoutMs: 3_600_000,
    keepAliveMs: 3_600_000,
    outbox: { maxLagMs: 3_600_000 },
  });
}

const later = (world: World, subject = "ada"): Promise<string> => world.issuer.token(subject, { lifetime: 300 });

async function refresh(world: World, id: string, token: string): Promise<string> {
  const { status, body } = await ask(world.port, {
    method: "POST",
    path: `${HUB_PATH}/refresh?id=${id}`,
    headers: bearer(token),
  });
  return status === 200 ? "200" : `${status} ${body}`;
}

describe("long polling", () => {
  /** Behind its handshake and aware that it can refresh; no poll waits. */
  async function polling(world: World): Promise<RawClient> {
    const token = await world.issuer.token("ada", { lifetime: LIFETIME });
    const { id, ticket } = await negotiateTicket(world, token);
    const client = rawClient(world, id, ticket);
    await client.get();
    await client.post(HELLO + invoke("0", "hubward.notices"));
    expect(line(await client.get())).toBe(DATA('{}\x1e{"type":3,"invocationId":"0","result":null}\x1e'));
    return client;
  }

  /** Lets the credential end while polls wait, and reads both warnings. */
  async function lapse(world: World, client: RawClient): Promise<void> {
    const first = await client.beginPoll();
    world.clock.advance(17_000);
    expect((await first.reply).body).toContain('"kind":"expiring"');
    const second = await client.beginPoll();
    world.clock.advance(3_000);
    expect((await second.reply).body).toContain(`"kind":"expired","reason":"${EXPIRED}","graceSeconds":10`);
  }

  test("goes on while lapsed, never by a 401, and ends with the reason when the grace is over", async () => {
    const world = await createRefreshable();
    const client = await polling(world);
    await lapse(world, client);
    world.tellHub("not to be seen");
    const refused = await client.beginPoll();
    expect(line(await client.post(invoke("1", "WhoAmI")))).toBe('200 text/plain ""');
    expect(line(await refused.reply)).toBe(DATA(`{"type":3,"invocationId":"1","error":"${EXPIRED}"}\x1e`));

    const last = await client.beginPoll();
    world.clock.advance(10_000);
    expect(line(await last.reply)).toBe(DATA(CLOSE));
    expect((await client.get()).status).toBe(204);
    expect(line(await client.get())).toBe(UNKNOWN_ID);
  });

  test("sent away while no poll waits, it is told that alone: by the next one it may have been revoked, or have ended", async () => {
    for (const since of ["revoked", "nothing"]) {
      const world = await createRefreshable();
      const client = await polling(world);
      world.tellHub("queued");
      const closed = world.app.close();
      if (since === "revoked") void world.app.revoke({ subject: "ada" });
      const last = await client.get();
      expect(last.body).not.toContain("queued");
      expect(last.body).toContain('{"type":7,"error":"going_away');
      expect((await client.get()).status).toBe(204);
      await closed;
    }
  });

  test("is restored by a refresh beside it, and hears what was held back", async () => {
    const world = await createRefreshable();
    const client = await polling(world);
    await lapse(world, client);
    world.tellHub("held");
    const poll = await client.beginPoll();
    expect(await refresh(world, client.id, await later(world))).toBe("200");
    const { body } = await poll.reply;
    expect(body).toContain('{"type":1,"target":"said","arguments":["held"]}\x1e');
    await client.post(invoke("1", "Echo", "again"));
    let heard = body;
    while (!heard.includes('"result":"again"')) heard += (await client.get()).body;
  });

  test("is restored by a later token on a poll of its own, and by nobody else's", async () => {
    const world = await createRefreshable();
    const client = await polling(world);
    await lapse(world, client);
    world.tellHub("held");
    expect(line(await client.get({ as: await later(world, "eve") }))).toBe(UNKNOWN_ID);
    expect((await client.get({ as: await later(world) })).body).toContain('"arguments":["held"]');
  });
});

describe("Server-Sent Events", () => {
  async function streaming(world: World) {
    const { id, ticket } = await negotiateTicket(world, await world.issuer.token("ada", { lifetime: LIFETIME }));
    const client = rawClient(world, id, ticket);
    const stream = await openStream(world, client);
    onTestFinished(() => stream.destroy());
    await client.post(HELLO + invoke("0", "hubward.notices"));
    await until(() => stream.text.includes('"result":null'));
    world.clock.advance(20_000);
    await until(() => stream.text.includes('"kind":"expired"'));
    return { client, stream };
  }

  test("the stream stays while lapsed, sends are taken and refused, and Close comes at the end of the grace", async () => {
    const world = await createRefreshable();
    const { client, stream } = await streaming(world);
    world.tellHub("not to be seen");
    expect(line(await client.post(invoke("1", "WhoAmI")))).toBe('200 text/plain ""');
    await until(() => stream.text.includes(`"error":"${EXPIRED}"}`));
    for (let second = 0; second < 10; second++) {
      world.clock.advance(1_000);
      // What was written leaves, and a ping with it.
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await stream.ended).toBe("complete");
    expect(stream.text.endsWith(`data: ${CLOSE}\r\n\r\n`)).toBe(true);
    expect(stream.text).not.toContain("not to be seen");
    expect(line(await client.post(invoke("2", "WhoAmI")))).toBe(UNKNOWN_ID);
  });

  test("a refresh beside it restores the stream, and a later token on a send does, too", async () => {
    for (const way of ["beside", "send"]) {
      const world = await createRefreshable();
      const { client, stream } = await streaming(world);
      world.tellHub("held");
      if (way === "beside") expect(await refresh(world, client.id, await later(world))).toBe("200");
      else expect((await client.post(invoke("1", "Echo", "x"), { as: await later(world) })).status).toBe(200);
      await until(() => stream.text.includes('"arguments":["held"]'));
    }
  });
});

describe("stateful reconnect", () => {
  interface Resumable {
    readonly id: string;
    readonly ticket: string;
    readonly socket: RawWebSocket;
  }

  async function open(world: World): Promise<Resumable> {
    const query = "negotiateVersion=1&useStatefulReconnect=true";
    const token = await world.issuer.token("ada", { lifetime: LIFETIME });
    const { connectionToken: id = "", accessToken: ticket = "" } = await negotiate(world, token, {}, query);
    const socket = keep(await enter(world, id, ticket));
    socket.sendJson({ protocol: "json", version: 2 });
    await socket.frames.first();
    await socket.invoke("0", "hubward.notices");
    return { id, ticket, socket };
  }

  function keep(socket: RawWebSocket): RawWebSocket {
    onTestFinished(() => void socket.socket.resetAndDestroy());
    return socket;
  }

  async function lose(world: World, { socket }: Resumable): Promise<void> {
    socket.socket.resetAndDestroy();
    await world.telemetry.first(({ event }) => event === "connection.detached");
  }

  const isClosed = ({ event }: { readonly event: string }): boolean => event === "connection.closed";
  const TICKET_OVER = '401 {"error":"ticket_invalid;action=reconnect"}';
  const NOT_THERE = "404 No Connection with that ID";

  test("what is lost while lapsed is not resumed", async () => {
    const world = await createRefreshable();
    const { id, ticket, socket } = await open(world);
    world.clock.advance(20_000);
    await socket.messages.first(({ arguments: args }) => JSON.stringify(args)?.includes('"expired"') === true);
    socket.socket.resetAndDestroy();
    expect(await world.telemetry.first(isClosed)).toMatchObject({ reason: "token_expired" });
    expect(told(await tryUpgrade(world, id, ticket))).toBe(TICKET_OVER);
    expect(told(await tryUpgrade(world, id, await later(world)))).toBe(NOT_THERE);
    expect(await refresh(world, id, await later(world))).toBe('404 {"error":"connection_not_found"}');
  });

  test("a credential that ends while the transport is lost ends the connection", async () => {
    const world = await createRefreshable();
    const lost = await open(world);
    world.clock.advance(10_000);
    await lose(world, lost);
    world.clock.advance(10_000);
    expect(await world.telemetry.first(isClosed)).toMatchObject({ reason: "token_expired" });
    expect(told(await tryUpgrade(world, lost.id, lost.ticket))).toBe(TICKET_OVER);
    expect(told(await tryUpgrade(world, lost.id, await later(world)))).toBe(NOT_THERE);
  });

  test("a refresh while the transport is lost keeps the connection beyond its first end", async () => {
    const world = await createRefreshable();
    const lost = await open(world);
    world.clock.advance(10_000);
    await lose(world, lost);
    expect(await refresh(world, lost.id, await later(world, "eve"))).toBe('403 {"error":"principal_mismatch"}');
    expect(await refresh(world, lost.id, await later(world))).toBe("200");
    world.clock.advance(12_000);
    const back = keep(await enter(world, lost.id, lost.ticket));
    expect(await back.messages.first()).toMatchObject({ type: 9 });
    back.sendJson({ type: 9, sequenceId: 2 });
    expect(await back.invoke("1", "WhoAmI")).toMatchObject({ result: { subject: "ada", expiresInSeconds: 288 } });
  });

  test("a later token on the way back is a refresh", async () => {
    const world = await createRefreshable();
    const lost = await open(world);
    await lose(world, lost);
    const back = keep(await enter(world, lost.id, await later(world)));
    await back.messages.first();
    back.sendJson({ type: 9, sequenceId: 2 });
    expect(await back.invoke("1", "WhoAmI")).toMatchObject({ result: { subject: "ada", expiresInSeconds: 300 } });
  });
});
