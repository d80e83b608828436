/** The network fails, and the client comes back: to a new connection, or to the same one. */

import { expect } from "vitest";
import { startTap, type Tap } from "../../tests/support/tap.js";
import { Recorder } from "../../tests/support/recorder.js";
import { until } from "../../tests/support/until.js";
import { createWorld, HUB_PATH, type Party, type World } from "../support/world.js";
import type { Scenario } from "./scenario.js";

const RESUMABLE_PATH = "/hubs/resumable";

function mountResumable({ app }: World): Recorder<string> {
  const counted = new Recorder<string>();
  app
    .hub(RESUMABLE_PATH, { statefulReconnect: true })
    .allow(app.policy("ResumeAnyone", () => true))
    .methods((m) => ({
      Count: m.handle(({ connectionId }) => {
        counted.push(connectionId);
        return counted.items.length;
      }),
    }));
  return counted;
}

/** Stops a client, and waits until nothing is left of it nor of what the network took. */
async function end(world: World, { connection }: Party, tap: Tap): Promise<void> {
  await connection.stop();
  await tap.close();
  // A poll that the network took is missed after 15 seconds.
  world.clock.advance(15_000);
  await until(() => world.app.connectionCount === 0);
}

export const comingBack: readonly Scenario[] = [
  {
    name: "loses the network and comes back by itself with a new ticket",
    isCore: true,
    needs: ["automatic reconnect"],
    async run(client) {
      const world = await createWorld();
      const tap = await startTap(world.port);
      const url = `http://127.0.0.1:${tap.port}${HUB_PATH}`;
      const party = await world.connect(client, {}, { reconnectDelays: [0, 0, 0] }, url);
      await party.connection.invoke("TellMe", "before");
      const first = await party.id();
      await world.polled(client);
      tap.cut();
      await party.reconnected.first();
      expect(await party.id()).not.toBe(first);
      await party.connection.invoke("TellMe", "after");
      expect(await party.heard.take(2)).toEqual(["before", "after"]);
      await end(world, party, tap);
    },
  },
  {
    name: "loses the network and is started again by its application",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const tap = await startTap(world.port);
      const url = `http://127.0.0.1:${tap.port}${HUB_PATH}`;
      const party = await world.connect(client, {}, {}, url);
      await party.connection.invoke("TellMe", "before");
      await world.polled(client);
      tap.cut();
      await party.closed.first();
      await party.connection.start();
      await party.connection.invoke("TellMe", "after");
      expect(await party.heard.take(2)).toEqual(["before", "after"]);
      await end(world, party, tap);
    },
  },
  {
    name: "resumes the same connection where stateful reconnect is asked for, and loses no call",
    isCore: true,
    needs: ["stateful reconnect", "WebSockets"],
    async run(client) {
      const world = await createWorld();
      const counted = mountResumable(world);
      const tap = await startTap(world.port);
      const url = `http://127.0.0.1:${tap.port}${RESUMABLE_PATH}`;
      const party = await world.connect(client, {}, { isResumable: true, reconnectDelays: [0] }, url);
      expect(await party.connection.invoke("Count")).toBe(1);
      await world.polled(client);
      tap.cut();
      expect(await party.connection.invoke("Count")).toBe(2);
      expect(new Set(counted.items).size).toBe(1);
      expect([party.closed.items, party.reconnecting.items]).toEqual([[], []]);
      await party.connection.stop();
      await until(() => world.app.connectionCount === 0);
      await tap.close();
    },
  },
];
