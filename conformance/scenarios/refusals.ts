/** Those who may not connect, and how they learn why. */

import { STATUS_CODES } from "node:http";
import { expect } from "vitest";
import type { StockClient } from "../support/stock-clients.js";
import { CLOSE_PREFIX, createWorld, failure } from "../support/world.js";
import type { Scenario } from "./scenario.js";

/** A refused negotiate: with status and reason where the client tells them, by its status where it tells nothing else. */
export function expectRefusal(client: StockClient, error: Error, status: number, reason: string): void {
  if (client.can("reads refusals")) {
    expect(error.message).toContain(String(status));
    expect(error.message).toContain(JSON.stringify({ error: reason }));
  } else expect(error).toMatchObject({ message: STATUS_CODES[status], statusCode: status });
}

export const refusals: readonly Scenario[] = [
  {
    name: "learns why it may not connect: start() rejects with the reason, and no reconnect follows",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const accessTokenFactory = (): Promise<string> => world.issuer.token("vera", { roles: ["visitor"] });
      const { connection, closed, reconnecting } = world.build(client, { accessTokenFactory, reconnectDelays: [0, 0] });
      const error = await failure(connection.start());
      if (client.can("says what it is"))
        expect(error.message).toBe(`${CLOSE_PREFIX}forbidden: visitors may not connect`);
      else expectRefusal(client, error, 403, "forbidden: visitors may not connect");
      expect(reconnecting.items).toEqual([]);
      expect(closed.items).toEqual([]);
      // A number before version 3.
      expect(connection.state).toBe(client.version === 1 ? 0 : "Disconnected");
      expect(world.app.connectionCount).toBe(0);
      // Who polls may say goodbye to a connection that is gone.
      expect(world.telemetry.items.filter((each) => !("reason" in each && each.reason === "not_found"))).toEqual([
        expect.objectContaining({
          event: "connection.refused",
          reason: "forbidden",
          principal: expect.objectContaining({ subject: "vera" }) as unknown,
        }),
      ]);
    },
  },
  {
    name: "may not come back, and onclose gets the reason where the client hands it on",
    isCore: true,
    needs: ["automatic reconnect"],
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
      // A refused negotiate is not handed on to onclose by any version: those that say what they are get a Close.
      const told = client.can("says what it is") ? `${CLOSE_PREFIX}forbidden: visitors may not connect` : undefined;
      expect((await closed.first())?.message).toBe(told);
    },
  },
  {
    name: "gets a bare 401 at negotiate without a token",
    async run(client) {
      const world = await createWorld();
      const { connection } = world.build(client, {});
      const { message } = await failure(connection.start());
      const said = "Failed to complete negotiation with the server: Error: Unauthorized: Status code '401'";
      expect(message).toBe(client.can("reads refusals") ? said : "Unauthorized");
    },
  },
  {
    name: "gets a 401 with the reason at negotiate for a token that is not good",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const { connection } = world.build(client, { accessTokenFactory: () => "eyJhbGciOiJub25lIn0.e30." });
      expectRefusal(client, await failure(connection.start()), 401, "invalid_token;action=relogin");
    },
  },
  {
    name: "gets a 401 with the reason at negotiate for a token that is about to expire",
    async run(client) {
      const world = await createWorld();
      const attempt = async (lifetime: number, age: number): Promise<Error> => {
        const { connection } = world.build(client, {
          accessTokenFactory: () => world.issuer.token("ada", { lifetime, age }),
        });
        return failure(connection.start());
      };
      const told = "token_expired;action=refresh";
      expectRefusal(client, await attempt(9, 291), 401, told);
      // A fifth of its life is enough where that is less than ten seconds.
      expectRefusal(client, await attempt(1, 19), 401, told);
      await world.connect(client, { lifetime: 4, age: 16 });
      await world.connect(client, { lifetime: 10, age: 290 });
    },
  },
];
