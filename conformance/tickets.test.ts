/** Tickets and connection tokens: worth one connection, to one person, on one hub. */

import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { hasRole } from "@hubward/server";
import { openWebSocket, upgrade, upgradeHeaders } from "../tests/support/raw-web-socket.js";
import { ask, bearer } from "../tests/support/server.js";
import {
  enter,
  negotiateTicket,
  postNegotiate,
  STOCK_AGENT,
  told,
  tryUpgrade,
  type Negotiated,
} from "./support/plain-http.js";
import { createWorld, HUB_PATH } from "./support/world.js";

const UNKNOWN = "404 No Connection with that ID";
const TICKET_INVALID = '401 {"error":"ticket_invalid;action=reconnect"}';

async function answerOf(reply: Promise<{ readonly status: number; readonly body: string }>): Promise<string> {
  const { status, body } = await reply;
  return `${status} ${body}`;
}

describe("a ticket", () => {
  test("lets its bearer in, once", async () => {
    const world = await createWorld();
    const { ticket, id } = await negotiateTicket(world, await world.issuer.token("ada"));
    const socket = await enter(world, id, ticket);
    await socket.shakeHands();
    expect((await socket.invoke("1", "WhoAmI"))["result"]).toMatchObject({ subject: "ada" });
    // The connection has its transport; the ticket is bound and makes no further attempts.
    expect(told(await tryUpgrade(world, id, ticket))).toBe("409 Connection already has a transport");
    expect(await answerOf(postNegotiate(world, bearer(ticket)))).toBe(TICKET_INVALID);
    socket.end();
    await world.telemetry.first(({ event }) => event === "connection.closed");
    expect(told(await tryUpgrade(world, id, ticket))).toBe(TICKET_INVALID);
  });

  test("of a fallback negotiate owns up to three attempts, and the first handshake ends the others", async () => {
    const world = await createWorld();
    const { ticket, id } = await negotiateTicket(world, await world.issuer.token("ada"));
    const again = async (): Promise<Negotiated> => {
      const reply = await postNegotiate(world, { ...bearer(ticket), "user-agent": STOCK_AGENT });
      expect(reply.status).toBe(200);
      return JSON.parse(reply.body) as Negotiated;
    };
    const second = await again();
    const third = await again();
    expect(second).not.toHaveProperty("accessToken");
    expect(new Set([id, second.connectionToken, third.connectionToken]).size).toBe(3);
    expect(await answerOf(postNegotiate(world, bearer(ticket)))).toBe(TICKET_INVALID);

    // All three stand at the door at once; whose handshake comes first stays.
    const loser = await enter(world, id, ticket);
    const winner = await enter(world, second.connectionToken ?? "", ticket);
    await winner.shakeHands();
    expect((await winner.invoke("1", "WhoAmI"))["result"]).toMatchObject({ connectionId: second.connectionId });
    expect(told(await tryUpgrade(world, third.connectionToken ?? "", ticket))).toBe(UNKNOWN);
    loser.sendJson({ protocol: "json", version: 1 });
    expect(await loser.closeFrame()).toEqual({ code: 4415, reason: "ticket_invalid;action=reconnect" });
    expect(world.app.connectionCount).toBe(1);
    loser.end();
    winner.end();
  });

  test("wins one of a hundred upgrades that race for it", async () => {
    const world = await createWorld();
    const { ticket, id } = await negotiateTicket(world, await world.issuer.token("ada"));
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => tryUpgrade(world, id, ticket)));
    const winners = outcomes.flatMap((outcome) => (outcome.isOpen ? [outcome.webSocket] : []));
    expect(winners).toHaveLength(1);
    expect(new Set(outcomes.filter(({ isOpen }) => !isOpen).map(told))).toEqual(
      new Set(["409 Connection already has a transport"]),
    );
    await winners[0]?.shakeHands();
    expect(world.app.connectionCount).toBe(1);
    winners[0]?.end();
  });

  test("lets one of its three attempts in, however their handshakes race", async () => {
    const world = await createWorld();
    const { ticket, id } = await negotiateTicket(world, await world.issuer.token("ada"));
    const replies = await Promise.all([1, 2].map(() => postNegotiate(world, bearer(ticket))));
    const ids = [id, ...replies.map(({ body }) => (JSON.parse(body) as Negotiated).connectionToken ?? "")];
    const sockets = await Promise.all(ids.map((each) => enter(world, each, ticket)));
    for (const socket of sockets) socket.sendJson({ protocol: "json", version: 1 });
    const answers = await Promise.all(sockets.map(async ({ messages }) => JSON.stringify(await messages.first())));
    expect(answers.filter((answer) => answer === "{}")).toHaveLength(1);
    expect((await world.opened(1)).length).toBe(1);
    expect(world.app.connectionCount).toBe(1);
    for (const socket of sockets) socket.end();
  });

  test("is worth nothing 30 seconds after the negotiate", async () => {
    const world = await createWorld();
    const { ticket, id } = await negotiateTicket(world, await world.issuer.token("ada"));
    world.clock.advance(30_000);
    expect(told(await tryUpgrade(world, id, ticket))).toBe(TICKET_INVALID);
    expect(await answerOf(postNegotiate(world, bearer(ticket)))).toBe(TICKET_INVALID);
    expect(told(await tryUpgrade(world, id, await world.issuer.token("ada")))).toBe(UNKNOWN);
  });

  test("is worth nothing once the token behind it expired", async () => {
    const world = await createWorld();
    const { ticket, id } = await negotiateTicket(world, await world.issuer.token("ada", { lifetime: 20 }));
    world.clock.advance(20_000);
    expect(told(await tryUpgrade(world, id, ticket))).toBe('401 {"error":"token_expired;action=refresh"}');
  });

  test("is worth nothing on another hub", async () => {
    const world = await createWorld();
    const nurses = world.app.policy("Nurses", hasRole("nurse", "doctor"));
    world.app
      .hub("/hubs/other")
      .allow(nurses)
      .methods((m) => ({ Ping: m.handle(() => "pong") }));
    const token = await world.issuer.token("ada", { roles: ["doctor"] });
    const { ticket, id } = await negotiateTicket(world, token);
    expect(await answerOf(postNegotiate(world, bearer(ticket), { path: "/hubs/other" }))).toBe(TICKET_INVALID);
    const elsewhere = { port: world.port, path: `/hubs/other?id=${id}` };
    expect(told(await upgrade({ ...elsewhere, headers: bearer(ticket) }))).toBe(TICKET_INVALID);
    expect(told(await upgrade({ ...elsewhere, headers: bearer(token) }))).toBe(UNKNOWN);
    const socket = await enter(world, id, ticket);
    await socket.shakeHands();
    socket.end();
  });

  test("needs a connection token beside it, and its own", async () => {
    const world = await createWorld();
    const ada = await negotiateTicket(world, await world.issuer.token("ada"));
    const bob = await negotiateTicket(world, await world.issuer.token("bob"));
    const without = await upgrade({ port: world.port, path: HUB_PATH, headers: bearer(ada.ticket) });
    expect(told(without)).toBe(TICKET_INVALID);
    expect(told(await tryUpgrade(world, bob.id, ada.ticket))).toBe(UNKNOWN);
    for (const { id, ticket } of [ada, bob]) (await enter(world, id, ticket)).end();
  });

  test("is no credential of ordinary HTTP routes", async () => {
    const world = await createWorld();
    const { ticket } = await negotiateTicket(world, await world.issuer.token("ada"));
    const asking = (authorization: string): Promise<unknown> =>
      world.app.http.authenticate({ headers: { authorization } });
    await expect(asking(`Bearer ${ticket}`)).rejects.toMatchObject({ reason: "invalid_token" });
    await expect(asking(`Bearer ${await world.issuer.token("ada")}`)).resolves.toMatchObject({
      principal: { subject: "ada" },
    });
  });

  test("may stand in the query, where a JWT may not", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada");
    const { ticket, id } = await negotiateTicket(world, token);
    const path = `${HUB_PATH}?id=${id}&access_token=`;
    expect(told(await upgrade({ port: world.port, path: path + token }))).toBe(
      '401 {"error":"invalid_token;action=relogin"}',
    );
    const socket = await openWebSocket({ port: world.port, path: path + ticket });
    await socket.shakeHands();
    socket.end();
  });

  test("and a JWT at once are two credentials", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada");
    const { ticket, id } = await negotiateTicket(world, token);
    const path = `${HUB_PATH}?id=${id}&access_token=${ticket}`;
    expect(told(await upgrade({ port: world.port, path, headers: bearer(token) }))).toBe(
      '400 {"error":"invalid_request;action=fix-request"}',
    );
  });
});

describe("a refused upgrade", () => {
  test("by origin consumes neither the ticket nor the connection token", async () => {
    const world = await createWorld({ allowedOrigins: ["https://wards.example"] });
    const { ticket, id } = await negotiateTicket(world, await world.issuer.token("ada"));
    const refused = await tryUpgrade(world, id, ticket, { origin: "https://evil.example" });
    expect(told(refused)).toBe('403 {"error":"origin_denied;action=fix-request"}');
    const socket = await enter(world, id, ticket);
    await socket.shakeHands();
    socket.end();
  });

  test.each([
    ["a key that is none", { "sec-websocket-key": "short" }],
    ["a version nobody speaks", { "sec-websocket-version": "12" }],
    ["no key", { "sec-websocket-key": null }],
  ])("by the WebSocket layer for %s consumes neither: the same attempt may be made again", async (_, headers) => {
    const world = await createWorld();
    const { ticket, id } = await negotiateTicket(world, await world.issuer.token("ada"));
    for (let time = 0; time < 5; time++) expect((await tryUpgrade(world, id, ticket, headers)).isOpen).toBe(false);
    const socket = await enter(world, id, ticket);
    await socket.shakeHands();
    expect(world.app.connectionCount).toBe(1);
    socket.end();
  });

  test("of a peer that left while it was judged does not consume the ticket", async () => {
    const world = await createWorld();
    const { ticket, id } = await negotiateTicket(world, await world.issuer.token("ada"));
    await new Promise<void>((resolve) => {
      const lines = Object.entries({ ...upgradeHeaders(world.port), ...bearer(ticket) }).map((line) => line.join(": "));
      const socket = connect(world.port, "127.0.0.1", () => {
        socket.write(`GET ${HUB_PATH}?id=${id} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, () =>
          socket.resetAndDestroy(),
        );
      });
      socket.on("close", () => resolve());
    });
    const reply = await postNegotiate(world, bearer(ticket));
    const { connectionToken = "" } = JSON.parse(reply.body) as Negotiated;
    const socket = await enter(world, connectionToken, ticket);
    await socket.shakeHands();
    socket.end();
  });
});

describe("a stolen connection token", () => {
  test("with another person's credential is as good as one that does not exist, and its owner notices nothing", async () => {
    const world = await createWorld();
    const ada = await negotiateTicket(world, await world.issuer.token("ada"));
    const thief = await world.issuer.token("mallory");
    const thiefs = await negotiateTicket(world, thief);

    const stolen = await tryUpgrade(world, ada.id, thief);
    const unknown = await tryUpgrade(world, "AAAAAAAAAAAAAAAAAAAAAA", thief);
    expect(stolen).toEqual(unknown);
    expect(told(stolen)).toBe(UNKNOWN);
    expect(await tryUpgrade(world, ada.id, thiefs.ticket)).toEqual(stolen);

    const socket = await enter(world, ada.id, ada.ticket);
    await socket.shakeHands();
    // Also while it is in use.
    expect(await tryUpgrade(world, ada.id, thief)).toEqual(stolen);
    expect(await tryUpgrade(world, ada.id, thiefs.ticket)).toEqual(stolen);
    const otherClient = await world.issuer.token("ada", { claims: { client_id: "another" } });
    expect(await tryUpgrade(world, ada.id, otherClient)).toEqual(stolen);
    const otherRequests = await Promise.all(
      ["GET", "POST", "DELETE"].map((method) =>
        ask(world.port, { method, path: `${HUB_PATH}?id=${ada.id}`, headers: bearer(thief) }),
      ),
    );
    expect(otherRequests.map(({ status }) => status)).toEqual([404, 404, 404]);

    expect((await socket.invoke("1", "WhoAmI"))["result"]).toMatchObject({ subject: "ada" });
    expect(socket.frames.items).toHaveLength(2);
    expect(world.app.connectionCount).toBe(1);
    socket.end();
  });

  test("opens for its owner with any JWT of theirs, and a later one is who they are now", async () => {
    const world = await createWorld();
    const first = await world.issuer.token("ada", { roles: ["nurse"], lifetime: 100 });
    const later = await world.issuer.token("ada", { roles: ["doctor"], lifetime: 200 });
    const { id } = await negotiateTicket(world, first);
    const socket = await enter(world, id, later);
    await socket.shakeHands();
    expect((await socket.invoke("1", "WhoAmI"))["result"]).toMatchObject({ roles: ["doctor"], expiresInSeconds: 200 });
    socket.end();
  });

  test("is not opened by a later JWT that may no longer connect", async () => {
    const world = await createWorld();
    const { ticket, id } = await negotiateTicket(world, await world.issuer.token("ada", { lifetime: 100 }));
    const demoted = await world.issuer.token("ada", { roles: ["visitor"], lifetime: 200 });
    expect(told(await tryUpgrade(world, id, demoted))).toBe('403 {"error":"forbidden: visitors may not connect"}');
    (await enter(world, id, ticket)).end();
  });
});
