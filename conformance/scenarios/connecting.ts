/** Getting in. */

import { expect } from "vitest";
import { startTap } from "../../tests/support/tap.js";
import { createWorld, HUB_PATH } from "../support/world.js";
import type { Scenario } from "./scenario.js";

export const connecting: readonly Scenario[] = [
  {
    name: "connects as who its token says",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const party = await world.connect(client, { subject: "ada", roles: ["doctor", "room-one"] });
      const me: unknown = await party.connection.invoke("WhoAmI");
      const [opened] = await world.opened(1);
      expect(me).toEqual({
        subject: "ada",
        roles: ["doctor", "room-one"],
        connectionId: opened?.connectionId,
        expiresInSeconds: 300,
      });
      expect(opened?.protocol).toBe(client.encoding);
    },
  },
  {
    name: "connects, and client, handler and log call the connection by the same id",
    isCore: true,
    needs: ["connection id"],
    async run(client) {
      const world = await createWorld();
      const { connection } = await world.connect(client, { subject: "ada", roles: ["doctor", "room-one"] });
      const me: unknown = await connection.invoke("WhoAmI");
      expect(connection.connectionId).toMatch(/^[\w-]{22}$/);
      expect(me).toEqual({
        subject: "ada",
        roles: ["doctor", "room-one"],
        connectionId: connection.connectionId,
        expiresInSeconds: 300,
      });
      expect(world.telemetry.items).toEqual([
        {
          event: "connection.opened",
          connectionId: connection.connectionId,
          hub: "/hubs/Conformance",
          protocol: client.encoding,
          principal: {
            tenant: undefined,
            issuer: "https://login.hubward.test/",
            subject: "ada",
            roles: ["doctor", "room-one"],
            sessionId: undefined,
            tokenId: expect.stringMatching(/^token-\d+$/) as string,
          },
          remoteAddress: "127.0.0.1",
        },
      ]);
      expect(world.app.connectionCount).toBe(1);
    },
  },
  {
    name: "finds the hub and its methods whatever their case",
    async run(client) {
      const world = await createWorld();
      const accessTokenFactory = (): Promise<string> => world.issuer.token("ada");
      const { connection } = world.build(client, { accessTokenFactory }, world.url.replace("hubs", "HUBS"));
      await connection.start();
      expect(await connection.invoke("eCHO", "a")).toBe("a");
      expect(await connection.invoke("ECHO", "b")).toBe("b");
    },
  },
  {
    name: "keeps the query of the hub's URL in every request, and is understood",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const tap = await startTap(world.port);
      const url = `http://127.0.0.1:${tap.port}${HUB_PATH}?ward=icu&id2=%26`;
      const party = await world.connect(client, {}, {}, url);
      await party.connection.invoke("TellMe", "heard");
      expect(await party.heard.first()).toBe("heard");
      await party.connection.stop();
      const targets = tap.requestLines().map((line) => line.split(" ")[1] ?? "");
      expect(targets.length).toBeGreaterThanOrEqual(2);
      expect(targets.filter((target) => !target.includes("?ward=icu&id2=%26"))).toEqual([]);
      await tap.close();
    },
  },
  {
    name: "asks its token factory for the negotiate only: what follows carries the ticket",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      let calls = 0;
      await world.connect(client, {}, { accessTokenFactory: () => (calls++, world.issuer.token("ada")) });
      expect(calls).toBe(1);
    },
  },
  {
    name: "connects without a negotiate when the JWT stands in the header, and with none in the URL",
    needs: ["headers"],
    async run(client) {
      const world = await createWorld();
      const accessTokenFactory = (): Promise<string> => world.issuer.token("ada");
      // Up to version 6 the factory's token goes into the URL in Node, too; a header of one's own does not.
      const authorization = `Bearer ${await accessTokenFactory()}`;
      const options = client.can("token in a header") ? { accessTokenFactory } : { headers: { authorization } };
      const { connection } = world.build(client, { skipNegotiation: true, ...options });
      await connection.start();
      expect(connection.connectionId).toBeNull();
      expect(await connection.invoke("WhoAmI")).toMatchObject({ subject: "ada" });
      const [opened] = await world.opened(1);
      expect(opened?.connectionId).toMatch(/^[\w-]{22}$/);
    },
  },
  {
    name: "is refused without a negotiate and without a token",
    async run(client) {
      const world = await createWorld();
      const { connection } = world.build(client, { skipNegotiation: true });
      // Version 1 rejects with the WebSocket's event, which is no Error.
      await expect(connection.start()).rejects.toBeDefined();
      expect(world.telemetry.items).toEqual([
        expect.objectContaining({ event: "connection.refused", hint: "no credential was presented" }),
      ]);
    },
  },
  {
    name: "may connect many times over: each connection is its own",
    async run(client) {
      const world = await createWorld();
      const parties = await Promise.all(Array.from({ length: 20 }, () => world.connect(client)));
      expect(new Set(await Promise.all(parties.map((party) => party.id()))).size).toBe(20);
      expect(world.app.connectionCount).toBe(20);
    },
  },
];
