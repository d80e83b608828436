/** Those who may not connect, and how they learn why. */

import { expect } from "vitest";
import { CLOSE_PREFIX, createWorld, failure } from "../support/world.js";
import type { Scenario } from "./scenario.js";

export const refusals: readonly Scenario[] = [
  {
    name: "learns why it may not connect: start() rejects with the reason, and no reconnect follows",
    async run(client) {
      const world = await createWorld();
      const accessTokenFactory = (): Promise<string> => world.issuer.token("vera", { roles: ["visitor"] });
      const { connection, closed, reconnecting } = world.build(client, { accessTokenFactory, reconnectDelays: [0, 0] });
      const { message } = await failure(connection.start());
      expect(message).toBe(`${CLOSE_PREFIX}forbidden: visitors may not connect`);
      expect(reconnecting.items).toEqual([]);
      expect(closed.items).toEqual([]);
      expect(connection.state).toBe("Disconnected");
      expect(world.app.connectionCount).toBe(0);
      expect(world.telemetry.items).toEqual([
        expect.objectContaining({
          event: "connection.refused",
          reason: "forbidden",
          principal: expect.objectContaining({ subject: "vera" }) as unknown,
        }),
      ]);
    },
  },
  {
    name: "learns why it may not come back: onclose gets the reason",
    async run(client) {
      const world = await createWorld();
      let roles = ["nurse"];
      const accessTokenFactory = (): Promise<string> => world.issuer.token("vera", { roles, lifetime: 20 });
      const { closed, reconnecting } = await world.connect(
        client,
        {},
        { accessTokenFactory, reconnectDelays: [0, 0, 0, 0] },
      );
      roles = ["visitor"];
      await world.polled(client);
      // In one leap, so that no ping has been waiting for its pong meanwhile.
      world.clock.jump(19_999);
      world.clock.advance(1);
      expect((await reconnecting.first())?.message).toBe(`${CLOSE_PREFIX}token_expired;action=refresh`);
      await world.telemetry.first(({ event }) => event === "connection.refused");
      expect((await closed.first())?.message).toBe(`${CLOSE_PREFIX}forbidden: visitors may not connect`);
    },
  },
  {
    name: "gets a bare 401 at negotiate without a token",
    async run(client) {
      const world = await createWorld();
      const { connection } = world.build(client, {});
      const { message } = await failure(connection.start());
      expect(message).toBe("Failed to complete negotiation with the server: Error: Unauthorized: Status code '401'");
    },
  },
  {
    name: "gets a 401 with the reason at negotiate for a token that is not good",
    async run(client) {
      const world = await createWorld();
      const { connection } = world.build(client, { accessTokenFactory: () => "eyJhbGciOiJub25lIn0.e30." });
      const { message } = await failure(connection.start());
      expect(message).toContain("401");
      expect(message).toContain('{"error":"invalid_token;action=relogin"}');
    },
  },
  {
    name: "gets a 401 with the reason at negotiate for a token that is about to expire",
    async run(client) {
      const world = await createWorld();
      const attempt = async (lifetime: number, age: number): Promise<string> => {
        const { connection } = world.build(client, {
          accessTokenFactory: () => world.issuer.token("ada", { lifetime, age }),
        });
        return (await failure(connection.start())).message;
      };
      const told = '{"error":"token_expired;action=refresh"}';
      expect(await attempt(9, 291)).toContain(told);
      expect(await attempt(9, 291)).toContain("401");
      // A fifth of its life is enough where that is less than ten seconds.
      expect(await attempt(1, 19)).toContain(told);
      await world.connect(client, { lifetime: 4, age: 16 });
      await world.connect(client, { lifetime: 10, age: 290 });
    },
  },
];
