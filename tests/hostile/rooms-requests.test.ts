/** People who were let into rooms, and ask for what they should not. */

import type { App, Principal } from "@hubward/server";
import { describe, expect, test } from "vitest";
import { enterRooms, type RoomsClient } from "../support/rooms-client.js";
import { opcodes } from "../support/raw-web-socket.js";
import { runApp } from "../support/running-app.js";
import { text, word } from "../support/schemas.js";
import { bearer } from "../support/server.js";
import { endingOf } from "./ending-of.js";
import { ask, comeIn, knock, reasonOf, say, told } from "./rooms-peer.js";
import { underAttack } from "./target.js";

describe("a name that is no name of a room", () => {
  const names = [
    "",
    "/",
    "room",
    "room/",
    "room//one",
    "/room/one",
    "room/one/",
    "ROOM/one",
    "room/..",
    "room/.",
    "../room/one",
    "room/%6Fne",
    "room/on%2fe",
    "room/one\0",
    "room/one\n",
    " room/one",
    "room/one ",
    "room/\u202eeno",
    "room/o\u200bne",
    "room/\u2066one\u2069",
    "room/o\u0301ne\u00ad",
    "room/{room}",
    "__proto__",
    "constructor/one",
    "room/__proto__",
    "toString",
    "room one",
    "room/one#hub",
    "x".repeat(128),
    `room/${"x".repeat(124)}`,
    `room/${"é".repeat(62)}`,
  ];

  test(
    "is refused as such by every request, and its refusal is no longer than a name",
    underAttack(
      async (target) => {
        const { app, telemetry } = target;
        const socket = await comeIn(target);
        let id = 0;
        for (const room of names)
          for (const request of [{ type: "join" }, { type: "leave" }, { type: "publish", event: "note" }]) {
            const answer = await ask(socket, { ...request, room, id: ++id });
            expect([room, request.type, answer["reason"]]).toEqual([room, request.type, "bad_room"]);
            expect(JSON.stringify(answer).length).toBeLessThan(1_000);
          }
        expect(app.groups.list()).toHaveLength(1);
        const refused = telemetry.items.filter(({ event }) => event === "call.refused");
        expect(refused.length).toBe(3 * names.length);
        expect(JSON.stringify(refused)).not.toMatch(/[\0-\x1f]|\\u0000|\\n|room\/one#hub/);
      },
      { limits: false },
    ),
  );

  test(
    "of 60,000 characters does not come back as a whole",
    underAttack(async (target) => {
      const socket = await comeIn(target);
      for (const type of ["join", "leave", "publish", "who"]) {
        const answer = await ask(socket, { type, room: "x".repeat(60_000), event: "note", id: type });
        expect(answer).toMatchObject({ type: "error", reason: expect.any(String) });
        expect(JSON.stringify(answer).length).toBeLessThan(1_000);
      }
    }),
  );
});

test(
  "ids that are none are not repeated, and the request is refused",
  underAttack(async (target) => {
    const socket = await comeIn(target);
    const ids = [-1, 1.5, 2 ** 53, 1e308, "", "x".repeat(65), {}, [], true, ["a"]];
    for (const id of ids) say(socket, { type: "join", room: "room/one", id });
    const answers = (await socket.frames.take(1 + ids.length))
      .slice(1)
      .map(({ payload }) => JSON.parse(String(payload)));
    for (const answer of answers) expect(answer).toMatchObject({ type: "error", reason: "bad_request" });
    for (const answer of answers) expect(Object.keys(answer)).not.toContain("id");
    for (const id of ["__proto__", "constructor", "\u202e", "\n", 0, Number.MAX_SAFE_INTEGER])
      expect(await ask(socket, { type: "ping", id })).toEqual({ type: "pong", id });
    // Said before anything is made of it: whoever sends that does not speak this protocol.
    socket.sendText('{"type":"ping","id":{"__proto__":1}}');
    expect(await endingOf(socket)).toBe("4400 bad_request;action=fix-request");
  }),
);

test(
  "events that are properties of every object are none of a room's, also in other letters",
  underAttack(async (target) => {
    const socket = await comeIn(target);
    await ask(socket, { type: "join", room: "room/one", id: 0 });
    const events = [
      "constructor",
      "__proto__",
      "toString",
      "hasOwnProperty",
      "join",
      "leave",
      "hubward.notice",
      "note ",
    ];
    for (const event of events)
      expect([event, await reasonOf(socket, { type: "publish", room: "room/one", event, id: event })]).toEqual([
        event,
        "method_not_found",
      ]);
  }),
);

describe("2,000 rooms at once", () => {
  const letters = "abcdefghij";
  const names = Array.from({ length: 2_000 }, (_, index) =>
    String(index).replace(/\d/g, (digit) => letters[Number(digit)] ?? ""),
  );

  test(
    "are too many for one connection, whatever rate it may ask at",
    underAttack(
      async (target) => {
        const socket = await comeIn(target);
        // It reads and confirms: slow it is not.
        socket.answersPings = true;
        for (const [id, name] of names.entries()) say(socket, { type: "join", room: `room/${name}`, id });
        await socket.frames.take(2_001, ({ opcode }) => opcode === opcodes.text);
        const count = (what: string): number =>
          told(socket).filter(({ reason, type }) => (reason ?? type) === what).length;
        expect([count("joined"), count("room_limit")]).toEqual([100, 1_900]);
        expect(target.app.groups.list().length).toBe(101);
      },
      { limits: false },
    ),
  );

  test(
    "are asked for too fast: who goes on while refused is ended",
    underAttack(
      async (target) => {
        const socket = await comeIn(target);
        for (const [id, name] of names.entries()) say(socket, { type: "join", room: `room/${name}`, id });
        expect(await endingOf(socket)).toMatch(/^4429 rate_limited/);
        const count = (what: string): number =>
          told(socket).filter(({ reason, type }) => (reason ?? type) === what).length;
        expect([count("joined"), count("rate_limited")]).toEqual([50, 201]);
        await target.telemetry.first(({ event }) => event === "connection.closed");
        expect(target.app.groups.list().length).toBe(1);
      },
      { limits: {} },
    ),
  );
});

test(
  "what comes behind the last word is not even looked at, and who never answers it is reset",
  underAttack(async (target) => {
    const socket = await comeIn(target);
    socket.sendText("[]");
    await socket.closeFrame();
    const heardBefore = told(socket).length;
    for (let id = 0; id < 100; id++) say(socket, { type: "join", room: "room/one", id });
    expect(await socket.closed).toEqual({ wasReset: true });
    expect(told(socket).length).toBe(heardBefore);
    expect(target.app.groups.list().map(({ size }) => size)).toEqual([1]);
  }),
);

test(
  "a peer that resets in the middle of a join, of a publication and of a frame leaves nothing",
  underAttack(async (target) => {
    const { app, telemetry } = target;
    for (const text of ['{"type":"join","room":"room/one"}', '{"type":"publish","room":"room/one","event":"note"}']) {
      const socket = await comeIn(target);
      await ask(socket, { type: "join", room: "room/one", id: 1 });
      socket.sendText(text);
      socket.socket.resetAndDestroy();
      const other = await comeIn(target);
      other.socket.write(Buffer.from([0x81, 0xfe, 0xff]));
      other.socket.resetAndDestroy();
    }
    await telemetry.take(4, ({ event }) => event === "connection.closed");
    expect(app.groups.list().map(({ size }) => size)).toEqual([1]);
  }),
);

test(
  "broken MessagePack ends a connection",
  underAttack(async (target) => {
    const headers = {
      ...bearer(await target.strangersToken()),
      "sec-websocket-protocol": "hubward.rooms.v1.msgpack",
    };
    const socket = await knock(target, { headers });
    socket.sendBinary(Buffer.from("81a474797065a47069", "hex"));
    expect(await endingOf(socket)).toBe("4400 bad_request;action=fix-request");
  }),
);

/** Rooms whose rules and publications wait until they are told what to answer. */
async function startGated() {
  const waiting: ((answer: boolean) => void)[] = [];
  const handled: string[] = [];
  const state = { isGated: false, isMember: true };
  const waits: (() => void)[] = [];
  const decide = (): boolean | Promise<boolean> => {
    if (!state.isGated) return state.isMember;
    return new Promise((resolve) => {
      waiting.push(resolve);
      for (const wake of waits.splice(0)) wake();
    });
  };
  let reference = (_name: string): never => expect.unreachable();
  const running = await runApp(
    () => ({}),
    (app: App<Principal>) => {
      const asked = app.policy("Asked", decide);
      const anyone = app.policy("Anyone", () => true);
      const room = app
        .group("room/{room}", { room: word })
        .allow(asked)
        .room((draft) =>
          draft
            .publish("order", text, (order) =>
              order.allow(asked).handle((_call, what) => {
                handled.push(what);
                return what;
              }),
            )
            .publish("once", text, (once) =>
              once
                .members()
                .once()
                .handle((_call, what) => {
                  handled.push(what);
                  return what;
                }),
            ),
        );
      reference = (name) => room({ room: name }) as never;
      app.rooms().allow(anyone);
    },
    { tenantClaim: "tid" },
  );
  const enter = async (subject: string, claims: object = { tid: "a", sid: `session-${subject}` }) =>
    enterRooms(running.port, await running.issuer.token(subject, { claims: { ...claims } }));
  return {
    ...running,
    groups: running.app.tenant("a").groups,
    room: (name = "one") => reference(name),
    state,
    handled,
    enter,
    /** Resolves with what answers the next rule that is asked. */
    async asked(): Promise<(answer: boolean) => void> {
      if (waiting.length === 0) await new Promise<void>((resolve) => waits.push(resolve));
      return waiting.shift() ?? expect.unreachable();
    },
  };
}

async function joinsOf(client: RoomsClient): Promise<readonly unknown[]> {
  await client.ask({ type: "ping" });
  return client.frames.items.flatMap(({ type, ...frame }) =>
    type === "joined" || type === "left" || type === "error" ? [[type, frame["why"] ?? frame["reason"]]] : [],
  );
}

describe("while a rule is asked", () => {
  test("a removal by the application makes a join come to nothing", async () => {
    const { enter, state, asked, groups, room } = await startGated();
    const client = await enter("ada");
    state.isGated = true;
    const joined = client.ask({ type: "join", room: "room/one" });
    const answer = await asked();
    expect(await groups.remove({ subject: "ada" }, room())).toEqual({ removed: 1 });
    answer(true);
    expect(await joined).toMatchObject({ type: "error", reason: "superseded" });
    expect(groups.list()).toEqual([]);
  });

  test("a revocation ends everything, and what is answered later changes nothing", async () => {
    const { enter, state, asked, groups, app } = await startGated();
    const client = await enter("ada");
    state.isGated = true;
    client.send({ type: "join", id: 1, room: "room/one" });
    const answer = await asked();
    await app.revoke({ session: "session-ada" });
    answer(true);
    expect(await client.closed).toEqual({ code: 4410, reason: "session_revoked;action=relogin" });
    expect(client.frames.items.map(({ type }) => type)).toEqual(["ready", "closing"]);
    expect(groups.list()).toEqual([]);
  });

  test("requests behind it wait their turn, and a leave in the queue has the last word", async () => {
    const { enter, state, asked, groups } = await startGated();
    const client = await enter("ada");
    state.isGated = true;
    client.send({ type: "join", id: 1, room: "room/one" });
    client.send({ type: "leave", id: 2, room: "room/one" });
    (await asked())(true);
    expect(await joinsOf(client)).toEqual([
      ["joined", undefined],
      ["left", "asked"],
    ]);
    expect(groups.list()).toEqual([]);
  });

  test("a publisher who is taken out of the room says nothing, and its handler is not entered", async () => {
    const { enter, state, asked, groups, room, handled } = await startGated();
    const client = await enter("ada");
    const witness = await enter("bob");
    for (const each of [client, witness]) await each.ask({ type: "join", room: "room/one" });
    state.isGated = true;
    const published = client.ask({ type: "publish", room: "room/one", event: "order", payload: "morphine" });
    const answer = await asked();
    await groups.remove({ subject: "ada" }, room());
    answer(true);
    expect(await published).toMatchObject({ type: "error", reason: "not_member" });
    expect(handled).toEqual([]);
    await witness.ask({ type: "ping" });
    expect(witness.frames.items.map(({ type }) => type)).toEqual(["ready", "joined", "pong"]);
  });

  test("a recheck that takes a membership away is heard, and nobody publishes on what was so before", async () => {
    const { enter, state, app, handled } = await startGated();
    const client = await enter("ada");
    await client.ask({ type: "join", room: "room/one" });
    state.isMember = false;
    await app.tenant("a").recheck({ subject: "ada" });
    expect(await client.ask({ type: "publish", room: "room/one", event: "order", payload: "x" })).toMatchObject({
      reason: "not_member",
    });
    expect(await joinsOf(client)).toContainEqual(["left", "lost"]);
    expect(handled).toEqual([]);
  });

  test("a peer that resets leaves no membership and no pending join", async () => {
    const { enter, state, asked, groups, app, telemetry } = await startGated();
    const client = await enter("ada");
    state.isGated = true;
    client.send({ type: "join", id: 1, room: "room/one" });
    const answer = await asked();
    client.socket.terminate();
    await telemetry.first(({ event }) => event === "connection.closed");
    answer(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect([groups.list(), app.connectionCount]).toEqual([[], 0]);
  });
});

describe("a command", () => {
  const order = { type: "publish", room: "room/one", event: "once", payload: "x", command: "c1" };

  test("sent over many connections of one person takes effect once, and nobody else's is the same", async () => {
    const { enter, handled } = await startGated();
    const clients = await Promise.all(Array.from({ length: 5 }, () => enter("ada")));
    for (const client of clients) await client.ask({ type: "join", room: "room/one" });
    const answers = await Promise.all(clients.map((client) => client.ask(order)));
    expect(answers.map(({ type }) => type)).toEqual(Array<string>(5).fill("ack"));
    expect(handled).toEqual(["x"]);
    for (const changed of [{ payload: "y" }, { room: "room/two" }]) {
      await clients[0]?.ask({ type: "join", room: "room/two" });
      expect(await clients[0]?.ask({ ...order, ...changed })).toMatchObject({ reason: "idempotency_conflict" });
    }
    const others = [await enter("bob"), await enter("ada", { tid: "b" })];
    for (const other of others) {
      await other.ask({ type: "join", room: "room/one" });
      expect(await other.ask(order)).toMatchObject({ type: "ack" });
    }
    expect(handled).toEqual(["x", "x", "x"]);
  });

  test("of who is no member (any more) is not replayed, and not run", async () => {
    const { enter, handled } = await startGated();
    const client = await enter("ada");
    expect(await client.ask(order)).toMatchObject({ reason: "not_member" });
    await client.ask({ type: "join", room: "room/one" });
    expect(await client.ask(order)).toMatchObject({ type: "ack" });
    await client.ask({ type: "leave", room: "room/one" });
    expect(await client.ask(order)).toMatchObject({ reason: "not_member" });
    expect(await client.ask({ ...order, command: "" })).toMatchObject({ reason: "bad_request" });
    expect(await client.ask({ ...order, command: "c".repeat(129) })).toMatchObject({ reason: "bad_request" });
    expect(handled).toEqual(["x"]);
  });
});

test("rooms of the same name in two tenants are two rooms", async () => {
  const { enter, app, room } = await startGated();
  const a = await enter("ada", { tid: "a" });
  const b = await enter("ada", { tid: "b" });
  for (const client of [a, b]) await client.ask({ type: "join", room: "room/one" });
  await a.ask({ type: "publish", room: "room/one", event: "order", payload: "of a" });
  app.tenant("b").to(room()).emit("order", "of b");
  for (const name of ["b/room/one", "b:room/one", "room/one@b", "../b/room/one"])
    expect(await a.ask({ type: "join", room: name })).toMatchObject({ reason: "bad_room" });
  const heard = async (client: RoomsClient) => {
    await client.ask({ type: "ping" });
    return client.frames.items.filter(({ type }) => type === "message").map(({ payload }) => payload);
  };
  expect([await heard(a), await heard(b)]).toEqual([["of a"], ["of b"]]);
});
