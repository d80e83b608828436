/** Who is in a room: asked once, followed, and told to nobody who may not see it. */

import type { App, Principal } from "@hubward/server";
import { expect, test } from "vitest";
import { enterRooms, type Frame, type RoomsClient } from "../support/rooms-client.js";
import { runApp, type RunningApp, type RunOptions } from "../support/running-app.js";
import type { TokenOptions } from "../support/tokens.js";
import { word } from "../support/schemas.js";

type Staff = Principal<{ readonly ward: string }>;

/** Answers of a directory that rules ask, as a test gives them. */
interface Directory {
  answer: boolean | Promise<boolean>;
}

interface Question {
  readonly promise: Promise<boolean>;
  resolve(answer: boolean): void;
}

function question(): Question {
  let resolve: Question["resolve"] = () => undefined;
  return { promise: new Promise((settle) => (resolve = settle)), resolve: (answer) => resolve(answer) };
}

const icu = (roles: readonly string[] = []): TokenOptions => ({ roles, claims: { ward: "icu" } });

async function start(options: RunOptions = {}) {
  const rights = new Map<string, { ward: string; roles: readonly string[] }>();
  const member: Directory = { answer: true };
  const viewer: Directory = { answer: true };
  const running = await runApp<{ readonly ward: string }>(
    ({ claims, subject }) =>
      rights.get(subject) ?? { roles: claims["roles"] as string[], ward: claims["ward"] as string },
    (app) => declare(app, member, viewer),
    options,
  );
  return { ...running, rights, member, viewer };
}

function declare(app: App<Staff>, member: Directory, viewer: Directory): void {
  const staff = app.policy("Staff", () => true);
  const ownWard = app.policy("OwnWard", ({ principal }, name: string) =>
    principal.ward === name ? member.answer : false,
  );
  const mayLook = app.policy("MayLook", ({ principal }) => (principal.hasRole("blind") ? false : viewer.answer), {
    message: "not who is here",
  });
  const ward = app
    .group("ward/{ward}", { ward: word })
    .allow(ownWard, ({ ward: name }) => name)
    .room((room) =>
      room.presence((draft) =>
        draft.allow(mayLook).describe(({ subject, roles }) => (roles.length === 0 ? { subject } : { subject, roles })),
      ),
    );
  const hidden = app
    .group("hidden", {})
    .allow(staff)
    .room((room) => room);
  const guests = app
    .group("guests", {})
    .assigned()
    .room((room) => room.presence((draft) => draft.members()));
  app.rooms().allow(staff);
  app
    .hub("/hub")
    .allow(staff)
    .methods((m) => ({
      Join: m.args(word).handle((call, name) => call.groups.join(ward({ ward: name }))),
      Hide: m.handle((call) => call.groups.join(hidden())),
      Invite: m.args(word).handle((_call, subject) => app.groups.add({ subject }, guests())),
      Remove: m.args(word).handle((_call, subject) => app.groups.remove({ subject }, guests())),
      Recheck: m.args(word).handle((_call, subject) => app.recheck({ subject })),
    }));
}

const ROOM = "ward/icu";

async function join(
  { port, issuer }: Pick<RunningApp<Staff>, "port" | "issuer">,
  subject: string,
  options: TokenOptions = icu(),
): Promise<RoomsClient> {
  const client = await enterRooms(port, await issuer.token(subject, options));
  expect(await client.ask({ type: "join", room: ROOM })).toMatchObject({ type: "joined" });
  return client;
}

const subjects = (list: unknown): unknown[] => (list as { subject: string }[]).map(({ subject }) => subject);
const who = (client: RoomsClient, follow?: boolean, room = ROOM): Promise<Frame> =>
  client.ask({ type: "who", room, follow });

/** What a connection has been told by now, answers to its pings aside. */
async function toldBy(client: RoomsClient): Promise<readonly Frame[]> {
  await client.ask({ type: "ping" });
  return client.frames.items.filter(({ type }) => type !== "pong" && type !== "ready");
}

async function news(client: RoomsClient): Promise<readonly (readonly [unknown[], unknown[]])[]> {
  const frames = (await toldBy(client)).filter(({ type }) => type === "presence");
  return frames.map(({ joined, left }) => [subjects(joined), subjects(left)]);
}

test("who tells each person once, however many connections they have, hub clients included", async () => {
  const running = await start();
  const amara = await join(running, "amara");
  await join(running, "amara");
  await join(running, "chidi", icu(["nurse"]));
  const hub = await running.connect("/hub", "dana", icu());
  await hub.connection.invoke("Join", "icu");
  await enterRooms(running.port, await running.issuer.token("erin", icu()));
  expect(await who(amara)).toEqual({
    type: "present",
    id: "ask-2",
    room: ROOM,
    members: [{ subject: "amara" }, { subject: "chidi", roles: ["nurse"] }, { subject: "dana" }],
  });
});

test("who is answered to members alone, where the room tells and its rule allows it", async () => {
  const running = await start();
  const { port, issuer } = running;
  const stranger = await enterRooms(port, await issuer.token("erin", icu()));
  expect(await who(stranger)).toMatchObject({ type: "error", request: "who", room: ROOM, reason: "not_member" });
  expect(await who(stranger, undefined, "hidden")).toMatchObject({ reason: "not_member" });
  expect(await who(stranger, undefined, "lobby")).toMatchObject({ reason: "bad_room" });
  await stranger.ask({ type: "join", room: "hidden" });
  expect(await who(stranger, true, "hidden")).toMatchObject({ reason: "forbidden" });
  const blind = await join(running, "finn", icu(["blind"]));
  expect(await who(blind, true)).toMatchObject({ reason: "forbidden", detail: "not who is here" });
  const dana = await join(running, "dana");
  running.clock.advance(1_000);
  expect(await news(blind)).toEqual([]);
  expect(subjects((await who(dana))["members"])).toEqual(["finn", "dana"]);
});

test("a follower is told once a second who came and who went, and of nobody who did both meanwhile", async () => {
  const running = await start();
  const { clock } = running;
  const amara = await join(running, "amara");
  expect(subjects((await who(amara, true))["members"])).toEqual(["amara"]);
  const chidi = await join(running, "chidi");
  const dana = await join(running, "dana");
  const erin = await join(running, "erin");
  await erin.ask({ type: "leave", room: ROOM });
  clock.advance(999);
  expect(await news(amara)).toEqual([]);
  clock.advance(1);
  expect(await news(amara)).toEqual([[["chidi", "dana"], []]]);
  await chidi.ask({ type: "leave", room: ROOM });
  dana.socket.close();
  await running.telemetry.first((each) => each.event === "connection.closed" && each.subject === "dana");
  clock.advance(1_000);
  expect(await news(amara)).toEqual([
    [["chidi", "dana"], []],
    [[], ["chidi", "dana"]],
  ]);
  expect((await amara.frames.take(2, ({ type }) => type === "presence"))[0]).toEqual({
    type: "presence",
    room: ROOM,
    joined: [{ subject: "chidi" }, { subject: "dana" }],
    left: [],
  });
});

test("somebody joins with their first connection and leaves with their last", async () => {
  const running = await start();
  const amara = await join(running, "amara");
  await who(amara, true);
  const [first, second] = [await join(running, "chidi"), await join(running, "chidi")];
  running.clock.advance(1_000);
  await first.ask({ type: "leave", room: ROOM });
  running.clock.advance(1_000);
  expect(await news(amara)).toEqual([[["chidi"], []]]);
  await second.ask({ type: "leave", room: ROOM });
  running.clock.advance(1_000);
  expect(await news(amara)).toEqual([
    [["chidi"], []],
    [[], ["chidi"]],
  ]);
});

test("hub clients, and who the application puts in or takes out, come and go like everybody else", async () => {
  const running = await start();
  const { port, issuer, clock } = running;
  const amara = await enterRooms(port, await issuer.token("amara", icu()));
  const hub = await running.connect("/hub", "dana", icu());
  await hub.connection.invoke("Invite", "amara");
  await who(amara, true, "guests");
  await hub.connection.invoke("Invite", "dana");
  clock.advance(1_000);
  await hub.connection.invoke("Remove", "dana");
  clock.advance(1_000);
  expect(await news(amara)).toEqual([
    [["dana"], []],
    [[], ["dana"]],
  ]);
  await hub.connection.invoke("Remove", "amara");
  await hub.connection.invoke("Invite", "dana");
  clock.advance(1_000);
  expect(await news(amara)).toHaveLength(2);
  expect((await toldBy(amara)).at(-1)).toEqual({ type: "left", room: "guests", why: "removed" });
});

test("who begins to follow in the middle of a second is told what has changed since, not since the others were told", async () => {
  const running = await start();
  const amara = await join(running, "amara");
  await who(amara, true);
  const chidi = await join(running, "chidi");
  const dana = await join(running, "dana");
  expect(subjects((await who(dana, true))["members"])).toEqual(["amara", "chidi", "dana"]);
  await chidi.ask({ type: "leave", room: ROOM });
  running.clock.advance(1_000);
  expect(await news(amara)).toEqual([[["dana"], []]]);
  expect(await news(dana)).toEqual([[[], ["chidi"]]]);
});

test("following ends when it is asked to, and with leaving; one timer for a room that is followed, none otherwise", async () => {
  const running = await start();
  const { clock } = running;
  const amara = await join(running, "amara");
  const dana = await join(running, "dana");
  const erin = await join(running, "erin");
  const seconds = (): number => clock.pending.filter((delay) => delay === 1_000).length;
  const idle = seconds();
  await erin.ask({ type: "leave", room: ROOM });
  expect(seconds()).toBe(idle);
  await who(amara, true);
  await who(dana, true);
  expect(seconds()).toBe(idle);
  await erin.ask({ type: "join", room: ROOM });
  expect(seconds()).toBe(idle + 1);
  // Asked again without a word of following, it stays as it was.
  await who(amara);
  await who(dana);
  await who(amara, false);
  expect(seconds()).toBe(idle + 1);
  await dana.ask({ type: "leave", room: ROOM });
  expect(seconds()).toBe(idle);
  await dana.ask({ type: "join", room: ROOM });
  expect(seconds()).toBe(idle);
  clock.advance(1_000);
  expect([await news(amara), await news(dana)]).toEqual([[], []]);
});

test("a membership that is lost ends the following, and the others are told", async () => {
  const running = await start();
  const amara = await join(running, "amara");
  const chidi = await join(running, "chidi");
  await who(amara, true);
  await who(chidi, true);
  const hub = await running.connect("/hub", "dana", icu());
  running.rights.set("chidi", { ward: "er", roles: [] });
  await hub.connection.invoke("Recheck", "chidi");
  expect(await chidi.first("left")).toEqual({ type: "left", room: ROOM, why: "lost" });
  await join(running, "erin");
  running.clock.advance(1_000);
  expect(await news(amara)).toEqual([[["erin"], ["chidi"]]]);
  expect(await news(chidi)).toEqual([]);
});

test("who may not see any more who is there is told so, and nothing else", async () => {
  const running = await start();
  const chidi = await join(running, "chidi");
  await who(chidi, true);
  const hub = await running.connect("/hub", "dana", icu());
  running.rights.set("chidi", { ward: "icu", roles: ["blind"] });
  await hub.connection.invoke("Recheck", "chidi");
  expect(await chidi.first("error")).toEqual({
    type: "error",
    request: "who",
    room: ROOM,
    reason: "forbidden",
    detail: "not who is here",
  });
  await join(running, "erin");
  running.clock.advance(1_000);
  expect(await news(chidi)).toEqual([]);
  expect((await chidi.ask({ type: "leave", room: ROOM }))["type"]).toBe("left");
});

test("a recheck has not ended before it is known who may see who is there", async () => {
  const running = await start();
  const chidi = await join(running, "chidi");
  await who(chidi, true);
  const asked = question();
  running.viewer.answer = asked.promise;
  running.rights.set("chidi", { ward: "icu", roles: ["other"] });
  let hasEnded = false;
  const rechecking = running.app.recheck({ subject: "chidi" }).finally(() => (hasEnded = true));
  await join(running, "dana");
  running.clock.advance(1_000);
  expect([await news(chidi), hasEnded]).toEqual([[], false]);
  asked.resolve(false);
  await rechecking;
  expect(await chidi.first("error")).toMatchObject({ request: "who", room: ROOM, reason: "forbidden" });
  running.clock.advance(1_000);
  expect(await news(chidi)).toEqual([]);
});

test("nothing is told while the rule thinks about a new principal, and everything since when it has said yes", async () => {
  const running = await start();
  const { clock, issuer, viewer } = running;
  const amara = await join(running, "amara");
  const chidi = await join(running, "chidi");
  await who(amara, true);
  await who(chidi, true);
  const asked = question();
  viewer.answer = asked.promise;
  const renewed = chidi.ask({ type: "auth", token: await issuer.token("chidi", { ...icu(), lifetime: 600 }) });
  await renewed;
  const dana = await join(running, "dana");
  clock.advance(1_000);
  const erin = await join(running, "erin");
  await dana.ask({ type: "leave", room: ROOM });
  clock.advance(1_000);
  expect(await news(amara)).toEqual([
    [["dana"], []],
    [["erin"], ["dana"]],
  ]);
  expect(await news(chidi)).toEqual([]);
  asked.resolve(true);
  await asked.promise;
  await erin.ask({ type: "ping" });
  clock.advance(1_000);
  expect(await news(chidi)).toEqual([[["erin"], []]]);
});

test("somebody whose membership waits to be judged again is not told as present", async () => {
  const running = await start();
  const { clock, issuer, member } = running;
  const amara = await join(running, "amara");
  const chidi = await join(running, "chidi");
  await who(amara, true);
  const asked = question();
  member.answer = asked.promise;
  const renewed = chidi.ask({ type: "auth", token: await issuer.token("chidi", { ...icu(), lifetime: 600 }) });
  await chidi.ask({ type: "ping" });
  // The rule is being asked: the verification before it is asynchronous.
  await expect.poll(async () => subjects((await who(amara))["members"])).toEqual(["amara"]);
  // What it asks itself waits for the rule, too.
  const own = who(chidi);
  clock.advance(1_000);
  // It asked in between, and was told then.
  expect(await news(amara)).toEqual([]);
  asked.resolve(true);
  await renewed;
  expect(subjects((await own)["members"])).toEqual(["amara", "chidi"]);
  clock.advance(1_000);
  expect(await news(amara)).toEqual([[["chidi"], []]]);
});

test("of somebody who is described otherwise from now on the old is told as left and the new as joined", async () => {
  const running = await start();
  const amara = await join(running, "amara");
  await join(running, "chidi");
  await join(running, "dana");
  await who(amara, true);
  const hub = await running.connect("/hub", "boss", icu());
  running.rights.set("chidi", { ward: "icu", roles: ["nurse"] });
  await hub.connection.invoke("Recheck", "chidi");
  await hub.connection.invoke("Recheck", "dana");
  running.clock.advance(1_000);
  expect((await toldBy(amara)).filter(({ type }) => type === "presence")).toEqual([
    { type: "presence", room: ROOM, joined: [{ subject: "chidi", roles: ["nurse"] }], left: [{ subject: "chidi" }] },
  ]);
});

test("a lapsed follower is told nothing until it is back, and then what it has missed", async () => {
  const running = await start();
  const { clock, issuer } = running;
  const amara = await join(running, "amara", { ...icu(), lifetime: 20 });
  await amara.ask({ type: "notices" });
  await who(amara, true);
  const chidi = await join(running, "chidi", { ...icu(), lifetime: 600 });
  const dana = await join(running, "dana", { ...icu(), lifetime: 600 });
  clock.advance(1_000);
  await amara.first("presence");
  clock.advance(20_000);
  await amara.frames.first(({ notice }) => notice === "expired");
  const before = (await news(amara)).length;
  await chidi.ask({ type: "leave", room: ROOM });
  clock.advance(1_000);
  expect(await news(amara)).toHaveLength(before);
  expect(subjects((await who(dana))["members"])).toEqual(["amara", "dana"]);
  await amara.ask({ type: "auth", token: await issuer.token("amara", icu()) });
  clock.advance(1_000);
  expect((await news(amara)).slice(before)).toEqual([[[], ["chidi"]]]);
});

test("people of another tenant are in another room, whatever its name", async () => {
  const running = await start({ tenantClaim: "tid" });
  const of = (tid: string): TokenOptions => ({ claims: { ward: "icu", tid } });
  const amara = await join(running, "amara", of("north"));
  await who(amara, true);
  const other = await join(running, "amara", of("south"));
  await join(running, "chidi", of("south"));
  running.clock.advance(1_000);
  expect(await news(amara)).toEqual([]);
  expect(subjects((await who(amara))["members"])).toEqual(["amara"]);
  expect(subjects((await who(other))["members"])).toEqual(["amara", "chidi"]);
});
