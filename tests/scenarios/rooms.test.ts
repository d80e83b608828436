/** Rooms over a plain WebSocket, beside hubs: one group, two protocols, the same rules. */

import type { App, Principal } from "@hubward/server";
import { expect, test } from "vitest";
import { enterRooms, openRooms, UpgradeRefused } from "../support/rooms-client.js";
import { runApp } from "../support/running-app.js";
import { text, word } from "../support/schemas.js";

type Staff = Principal<{ readonly ward: string }>;

function declare(app: App<Staff>): void {
  const ownWard = app.policy("OwnWard", ({ principal }, name: string) => principal.ward === name, {
    message: "this ward needs a matching department",
  });
  const nurses = app.policy("Nurses", ({ principal }) => principal.hasRole("nurse"));
  const ward = app
    .group("ward/{ward}", { ward: word })
    .allow(ownWard, ({ ward: name }) => name)
    .room((room) =>
      room
        .publish("note", text, (draft) =>
          draft.members().handle((call, note) => ({ note, by: call.principal.subject })),
        )
        .publish("order", text, (draft) => draft.allow(nurses)),
    );
  const staff = app.policy("Staff", () => true);
  app.rooms().allow(staff);
  app
    .hub("/hub")
    .allow(staff)
    .methods((m) => ({
      Join: m.args(word).handle((call, name) => call.groups.join(ward({ ward: name }))),
      Say: m.args(word, text).handle((call, name, what) => call.to(ward({ ward: name })).emit("vitals", what)),
      Tell: m.args(word, text).handle((_call, name, what) => app.to(ward({ ward: name })).emit("vitals", what, 7)),
    }));
}

const start = () =>
  runApp<{ readonly ward: string }>(
    ({ claims }) => ({ roles: claims["roles"] as string[], ward: claims["ward"] as string }),
    declare,
  );
const icu = { claims: { ward: "icu" } };

test("what is published in a room reaches hub clients of the group, and what hubs say reaches the room", async () => {
  const { port, issuer, connect } = await start();
  const hub = await connect("/hub", "amara", icu, ["note", "vitals"]);
  await hub.connection.invoke("Join", "icu");
  const room = await enterRooms(port, await issuer.token("chidi", icu));
  expect(await room.ask({ type: "join", room: "ward/icu" })).toEqual({ type: "joined", id: "ask-1", room: "ward/icu" });
  expect(await room.ask({ type: "publish", room: "ward/icu", event: "note", payload: "bed 4 is free" })).toEqual({
    type: "ack",
    id: "ask-2",
  });
  const note = { note: "bed 4 is free", by: "chidi" };
  expect(await hub.heard.first()).toEqual(["note", note]);
  expect(await room.first("message")).toEqual({ type: "message", room: "ward/icu", event: "note", payload: note });
  await hub.connection.invoke("Tell", "icu", "97");
  expect(await room.frames.first(({ event }) => event === "vitals")).toEqual({
    type: "message",
    room: "ward/icu",
    event: "vitals",
    args: ["97", 7],
  });
});

test("the first frame presents the credential, and what comes before or behind it without waiting is refused", async () => {
  const { port, issuer } = await start();
  const token = await issuer.token("chidi", icu);
  const client = await openRooms(port);
  client.send({ type: "auth", id: "a", token });
  expect(await client.first("ready")).toMatchObject({ id: "a", heartbeat: 15 });
  const early = await openRooms(port);
  early.send({ type: "join", room: "ward/icu" });
  expect(await early.first("closing")).toMatchObject({ code: 4400, reason: "handshake_required" });
  expect(await early.closed).toMatchObject({ code: 4400 });
  const hasty = await openRooms(port);
  hasty.send({ type: "auth", token });
  hasty.send({ type: "join", room: "ward/icu" });
  expect(await hasty.first("closing")).toMatchObject({ reason: "handshake_required" });
  expect(hasty.frames.items.map(({ type }) => type)).toEqual(["closing"]);
});

test("a ticket opens one socket, once", async () => {
  const { port, issuer } = await start();
  const authorization = `Bearer ${await issuer.token("chidi", icu)}`;
  const response = await fetch(`http://127.0.0.1:${port}/rooms/ticket`, { method: "POST", headers: { authorization } });
  const { ticket, expires_in: expiresIn } = (await response.json()) as { ticket: string; expires_in: number };
  expect([response.status, expiresIn]).toEqual([200, 30]);
  const client = await openRooms(port, { path: `/rooms?ticket=${ticket}` });
  await client.first("ready");
  await expect(openRooms(port, { path: `/rooms?ticket=${ticket}` })).rejects.toEqual(
    new UpgradeRefused(401, JSON.stringify({ error: "ticket_invalid;action=reconnect" })),
  );
});

test("every refusal is answered, and nothing undeclared can be joined or said", async () => {
  const { port, issuer } = await start();
  const client = await enterRooms(port, await issuer.token("chidi", icu));
  const reasonOf = async (frame: Readonly<Record<string, unknown>>) => {
    const { reason, detail } = await client.ask(frame);
    return detail === undefined ? reason : `${String(reason)}: ${String(detail)}`;
  };
  expect([
    await reasonOf({ type: "join", room: "ward/er" }),
    await reasonOf({ type: "join", room: "lobby" }),
    await reasonOf({ type: "join", room: "__proto__" }),
    await reasonOf({ type: "publish", room: "ward/icu", event: "note", payload: "x" }),
    await reasonOf({ type: "leave", room: "ward/icu" }),
    await reasonOf({ type: "dance" }),
  ]).toEqual([
    "forbidden: this ward needs a matching department",
    "bad_room",
    "bad_room",
    "not_member",
    "not_member",
    expect.stringContaining("bad_request"),
  ]);
  await client.ask({ type: "join", room: "ward/icu" });
  expect([
    await reasonOf({ type: "publish", room: "ward/icu", event: "order", payload: "x" }),
    await reasonOf({ type: "publish", room: "ward/icu", event: "constructor", payload: "x" }),
    await reasonOf({ type: "publish", room: "ward/icu", event: "note", payload: 7 }),
  ]).toEqual(["forbidden", "method_not_found", "bad_arguments"]);
});

test("a revoked session is told why and closed, and does not come in again", async () => {
  const { port, issuer, app } = await start();
  const token = await issuer.token("chidi", { claims: { ward: "icu", sid: "s1" } });
  const client = await enterRooms(port, token);
  await app.revoke({ session: "s1" });
  expect(await client.first("closing")).toEqual({
    type: "closing",
    code: 4410,
    reason: "session_revoked",
    action: "relogin",
  });
  expect(await client.closed).toEqual({ code: 4410, reason: "session_revoked;action=relogin" });
  await expect(enterRooms(port, token)).rejects.toMatchObject({ status: 401 });
});
