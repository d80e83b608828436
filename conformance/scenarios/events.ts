/** Who hears what. */

import { expect } from "vitest";
import type { StockClient } from "../support/stock-clients.js";
import { createWorld, type Party, type World } from "../support/world.js";
import type { Scenario } from "./scenario.js";

/** Ada twice and Bob once; Ada's first connection and Bob's are in the room. */
async function gather(client: StockClient): Promise<World & { ada: Party; ada2: Party; bob: Party }> {
  const world = await createWorld();
  const roles = ["room-one"];
  const ada = await world.connect(client, { subject: "ada", roles });
  const ada2 = await world.connect(client, { subject: "ada", roles });
  const bob = await world.connect(client, { subject: "bob", roles });
  await ada.connection.invoke("Join", "one");
  await bob.connection.invoke("Join", "one");
  return { ...world, ada, ada2, bob };
}

/** What each heard, up to a last event that everyone hears. */
async function hearOut({ ada, ada2, bob }: { ada: Party; ada2: Party; bob: Party }): Promise<readonly string[][]> {
  await ada.connection.invoke("Done");
  return Promise.all(
    [ada, ada2, bob].map(async ({ heard }) => {
      await heard.first((what) => what === "done");
      return heard.items.filter((what) => what !== "done");
    }),
  );
}

export const events: readonly Scenario[] = [
  {
    name: "hears what is said in a group it joined, to everyone, and to others",
    isCore: true,
    async run(client) {
      const world = await gather(client);
      await world.ada2.connection.invoke("TellRoom", "one", "room");
      await world.ada.connection.invoke("TellRoomButMe", "one", "room but ada");
      await world.ada.connection.invoke("TellAll", "all");
      await world.bob.connection.invoke("TellOthers", "others");
      await world.bob.connection.invoke("TellMe", "bob alone");
      expect(await hearOut(world)).toEqual([
        ["room", "all", "others"],
        ["all", "others"],
        ["room", "room but ada", "all", "bob alone"],
      ]);
    },
  },
  {
    name: "hears what is said to its principal and to its connection",
    async run(client) {
      const world = await gather(client);
      await world.bob.connection.invoke("TellPrincipal", "ada", "ada everywhere");
      world.app.toPrincipal({ subject: "ada", issuer: "https://login.hubward.test/" }).emit("said", "from outside");
      const [first] = await world.opened(3);
      if (first === undefined) throw new Error("nobody connected");
      expect(first.connectionId).toBe(await world.ada.id());
      world.app.toConnection(first.connectionId).emit("said", "this one");
      expect(await hearOut(world)).toEqual([
        ["ada everywhere", "from outside", "this one"],
        ["ada everywhere", "from outside"],
        [],
      ]);
    },
  },
  {
    name: "hears what the application says outside any call",
    async run(client) {
      const world = await gather(client);
      const [, second] = await world.opened(3);
      if (second === undefined) throw new Error("nobody connected");
      world.tellRoom("one", "room");
      world.tellRoom("two", "another room");
      world.tellHub("hub");
      world.app.toAll().emit("said", "application");
      world.app.toAll().except(second.connectionId).emit("said", "all but one");
      world.app.everyTenant().toAll().emit("said", "every tenant");
      world.app.tenant("elsewhere").toAll().emit("said", "another tenant");
      expect(await hearOut(world)).toEqual([
        ["room", "hub", "application", "all but one", "every tenant"],
        ["hub", "application", "every tenant"],
        ["room", "hub", "application", "all but one", "every tenant"],
      ]);
    },
  },
  {
    name: "hears nothing more from a group it left",
    isCore: true,
    async run(client) {
      const world = await gather(client);
      expect(await world.bob.connection.invoke("Leave", "one")).toBe(true);
      expect(await world.bob.connection.invoke("Leave", "one")).toBe(false);
      await world.ada.connection.invoke("TellRoom", "one", "after");
      expect(await hearOut(world)).toEqual([["after"], [], []]);
    },
  },
  {
    name: "gets events with their values as they were, in the order they were sent",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const { connection, valued } = await world.connect(client);
      const values = [1, "two", null, { three: [3] }, "x".repeat(10_000), false];
      for (const value of values) await connection.send("ShowMe", value);
      expect(await valued.take(values.length)).toEqual(values);
    },
  },
  {
    name: "forgets its groups with its connection",
    async run(client) {
      const world = await gather(client);
      await world.bob.connection.stop();
      await world.telemetry.first(({ event }) => event === "connection.closed");
      await world.bob.connection.start();
      await world.ada.connection.invoke("TellRoom", "one", "room");
      expect(await hearOut(world)).toEqual([["room"], [], []]);
    },
  },
];
