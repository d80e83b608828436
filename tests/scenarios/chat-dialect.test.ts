/** The small chat dialect: clients of hand-written servers, which know three frames and a token in the query. */

import { jsonLines, type App, type Principal } from "@hubward/server";
import { expect, test } from "vitest";
import { openRooms, UpgradeRefused, type RoomsClient } from "../support/rooms-client.js";
import { mountLoggers } from "../support/request-loggers.js";
import { runApp, type RunOptions } from "../support/running-app.js";
import { until } from "../support/until.js";
import { text, word } from "../support/schemas.js";
import { holdsJwt } from "../support/tokens.js";

function declare(app: App<Principal>): void {
  const people = app.policy("People", () => true);
  const members = app.policy("Members", ({ principal }) => principal.hasRole("member"));
  const lobby = app
    .group("lobby", {})
    .allow(people)
    .room((room) =>
      room
        .publish("message", text, (draft) => draft.members())
        .publish("note", text, (draft) => draft.members())
        .presence((draft) => draft.members()),
    );
  app
    .group("club", {})
    .allow(members)
    .room((room) => room.publish("message", text, (draft) => draft.members()));
  app.rooms("/ws", { chatDialect: true, queryToken: true }).allow(people);
  app.rooms("/rooms").allow(people);
  app.rooms("/plain", { queryToken: true }).allow(people);
  app
    .hub("/hub")
    .allow(people)
    .methods((m) => ({
      Join: m.handle((call) => call.groups.join(lobby())),
      Shout: m.args(word, text).handle((_call, event, what) => app.to(lobby()).emit(event, what)),
      Two: m.handle(() => app.to(lobby()).emit("message", "one", "two")),
    }));
}

const start = (options: RunOptions = {}) =>
  runApp(({ claims }) => ({ roles: claims["roles"] as string[] }), declare, { ...options });

/** As those clients do it: nothing but a URL. */
const chat = (port: number, token: string, path = "/ws"): Promise<RoomsClient> =>
  openRooms(port, { path: `${path}?token=${token}`, subprotocol: null });

/** Frames so far, once everything that was sent has been answered: what is refused is, in order. */
async function saidTo(client: RoomsClient): Promise<readonly unknown[]> {
  client.send({ type: "join", room: "nowhere" });
  await client.frames.first(({ room }) => room === "nowhere");
  return client.frames.items.splice(0).filter(({ room }) => room !== "nowhere");
}

test("clients join, speak and leave with three frames, and hear three and errors", async () => {
  const { port, issuer } = await start();
  const amara = await chat(port, await issuer.token("amara"));
  const chidi = await chat(port, await issuer.token("chidi"));
  expect(amara.socket.protocol).toBe("");
  for (const client of [amara, chidi]) {
    client.send({ type: "join", room: "lobby" });
    expect(await client.first("joined")).toEqual({ type: "joined", room: "lobby" });
  }
  amara.send({ type: "message", room: "lobby", payload: "hello" });
  for (const client of [amara, chidi])
    expect(await client.first("message")).toEqual({ type: "message", room: "lobby", payload: "hello" });
  chidi.send({ type: "leave", room: "lobby" });
  expect(await chidi.first("left")).toEqual({ type: "left", room: "lobby" });
  chidi.send({ type: "message", room: "lobby", payload: "still here?" });
  chidi.send({ type: "leave", room: "lobby" });
  chidi.send({ type: "join", room: "club" });
  chidi.send({ type: "message", room: "lobby" });
  chidi.send({ type: "who", room: "lobby" });
  chidi.send({ type: "ping" });
  expect((await saidTo(chidi)).slice(3)).toEqual([
    { type: "error", room: "lobby", message: "not_member" },
    { type: "error", room: "lobby", message: "not_member" },
    { type: "error", room: "club", message: "forbidden" },
    { type: "error", room: "lobby", message: "not_member" },
    { type: "error", message: expect.stringMatching(/^bad_request/) },
    { type: "error", message: expect.stringMatching(/^bad_request/) },
  ]);
  amara.send({ type: "message", room: "lobby" });
  expect((await saidTo(amara)).slice(2)).toEqual([
    { type: "error", room: "lobby", message: "bad_arguments;action=fix-request" },
  ]);
});

test("nothing is sent that the dialect has no form for: no ready, no other event, no acknowledgement, no notice", async () => {
  const { port, issuer, connect, app, clock } = await start();
  const client = await chat(port, await issuer.token("amara", { lifetime: 60 }));
  client.send({ type: "join", room: "lobby", id: "1" });
  await client.first("joined");
  const hub = await connect("/hub", "dana", {}, ["message"]);
  await hub.connection.invoke("Shout", "note", "not for chats");
  await hub.connection.invoke("Two");
  await hub.connection.invoke("Shout", "message", "for chats");
  await app.recheck({ subject: "amara" });
  await app.toPrincipal({ subject: "amara" }).emit("message", "to one");
  client.send({ type: "message", room: "lobby", payload: "hello" });
  clock.advance(20_000);
  expect(await saidTo(client)).toEqual([
    { type: "joined", room: "lobby" },
    { type: "message", room: "lobby", payload: "for chats" },
    { type: "message", payload: "to one" },
    { type: "message", room: "lobby", payload: "hello" },
  ]);
});

test("what is said in a room reaches clients of every protocol", async () => {
  const { port, issuer, connect } = await start();
  const bare = await chat(port, await issuer.token("amara"));
  bare.send({ type: "join", room: "lobby" });
  await bare.first("joined");
  const hub = await connect("/hub", "dana", {}, ["message"]);
  await hub.connection.invoke("Join");
  const rooms = await openRooms(port, { headers: { authorization: `Bearer ${await issuer.token("chidi")}` } });
  await rooms.ask({ type: "join", room: "lobby" });
  bare.send({ type: "message", room: "lobby", payload: "hello" });
  expect(await hub.heard.first()).toEqual(["message", "hello"]);
  expect(await rooms.first("message")).toMatchObject({ event: "message", payload: "hello" });
  await rooms.ask({ type: "publish", room: "lobby", event: "message", payload: "hello back" });
  await bare.frames.first(({ payload }) => payload === "hello back");
});

test("a credential that ends is told as an error, and the socket closed", async () => {
  const { port, issuer, clock } = await start();
  const client = await chat(port, await issuer.token("amara", { lifetime: 10 }));
  client.send({ type: "join", room: "lobby" });
  await client.first("joined");
  // Time passes as it does, with room for what the socket has to do in it.
  for (let second = 0; second < 9; second++) {
    clock.advance(1_000);
    await new Promise<void>((resolve) => client.socket.once("pong", () => resolve()).ping());
  }
  clock.advance(1_000);
  expect(await client.closed).toEqual({ code: 4401, reason: "token_expired;action=refresh" });
  expect(client.frames.items).toEqual([
    { type: "joined", room: "lobby" },
    { type: "error", message: "token_expired;action=refresh" },
  ]);
});

test("so is a revocation, and a membership that is lost is told as left", async () => {
  const { port, issuer, app } = await start();
  const token = await issuer.token("amara", { roles: ["member"], claims: { sid: "s1" } });
  const client = await chat(port, token);
  client.send({ type: "join", room: "club" });
  await client.first("joined");
  await app.revoke({ session: "s1" });
  expect(await client.closed).toEqual({ code: 4410, reason: "session_revoked;action=relogin" });
  expect(client.frames.items.slice(1)).toEqual([{ type: "error", message: "session_revoked;action=relogin" }]);
  await expect(chat(port, token)).rejects.toMatchObject({ status: 401 });
});

test("a client of it that presents nothing, or what is worth nothing, is refused with a status", async () => {
  const { port, issuer } = await start();
  const refused = async (path: string): Promise<number> =>
    openRooms(port, { path, subprotocol: null }).then(
      () => 101,
      (error: unknown) => (error instanceof UpgradeRefused ? error.status : 0),
    );
  expect(await refused("/ws")).toBe(401);
  expect(await refused("/ws?token=a.b.c")).toBe(401);
  expect(await refused(`/ws?token=${await issuer.token("amara", { lifetime: -1 })}`)).toBe(401);
  const header = { authorization: `Bearer ${await issuer.token("amara")}` };
  const client = await openRooms(port, { path: "/ws", subprotocol: null, headers: header });
  client.send({ type: "join", room: "lobby" });
  expect(await client.first("joined")).toEqual({ type: "joined", room: "lobby" });
});

test("both are off unless switched on: no token in the query, and version 1 for who names no subprotocol", async () => {
  const { port, issuer, telemetry } = await start();
  const token = await issuer.token("amara");
  await expect(openRooms(port, { path: `/rooms?token=${token}` })).rejects.toMatchObject({ status: 401 });
  await expect(chat(port, token, "/rooms")).rejects.toMatchObject({ status: 401 });
  expect(await telemetry.first(({ event }) => event === "connection.refused")).toMatchObject({
    hint: expect.stringContaining("query"),
  });
  const bare = await chat(port, token, "/plain");
  expect(await bare.first("ready")).toMatchObject({ type: "ready", heartbeat: 15 });
  expect(await bare.ask({ type: "join", room: "lobby" })).toEqual({ type: "joined", id: "ask-1", room: "lobby" });
  // A client that names a subprotocol is spoken to in it, where others are spoken to in the dialect.
  const versed = await openRooms(port, { path: `/ws?token=${token}` });
  expect(await versed.first("ready")).toMatchObject({ type: "ready" });
});

test("a token in the query is in no log, and in no URL that another listener sees", async () => {
  const written: string[] = [];
  const { server, port, issuer } = await start({ telemetry: jsonLines({ write: (line) => written.push(line) }) });
  const loggers = mountLoggers(server, "/other");
  const token = await issuer.token("amara");
  const client = await chat(port, token);
  client.send({ type: "join", room: "lobby" });
  await client.first("joined");
  await expect(chat(port, token, "/rooms")).rejects.toMatchObject({ status: 401 });
  await fetch(`http://127.0.0.1:${port}/ws?token=${token}`);
  await fetch(`http://127.0.0.1:${port}/rooms/ticket?token=${token}`, { method: "POST" });
  client.socket.close();
  await client.closed;
  // What is ours is shown to nobody else; what is not, as ever.
  expect(loggers.upgrades).toEqual([]);
  await fetch(`http://127.0.0.1:${port}/other?about=rooms`);
  await until(() => loggers.lines.some((line) => line.includes("/other?about=rooms")));
  const all = [...loggers.upgrades, ...loggers.lines, ...written].join("\n");
  expect(all).toContain("/ws");
  expect(holdsJwt(all)).toBe(false);
  expect(all).not.toContain(token.slice(-20));
});
