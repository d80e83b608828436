/** What an application's own handlers make of a message, and what the application itself does to memberships. */

import { HubError, type App, type GroupReference, type Principal } from "@hubward/server";
import type { CommandOutcome, IdempotencyStore } from "@hubward/server/ports";
import { expect, test } from "vitest";
import { enterRooms, type Frame, type RoomsClient } from "../support/rooms-client.js";
import { runApp, type RunOptions } from "../support/running-app.js";
import { text, word } from "../support/schemas.js";
import type { TokenOptions } from "../support/tokens.js";

type Staff = Principal<{ readonly ward: string }>;

/** What handlers wait for, and what they have done. */
interface Work {
  readonly done: string[];
  /** Resolves once a handler waits. */
  readonly waits: Promise<void>;
  go(): void;
}

async function start(options: RunOptions = {}) {
  const rights = new Map<string, { ward: string }>();
  let begun: () => void = () => undefined;
  let go: () => void = () => undefined;
  const mayGo = new Promise<void>((resolve) => (go = resolve));
  const work: Work = { done: [], waits: new Promise((resolve) => (begun = resolve)), go: () => go() };

  let ward: GroupReference<Staff> | undefined;
  let guests: (() => GroupReference<Staff>) | undefined;
  function declare(app: App<Staff>): void {
    const staff = app.policy("Staff", () => true);
    const ownWard = app.policy("OwnWard", ({ principal }, name: string) => principal.ward === name);
    const ofWard = app
      .group("ward/{ward}", { ward: word })
      .allow(ownWard, ({ ward }) => ward)
      .room((room) =>
        room
          .publish("note", text, (draft) =>
            draft.members().handle((_call, note) => {
              work.done.push(note);
              if (note === "broken") throw new Error("the database is down: secret");
              if (note === "refused") throw new HubError("not on a Sunday");
              return note;
            }),
          )
          .publish("order", text, (draft) =>
            draft
              .members()
              .once()
              .handle((_call, order) => {
                work.done.push(order);
                return order;
              }),
          )
          .publish("slow", text, (draft) =>
            draft.members().handle(async (_call, note) => {
              begun();
              await mayGo;
              work.done.push(note);
              return note;
            }),
          ),
      );
    ward = ofWard({ ward: "icu" });
    guests = app
      .group("guests", {})
      .assigned()
      .room((room) => room.publish("note", text, (draft) => draft.members()));
    app.rooms().allow(staff);
  }

  const running = await runApp<{ readonly ward: string }>(
    ({ claims, subject }) => rights.get(subject) ?? { ward: claims["ward"] as string },
    declare,
    options,
  );
  return { ...running, rights, work, guests: guests?.() as GroupReference<Staff>, ward: ward as GroupReference<Staff> };
}

const icu: TokenOptions = { claims: { ward: "icu" } };
const ROOM = "ward/icu";

async function join(
  { port, issuer }: Awaited<ReturnType<typeof start>>,
  subject: string,
  options: TokenOptions = icu,
): Promise<RoomsClient> {
  const client = await enterRooms(port, await issuer.token(subject, options));
  await client.ask({ type: "join", room: ROOM });
  return client;
}

const publish = (client: RoomsClient, event: string, payload: unknown, command?: string): Promise<Frame> =>
  client.ask({ type: "publish", room: ROOM, event, payload, command });

/** Everything that was said in the room to a client by now. */
async function heardBy(client: RoomsClient): Promise<readonly unknown[]> {
  await client.ask({ type: "ping" });
  return client.frames.items.filter(({ type }) => type === "message").map(({ payload }) => payload);
}

test("a command that is sent again, over whatever connection, is answered and told nobody", async () => {
  const running = await start();
  const [amara, again, chidi] = [
    await join(running, "amara"),
    await join(running, "amara"),
    await join(running, "chidi"),
  ];
  for (const client of [amara, again, amara])
    expect(await publish(client, "order", "heparin", "c-1")).toMatchObject({ type: "ack" });
  expect(await publish(again, "order", "insulin", "c-1")).toMatchObject({ reason: "idempotency_conflict" });
  expect(await publish(chidi, "order", "heparin", "c-1")).toMatchObject({ type: "ack" });
  expect(running.work.done).toEqual(["heparin", "heparin"]);
  for (const client of [amara, again, chidi]) expect(await heardBy(client)).toEqual(["heparin", "heparin"]);
});

test("a message that takes effect once cannot be published without its command", async () => {
  const running = await start();
  const amara = await join(running, "amara");
  expect(await publish(amara, "order", "heparin")).toMatchObject({ type: "error", reason: "bad_arguments" });
  expect([running.work.done, await heardBy(amara)]).toEqual([[], []]);
});

test("a command makes any message take effect once, also one that failed", async () => {
  const running = await start();
  const amara = await join(running, "amara");
  await publish(amara, "note", "hello", "n-1");
  await publish(amara, "note", "hello", "n-1");
  const refused = await publish(amara, "note", "refused", "n-2");
  expect(await publish(amara, "note", "refused", "n-2")).toEqual({ ...refused, id: "ask-5" });
  expect(running.work.done).toEqual(["hello", "refused"]);
  expect(await heardBy(amara)).toEqual(["hello"]);
});

test("a handler that throws tells the room nothing, and the client as much as it meant to", async () => {
  const running = await start();
  const [amara, chidi] = [await join(running, "amara"), await join(running, "chidi")];
  const head = { type: "error", request: "publish", room: ROOM };
  expect(await publish(amara, "note", "broken")).toEqual({
    ...head,
    id: "ask-2",
    reason: "internal_error",
    action: "retry-after",
  });
  expect(await publish(amara, "note", "refused")).toEqual({
    ...head,
    id: "ask-3",
    reason: "application_error",
    detail: "not on a Sunday",
  });
  amara.send({ type: "publish", room: ROOM, event: "note", payload: "refused" });
  expect(await amara.frames.first(({ id, type }) => type === "error" && id === undefined)).toMatchObject({
    reason: "application_error",
  });
  expect([await heardBy(amara), await heardBy(chidi)]).toEqual([[], []]);
  expect(running.telemetry.items.filter(({ event }) => event === "application.failed")).toHaveLength(1);
});

test("who loses the membership while their message is handled is told so, and the room nothing", async () => {
  const running = await start();
  const { app, rights, work } = running;
  const [amara, chidi] = [await join(running, "amara"), await join(running, "chidi")];
  const answer = publish(chidi, "slow", "too late");
  await work.waits;
  rights.set("chidi", { ward: "er" });
  await app.recheck({ subject: "chidi" });
  work.go();
  expect(await answer).toMatchObject({ type: "error", request: "publish", reason: "not_member" });
  expect([await heardBy(amara), await heardBy(chidi)]).toEqual([[], []]);
});

/** Takes it out of the room, and back in by its own wish. */
const losses = {
  "a recheck": {
    take: async ({ app, rights }: Awaited<ReturnType<typeof start>>) => {
      rights.set("chidi", { ward: "er" });
      await app.recheck({ subject: "chidi" });
    },
    give: async ({ app, rights }: Awaited<ReturnType<typeof start>>) => {
      rights.delete("chidi");
      await app.recheck({ subject: "chidi" });
    },
  },
  "the application": {
    take: async ({ app, ward }: Awaited<ReturnType<typeof start>>) => {
      await app.groups.remove({ subject: "chidi" }, ward);
    },
    give: () => Promise.resolve(),
  },
} as const;
/** Asked behind the rules and in front of the handler; its first answer takes as long as a test likes. */
function slowStore(): IdempotencyStore & { readonly isAsked: Promise<void>; answer(): void } {
  let ask: () => void = () => undefined;
  let answer: () => void = () => undefined;
  const isAsked = new Promise<void>((resolve) => (ask = resolve));
  const mayAnswer = new Promise<void>((resolve) => (answer = resolve));
  const outcomes = new Map<string, CommandOutcome>();
  return {
    isAsked,
    answer: () => answer(),
    async start(key) {
      ask();
      await mayAnswer;
      const outcome = outcomes.get(key);
      if (outcome !== undefined) return { state: "known", outcome };
      return { state: "started", finish: (how) => void outcomes.set(key, how), abandon: () => undefined };
    },
  };
}

const NOT_MEMBER = { type: "error", request: "publish", reason: "not_member" };

test.each(Object.entries(losses))(
  "a command whose sender loses the room, to %s, in front of its handler is refused and not used up",
  async (_by, { take, give }) => {
    const store = slowStore();
    const running = await start({ idempotency: store });
    const [amara, chidi] = [await join(running, "amara"), await join(running, "chidi")];
    const first = publish(chidi, "order", "heparin", "order-1");
    await store.isAsked;
    await take(running);
    store.answer();
    expect(await first).toMatchObject(NOT_MEMBER);
    expect(await publish(chidi, "order", "heparin", "order-1")).toMatchObject(NOT_MEMBER);
    expect([running.work.done, await heardBy(amara)]).toEqual([[], []]);
    // Nothing has happened: who is in again, and says so again, is heard, once.
    await give(running);
    expect(await chidi.ask({ type: "join", room: ROOM })).toMatchObject({ type: "joined" });
    for (let time = 0; time < 2; time++)
      expect(await publish(chidi, "order", "heparin", "order-1")).toMatchObject({ type: "ack" });
    expect([running.work.done, await heardBy(amara)]).toEqual([["heparin"], ["heparin"]]);
  },
);

test.each(Object.entries(losses))(
  "a command whose sender loses the room, to %s, while its handler runs has come to that, and never runs again",
  async (_by, { take, give }) => {
    const running = await start();
    const { work } = running;
    const [amara, chidi] = [await join(running, "amara"), await join(running, "chidi")];
    const first = publish(chidi, "slow", "too late", "note-1");
    await work.waits;
    await take(running);
    work.go();
    expect(await first).toMatchObject(NOT_MEMBER);
    expect(await publish(chidi, "slow", "too late", "note-1")).toMatchObject(NOT_MEMBER);
    await give(running);
    expect(await chidi.ask({ type: "join", room: ROOM })).toMatchObject({ type: "joined" });
    expect(await publish(chidi, "slow", "too late", "note-1")).toMatchObject(NOT_MEMBER);
    expect([work.done, await heardBy(amara)]).toEqual([["too late"], []]);
  },
);

test("who brings a new credential while their message is handled, and stays a member, is heard", async () => {
  const running = await start();
  const { issuer, work } = running;
  const [amara, chidi] = [await join(running, "amara"), await join(running, "chidi")];
  const answer = publish(chidi, "slow", "in time");
  await work.waits;
  const token = await issuer.token("chidi", { ...icu, lifetime: 900 });
  expect(await chidi.ask({ type: "auth", token })).toMatchObject({ type: "ack" });
  work.go();
  expect(await answer).toMatchObject({ type: "ack" });
  expect([await heardBy(amara), await heardBy(chidi)]).toEqual([["in time"], ["in time"]]);
});

test("nobody joins a room whose members the application chooses; who is put in or taken out is told", async () => {
  const running = await start();
  const { app, guests, issuer, port } = running;
  const amara = await enterRooms(port, await issuer.token("amara", icu));
  expect(await amara.ask({ type: "join", room: "guests" })).toMatchObject({ type: "error", reason: "forbidden" });
  expect(await app.groups.add({ subject: "amara" }, guests)).toMatchObject({ joined: 1 });
  expect(await amara.first("joined")).toEqual({ type: "joined", room: "guests" });
  await amara.ask({ type: "publish", room: "guests", event: "note", payload: "thank you" });
  expect(await heardBy(amara)).toEqual(["thank you"]);
  // Asked for though it is in already, it is refused as before.
  expect(await amara.ask({ type: "join", room: "guests" })).toMatchObject({ reason: "forbidden" });
  await app.groups.remove({ subject: "amara" }, guests);
  expect(await amara.first("left")).toEqual({ type: "left", room: "guests", why: "removed" });
  expect(await amara.ask({ type: "publish", room: "guests", event: "note", payload: "still?" })).toMatchObject({
    reason: "not_member",
  });
  await app.groups.add({ subject: "amara" }, guests);
  expect(await amara.ask({ type: "leave", room: "guests" })).toEqual({
    type: "left",
    id: expect.any(String),
    room: "guests",
    why: "asked",
  });
});

test("what a recheck or a new credential costs is told room by room, in front of what is said next", async () => {
  const running = await start();
  const { app, issuer, rights } = running;
  const [amara, chidi, dana] = [
    await join(running, "amara"),
    await join(running, "chidi"),
    await join(running, "dana"),
  ];
  rights.set("amara", { ward: "er" });
  await app.recheck({ subject: "amara" });
  const lost = { type: "left", room: ROOM, why: "lost" };
  expect(await amara.first("left")).toEqual(lost);
  const token = await issuer.token("chidi", { claims: { ward: "er" }, lifetime: 900 });
  expect(await chidi.ask({ type: "auth", token })).toMatchObject({ type: "ack", expires_in: expect.any(Number) });
  expect(await chidi.first("left")).toEqual(lost);
  expect(await publish(dana, "note", "anybody?")).toMatchObject({ type: "ack" });
  expect([await heardBy(amara), await heardBy(chidi), await heardBy(dana)]).toEqual([[], [], ["anybody?"]]);
  const types = chidi.frames.items.map(({ type }) => type);
  expect(types.indexOf("left")).toBeLessThan(types.indexOf("ack"));
});
