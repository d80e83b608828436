/** Calls and their results. */

import { expect } from "vitest";
import type { StockClient } from "../support/stock-clients.js";
import { createWorld, failure } from "../support/world.js";
import type { Scenario } from "./scenario.js";

const plainValues: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  2 ** 53 - 1,
  -(2 ** 31) - 1,
  1e300,
  "",
  'ä\u0000\u001e𝄞 " \\',
  [],
  [1, [2, [3, []]]],
  { a: 1, b: { c: [null, "d"] }, constructor: "x", toString: "y" },
  "x".repeat(20_000),
];

/** What bytes and dates come back as: JSON has no form for them, MessagePack has. */
function richValues({ encoding }: StockClient): readonly (readonly [unknown, unknown])[] {
  const bytes = Uint8Array.from([0, 1, 254, 255]);
  const date = new Date("2030-01-02T03:04:05.678Z");
  return encoding === "json"
    ? [[date, date.toISOString()]]
    : [
        [bytes, bytes],
        [date, date],
      ];
}

export const calling: readonly Scenario[] = [
  {
    name: "gets results back as they were",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const { connection } = await world.connect(client);
      for (const value of plainValues) expect(await connection.invoke("Echo", value)).toEqual(value);
      for (const [sent, received] of richValues(client)) {
        const back: unknown = await connection.invoke("Echo", sent);
        expect(back instanceof Uint8Array ? Uint8Array.from(back) : back).toEqual(received);
      }
      expect(await connection.invoke("Add", 20, 22)).toBe(42);
    },
  },
  {
    name: "gets null for null, for nothing, and for a promise of nothing",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const { connection } = await world.connect(client);
      expect(await connection.invoke("Null")).toBeNull();
      expect(await connection.invoke("Nothing")).toBeNull();
      expect(await connection.invoke("NothingLater")).toBeNull();
    },
  },
  {
    name: "sends without waiting for an answer",
    async run(client) {
      const world = await createWorld();
      const { connection, closed } = await world.connect(client);
      await connection.send("Note", "first");
      await connection.send("Note", "second");
      await connection.send("Crash");
      await connection.send("NoSuchMethod");
      await connection.send("Note", "last");
      const notes = await world.seen.take(3);
      expect(notes.map(({ args }) => args[0])).toEqual(["first", "second", "last"]);
      expect(await connection.invoke("Echo", "still here")).toBe("still here");
      expect(closed.items).toEqual([]);
    },
  },
  {
    name: "is answered in the order it asked, one call at a time",
    async run(client) {
      const world = await createWorld();
      const { connection } = await world.connect(client);
      const answered: unknown[] = [];
      const calls = Array.from({ length: 30 }, (_, index) => {
        const call = index % 3 === 0 ? connection.invoke("Wait", "gate", index) : connection.invoke("Echo", index);
        return call.then((value: unknown) => answered.push(value));
      });
      world.open("gate");
      await Promise.all(calls);
      expect(answered).toEqual(Array.from({ length: 30 }, (_, index) => index));
      expect(world.waiting.most).toBe(1);
    },
  },
  {
    name: "has calls run side by side where the server allows it",
    async run(client) {
      const world = await createWorld({ maxParallelInvocations: 2 });
      const { connection } = await world.connect(client);
      const slow = connection.invoke("Wait", "slow", "slow");
      expect(await connection.invoke("Echo", "quick")).toBe("quick");
      world.open("slow");
      expect(await slow).toBe("slow");
    },
  },
  {
    name: "reads .NET's own words for what an application throws",
    async run(client) {
      const world = await createWorld();
      const { connection, id } = await world.connect(client);
      const hubError = await failure(connection.invoke("fail", "the bed is taken"));
      expect(hubError.message).toBe(
        "An unexpected error occurred invoking 'Fail' on the server. HubException: the bed is taken",
      );
      const hidden = await failure(connection.invoke("Crash"));
      expect(hidden.message).toBe("An unexpected error occurred invoking 'Crash' on the server.");
      const failed = await world.telemetry.first(({ event }) => event === "application.failed");
      expect(failed).toMatchObject({
        connectionId: await id(),
        error: { message: "a secret of the server" },
      });
    },
  },
  {
    name: "reads .NET's own words for unknown methods, wrong arguments and streams that are none",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const { connection } = await world.connect(client);
      const textOf = async (name: string, ...args: unknown[]): Promise<string> =>
        (await failure(connection.invoke(name, ...args))).message;
      const notInvoked = (name: string): string => `Failed to invoke '${name}' due to an error on the server.`;
      expect(await textOf("Missing")).toBe(`${notInvoked("Missing")} HubException: Method does not exist.`);
      expect(await textOf("constructor")).toBe(`${notInvoked("constructor")} HubException: Method does not exist.`);
      expect(await textOf("Add", 1)).toBe(notInvoked("Add"));
      expect(await textOf("Add", 1, 2, 3)).toBe(notInvoked("Add"));
      expect(await textOf("Add", 1, "2")).toBe(notInvoked("Add"));
      expect(await textOf("Add", 1, 2.5)).toBe(notInvoked("Add"));
      const streamed = await failure(
        new Promise((resolve, reject) => {
          connection.stream("Echo", 1).subscribe({ next: resolve, complete: () => resolve(undefined), error: reject });
        }),
      );
      expect(streamed.message).toBe(
        "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation.",
      );
    },
  },
  {
    name: "reads the catalogue's words for what a policy refuses, and stays connected",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const { connection, closed, id } = await world.connect(client, { roles: ["nurse"] });
      expect((await failure(connection.invoke("Doctors"))).message).toBe("forbidden");
      expect((await failure(connection.invoke("Join", "two"))).message).toBe("forbidden: another room");
      expect((await failure(connection.invoke("Join", "No such room!"))).message).toBe("bad_room;action=fix-request");
      expect(await connection.invoke("Echo", "still here")).toBe("still here");
      expect(closed.items).toEqual([]);
      const refusals = world.telemetry.items.slice(1);
      const about = {
        event: "call.refused",
        count: 1,
        connectionId: await id(),
        hub: "/hubs/Conformance",
        subject: "ada",
      };
      expect(refusals).toEqual([
        { ...about, method: "Doctors", reason: "forbidden", policy: "Doctors" },
        { ...about, method: "Join", reason: "forbidden", policy: "OwnRoom" },
        { ...about, method: "Join", reason: "bad_room", policy: undefined },
      ]);
    },
  },
  {
    name: "may be in so many groups and no more; those it left do not count",
    async run(client) {
      const world = await createWorld({ maxGroupsPerConnection: 2 });
      const { connection } = await world.connect(client, { roles: ["room-one", "room-two", "room-three"] });
      await connection.invoke("Join", "one");
      await connection.invoke("Join", "two");
      await connection.invoke("Join", "two");
      expect((await failure(connection.invoke("Join", "three"))).message).toBe("room_limit");
      await connection.invoke("Leave", "one");
      await connection.invoke("Join", "three");
    },
  },
];
