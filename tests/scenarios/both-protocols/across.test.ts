/** One ward, two protocols: what is said on either side is heard on the other, by the same people. */

import type { Scope } from "@hubward/server";
import { expect, test } from "vitest";
import { createFakeClock } from "../../support/fake-clock.js";
import { createIssuer } from "../../support/tokens.js";
import { text, word } from "../../support/schemas.js";
import { runApp } from "../../support/running-app.js";
import { hubProtocol } from "./hub-protocol.js";
import type { Peer, Protocol } from "./protocol.js";
import { HUB, ROOMS } from "./places.js";
import { roomsProtocol } from "./rooms-protocol.js";
import { protocols, runWard, type Ward } from "./ward.js";

const said = ({ heard }: Peer): readonly unknown[] => heard.items.map(([, what]) => what);

async function one(ward: Ward, protocol: Protocol, subject: string): Promise<Peer> {
  const peer = await ward.enter(protocol, subject);
  expect(await peer.join("icu")).toBe("ok");
  return peer;
}

test.each([
  [hubProtocol, roomsProtocol],
  [roomsProtocol, hubProtocol],
])(
  "what some say others hear over the other protocol, in order; what they may not say, nobody does",
  async (from, to) => {
    const ward = await runWard();
    const [speaker, hearer] = [await one(ward, from, "ada"), await one(ward, to, "ben")];
    const clerk = await ward.enter(from, "carl", { roles: ["clerk"] });
    await clerk.join("icu");
    expect([
      await speaker.say("icu", "note", "first"),
      await speaker.say("icu", "alarm", "second"),
      await speaker.say("icu", "alarm", "SHOUTED"),
      await clerk.say("icu", "alarm", "not a nurse"),
      await speaker.order("icu", "third", "command-1"),
      await speaker.order("icu", "third", "command-1"),
    ]).toEqual(["ok", "ok", "forbidden: no shouting", "forbidden: nurses only", "ok", "ok"]);
    ward.tell("icu", "end");
    for (const peer of [speaker, hearer]) {
      await peer.heard.first(([, what]) => what === "end");
      expect(peer.heard.items).toEqual([
        ["note", "first"],
        ["alarm", "second"],
        ["order", "third"],
        ["vitals", "end"],
      ]);
    }
  },
);

test("two hundred things said on both sides are heard by both in one order for each speaker", async () => {
  const ward = await runWard();
  const peers = await Promise.all(protocols.map((protocol) => one(ward, protocol, "ada")));
  const count = 100;
  // Every answer is awaited: neither side is asked for more at once than it takes.
  await Promise.all(
    peers.map(async (peer, side) => {
      for (let number = 0; number < count; number += 10) {
        const batch = Array.from({ length: 10 }, (_, index) => peer.say("icu", "note", `${side} ${number + index}`));
        expect(new Set(await Promise.all(batch))).toEqual(new Set(["ok"]));
        ward.clock.advance(1_000);
      }
    }),
  );
  for (const peer of peers) {
    await peer.heard.take(2 * count);
    for (const side of [0, 1])
      expect(said(peer).filter((what) => String(what).startsWith(`${side} `))).toEqual(
        Array.from({ length: count }, (_, number) => `${side} ${number}`),
      );
  }
});

test("everybody, a person and a connection are addressed alike, whichever protocol they speak", async () => {
  const ward = await runWard();
  const [hub, rooms] = [await ward.enter(hubProtocol, "ada"), await ward.enter(roomsProtocol, "ada")];
  const other = await ward.enter(roomsProtocol, "ben");
  ward.app.toAll().emit("vitals", "all");
  ward.app.toPrincipal({ subject: "ada" }).emit("vitals", "person");
  for (const peer of [hub, rooms]) ward.app.toConnection((peer.id ?? "") as never).emit("vitals", "connection");
  ward.app
    .toAll()
    .except((rooms.id ?? "") as never)
    .emit("vitals", "others");
  ward.app.toAll().emit("vitals", "end");
  for (const peer of [hub, rooms, other]) await peer.heard.first(([, what]) => what === "end");
  expect([said(hub), said(rooms), said(other)]).toEqual([
    ["all", "person", "connection", "others", "end"],
    ["all", "person", "connection", "end"],
    ["all", "others", "end"],
  ]);
});

test("one recheck takes the membership on both sides, and says so on both", async () => {
  const ward = await runWard();
  const peers = await Promise.all(protocols.map((protocol) => one(ward, protocol, "ada")));
  for (const peer of peers) await peer.subscribe();
  ward.rule = () => false;
  expect(await ward.app.recheck({ subject: "ada" })).toMatchObject({ matched: 2, lost: 2 });
  ward.tell("icu", "too late");
  for (const peer of peers) {
    expect(await peer.notices.first()).toBe("lost ward/icu");
    expect(await peer.say("icu", "note", "still in?")).toBe("not_member");
    expect(said(peer)).toEqual([]);
  }
});

test("two scopes of one application: neither's token, room, group or address is the other's", async () => {
  const clock = createFakeClock();
  const deviceIssuer = await createIssuer(clock, { issuer: "https://devices.hubward.test/" });
  const scopes: { readonly app: Pick<Scope<never>, "toAll" | "groups"> }[] = [];
  const declare = (scope: Scope<never>, hub: string, rooms: string): void => {
    const anyone = scope.policy("Anyone", () => true);
    const group = scope
      .group("ward/{ward}", { ward: word })
      .allow(anyone)
      .room((room) => room.publish("note", text, (draft) => draft.members()));
    scope.rooms(rooms).allow(anyone);
    scope
      .hub(hub)
      .allow(anyone)
      .methods((m) => ({
        Join: m.args(text).handle((call, ward) => call.groups.join(group({ ward }))),
        note: m.args(text, text).handle((call, ward, what) => call.to(group({ ward })).emit("note", what)),
      }));
    scopes.push({ app: scope });
  };
  const running = await runApp(
    () => ({}),
    (app) => {
      declare(app as unknown as Scope<never>, HUB, ROOMS);
      const devices = app.scope({ authenticator: deviceIssuer.authenticator, principal: () => ({}) });
      declare(devices as unknown as Scope<never>, "/hubs/devices", "/devices/rooms");
    },
    { clock },
  );
  const [staffScope, deviceScope] = scopes;
  if (staffScope === undefined || deviceScope === undefined) throw new TypeError("two scopes were declared");
  const places = { hub: [HUB, "/hubs/devices"], rooms: [ROOMS, "/devices/rooms"] } as const;
  const tokens = [await running.issuer.token("ada"), await deviceIssuer.token("ada")] as const;
  const peers: Peer[][] = [[], []];
  for (const protocol of protocols) {
    for (const scope of [0, 1] as const) {
      const path = places[protocol.kind][scope];
      await expect(protocol.connect(running.port, { token: tokens[scope === 0 ? 1 : 0], path })).rejects.toMatchObject({
        code: 401,
        reason: "invalid_token;action=relogin",
      });
      const peer = await protocol.connect(running.port, { token: tokens[scope], path });
      expect(await peer.join("icu")).toBe("ok");
      peers[scope]?.push(peer);
    }
  }
  for (const [scope, members] of peers.entries())
    for (const [index, peer] of members.entries())
      expect(await peer.say("icu", "note", `${scope} ${index}`)).toBe("ok");
  staffScope.app.toAll().emit("vitals", "staff");
  deviceScope.app.toAll().emit("vitals", "devices");
  for (const peer of peers.flat()) await peer.heard.first(([event]) => event === "vitals");
  expect(peers.map((members) => members.map(said))).toEqual([
    [
      ["0 0", "0 1", "staff"],
      ["0 0", "0 1", "staff"],
    ],
    [
      ["1 0", "1 1", "devices"],
      ["1 0", "1 1", "devices"],
    ],
  ]);
});
