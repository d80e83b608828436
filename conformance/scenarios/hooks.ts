/** What an application does when a connection comes and goes. */

import { HubwardError, type Call, type Departure, type Principal } from "@hubward/server";
import { expect } from "vitest";
import { Recorder } from "../../tests/support/recorder.js";
import { CLOSE_PREFIX, createWorld, failure, type World } from "../support/world.js";
import type { Scenario } from "./scenario.js";

interface HookedWorld {
  readonly world: World;
  readonly url: string;
  readonly left: Recorder<string>;
}

async function createHooked(
  connected: (call: Call<Principal>) => unknown,
  options: Parameters<typeof createWorld>[0] = {},
): Promise<HookedWorld> {
  const world = await createWorld(options);
  const left = new Recorder<string>();
  const { app } = world;
  app
    .hub("/hubs/hooked")
    .allow(app.policy("HookAnyone", () => true))
    .connected(connected)
    .disconnected(({ principal, reason }: Departure<Principal>) => left.push(`${principal.subject} ${reason}`))
    .methods((m) => ({ Ping: m.handle(() => "pong") }));
  return { world, left, url: `http://127.0.0.1:${world.port}/hubs/hooked` };
}

export const hooks: readonly Scenario[] = [
  {
    name: "is greeted before anything else, and its calls wait until the greeting is over",
    async run(client) {
      let open: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => (open = resolve));
      const { world, url, left } = await createHooked(async (call) => {
        call.toCaller().emit("said", `hello ${call.principal.subject}`);
        await gate;
        call.toCaller().emit("said", "come in");
      });
      const party = await world.connect(client, { subject: "ada" }, {}, url);
      const answered: unknown[] = [];
      const call = party.connection.invoke("Ping").then((answer: unknown) => answered.push(answer));
      world.app.toAll().emit("said", "news");
      expect([party.heard.items, answered]).toEqual([[], []]);
      open();
      await call;
      expect(party.heard.items).toEqual(["hello ada", "news", "come in"]);
      expect(answered).toEqual(["pong"]);
      await party.connection.stop();
      expect(await left.first()).toBe("ada normal");
    },
  },
  {
    name: "is ended when its greeting fails, told the reason if it has one, and nothing is said when it goes",
    async run(client) {
      let fail: (error: Error) => void = () => undefined;
      const { world, url, left } = await createHooked(() => new Promise((_, reject) => (fail = reject)));
      const hidden = await world.connect(client, {}, {}, url);
      fail(new Error("a secret of the server"));
      expect((await hidden.closed.first())?.message).toBe(`${CLOSE_PREFIX}internal_error;action=retry-after`);
      const party = await world.connect(client, {}, {}, url);
      const call = failure(party.connection.invoke("Ping"));
      fail(new HubwardError("forbidden"));
      expect((await party.closed.first())?.message).toBe(`${CLOSE_PREFIX}forbidden`);
      await call;
      await world.app.close();
      expect(left.items).toEqual([]);
    },
  },
  {
    name: "is ended when its greeting takes for ever, which does not keep the server from closing",
    async run(client) {
      const { world, url, left } = await createHooked(() => new Promise(() => undefined), {
        handshakeTimeoutMs: 2_000,
      });
      const party = await world.connect(client, {}, {}, url);
      world.clock.advance(2_000);
      expect((await party.closed.first())?.message).toBe(`${CLOSE_PREFIX}upstream_timeout;action=retry-after`);
      await world.app.close();
      expect(left.items).toEqual([]);
    },
  },
];
