/** How connections end, and whether the client comes back. */

import { expect } from "vitest";
import { until } from "../../tests/support/until.js";
import type { TelemetryEvent } from "@hubward/server";
import { CLOSE_PREFIX, createWorld, failure } from "../support/world.js";
import { expectRefusal } from "./refusals.js";
import type { Scenario } from "./scenario.js";

export const ending: readonly Scenario[] = [
  {
    name: "stops when it is told to, and nothing of it is left",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const party = await world.connect(client, { roles: ["room-one"] }, { reconnectDelays: [0] });
      const { connection, closed } = party;
      await connection.invoke("Join", "one");
      const id = await party.id();
      await connection.stop();
      expect(closed.items).toEqual([undefined]);
      const gone = await world.telemetry.first(({ event }) => event === "connection.closed");
      expect(gone).toEqual({
        event: "connection.closed",
        connectionId: id,
        hub: "/hubs/Conformance",
        reason: "normal",
        subject: "ada",
        ageMs: 0,
      });
      expect(world.telemetry.items.filter(({ event }) => event === "connection.refused")).toEqual([]);
      expect(world.app.connectionCount).toBe(0);
      expect(world.clock.pending).toEqual([]);
    },
  },
  {
    name: "is told when the server goes away, and tries to come back",
    isCore: true,
    needs: ["automatic reconnect"],
    async run(client) {
      const world = await createWorld();
      const { closed, reconnecting } = await world.connect(client, {}, { reconnectDelays: [0] });
      const plain = await world.connect(client);
      await world.app.close();
      const told = `${CLOSE_PREFIX}going_away;action=retry-after`;
      expect((await reconnecting.first())?.message).toBe(told);
      expect((await plain.closed.first())?.message).toBe(told);
      // The one attempt it had was refused at negotiate, which is told by status and not handed on to onclose.
      expect(await closed.first()).toBeUndefined();
      expect(world.app.connectionCount).toBe(0);
      // Who polls may have said goodbye to a connection that was gone; that is no attempt.
      const wasRefused = (event: TelemetryEvent): boolean =>
        event.event === "connection.refused" && event.reason === "service_restart";
      expect((await world.telemetry.take(1, wasRefused)).length).toBe(1);
    },
  },
  {
    name: "is refused with what to do while the server goes away",
    async run(client) {
      const world = await createWorld();
      await world.app.close();
      const { connection } = world.build(client, { accessTokenFactory: () => world.issuer.token("ada") });
      expectRefusal(client, await failure(connection.start()), 503, "service_restart;action=retry-after;retry_after=2");
    },
  },
  {
    name: "is ended for a message over the limit, told why, and does not come back",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const { connection, closed, reconnecting } = await world.connect(client, {}, { reconnectDelays: [0, 0] });
      const told = `${CLOSE_PREFIX}message_too_big;action=fix-request`;
      expect((await failure(connection.invoke("Echo", "x".repeat(40_000)))).message).toBe(told);
      expect((await closed.first())?.message).toBe(told);
      expect(reconnecting.items).toEqual([]);
      expect(await world.telemetry.first(({ event }) => event === "connection.closed")).toMatchObject({
        reason: "message_too_big",
      });
    },
  },
  {
    name: "does not come back either after a message that is too large for the transport",
    async run(client) {
      const world = await createWorld();
      const { connection, closed, reconnecting } = await world.connect(client, {}, { reconnectDelays: [0, 0] });
      // A WebSocket refuses the frame; a POST of this size is read, and the message in it refused.
      const reason = client.transport === "WebSockets" ? "protocol_error" : "message_too_big";
      const told = `${CLOSE_PREFIX}${reason};action=fix-request`;
      expect((await failure(connection.invoke("Echo", "x".repeat(200_000)))).message).toBe(told);
      expect((await closed.first())?.message).toBe(told);
      expect(reconnecting.items).toEqual([]);
    },
  },
  {
    name: "is ended when its token expires, told to refresh, and comes back with a new one",
    isCore: true,
    needs: ["automatic reconnect"],
    async run(client) {
      const world = await createWorld();
      const tokens: string[] = [];
      const accessTokenFactory = async (): Promise<string> => {
        const token = await world.issuer.token("ada", { lifetime: 20 });
        tokens.push(token);
        return token;
      };
      const party = await world.connect(client, {}, { accessTokenFactory, reconnectDelays: [0, 0] });
      const { connection, reconnecting, reconnected, heard } = party;
      const first = connection.connectionId;

      await world.polled(client);
      world.clock.advance(19_999);
      expect(await connection.invoke("WhoAmI")).toMatchObject({ expiresInSeconds: 0 });
      const slow = failure(connection.invoke("Wait", "never", "late"));
      await connection.send("Note", "waits behind the slow call");
      world.clock.advance(1);
      world.tellHub("nobody may hear this");

      const told = `${CLOSE_PREFIX}token_expired;action=refresh`;
      expect((await reconnecting.first())?.message).toBe(told);
      await slow;
      const second = await reconnected.first();
      expect(second).toBe(connection.connectionId);
      expect(second).not.toBe(first);
      expect(new Set(tokens).size).toBe(2);
      expect(await connection.invoke("WhoAmI")).toMatchObject({ expiresInSeconds: 20, connectionId: second });

      world.open("never");
      await connection.invoke("TellMe", "welcome back");
      expect(await heard.first()).toBe("welcome back");
      expect(world.seen.items).toEqual([]);
      expect(await world.telemetry.first(({ event }) => event === "connection.closed")).toMatchObject({
        connectionId: first,
        reason: "token_expired",
      });
    },
  },
  {
    name: "can do nothing after its token expired, also when no timer has noticed",
    isCore: true,
    async run(client) {
      const world = await createWorld();
      const { connection, closed } = await world.connect(client, { lifetime: 20 });
      world.clock.jump(20_000);
      const { message } = await failure(connection.invoke("Note", "too late"));
      expect(message).toBe(`${CLOSE_PREFIX}token_expired;action=refresh`);
      expect((await closed.first())?.message).toBe(message);
      expect(world.seen.items).toEqual([]);
    },
  },
  {
    name: "hears nothing after its token expired, also when no timer has noticed",
    async run(client) {
      const world = await createWorld();
      const { closed, heard } = await world.connect(client, { lifetime: 20 });
      world.tellHub("in time");
      expect(await heard.first()).toBe("in time");
      world.clock.jump(20_000);
      world.tellHub("too late");
      expect((await closed.first())?.message).toBe(`${CLOSE_PREFIX}token_expired;action=refresh`);
      expect(heard.items).toEqual(["in time"]);
    },
  },
  {
    name: "has its running call's signal aborted when it is gone",
    async run(client) {
      const world = await createWorld();
      const { connection } = await world.connect(client);
      const pending = failure(connection.invoke("Wait", "gate", 1));
      await connection.send("Note", "never reached");
      await until(() => world.waiting.now === 1);
      await connection.stop();
      await pending;
      await world.telemetry.first(({ event }) => event === "connection.closed");
      expect(world.waiting.aborted).toBe(1);
      expect(world.seen.items).toEqual([]);
    },
  },
];
