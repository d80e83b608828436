/** A stock client that is free to choose, behind networks that let less and less through. */

import type { Server } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { startTap } from "../tests/support/tap.js";
import { holdsJwt, holdsTicket } from "../tests/support/tokens.js";
import { until } from "../tests/support/until.js";
import { everyStockClient, stockClients } from "./support/stock-clients.js";
import { CLOSE_PREFIX, createWorld, failure, HUB_PATH } from "./support/world.js";

/** Refuses what a proxy between does not know: upgrades, and then answers that do not end. */
function proxyThatRefuses(...what: readonly ("upgrades" | "streams")[]): (server: Server) => void {
  return (server) => {
    const emit = server.emit;
    server.emit = function (this: Server, event: string | symbol, ...args: unknown[]): boolean {
      const [request, response] = args as [
        { headers: Record<string, string | undefined> },
        { writeHead(status: number): { end(): void }; destroy(): void },
      ];
      if (event === "upgrade" && what.includes("upgrades")) {
        response.destroy();
        return true;
      }
      const isStream = event === "request" && request.headers["accept"] === "text/event-stream";
      if (isStream && what.includes("streams")) {
        response.writeHead(502).end();
        return true;
      }
      return Reflect.apply(emit, this, [event, ...args]) as boolean;
    } as typeof server.emit;
  };
}

const json = stockClients.filter(({ encoding }) => encoding === "json").map((client) => [client.name, client] as const);

describe.each(json)("%s", (_, client) => {
  test.each([
    [["upgrades"], 2],
    [["upgrades", "streams"], 3],
  ] as const)("falls back when %j do not pass, with one ticket for all its attempts", async (refused, negotiates) => {
    const world = await createWorld({}, { after: proxyThatRefuses(...refused) });
    const tap = await startTap(world.port);
    onTestFinished(() => tap.close());
    let factoryCalls = 0;
    const accessTokenFactory = (): Promise<string> => {
      factoryCalls++;
      return world.issuer.token("ada", { roles: ["room-one"] });
    };
    const { connection, heard } = world.build(
      client,
      { accessTokenFactory },
      `http://127.0.0.1:${tap.port}${HUB_PATH}`,
    );
    await connection.start();
    await connection.invoke("Join", "one");
    await connection.invoke("TellRoom", "one", "hello");
    expect(await heard.first()).toBe("hello");
    expect(world.app.connectionCount).toBe(1);
    const lines = tap.requestLines();
    expect(lines.filter((line) => line.includes("/negotiate?"))).toHaveLength(negotiates);
    expect(lines.filter(holdsJwt)).toEqual([]);
    // The URL of a stream always holds the ticket; it is one and the same.
    const tickets = new Set(lines.filter(holdsTicket).map((line) => /access_token=([^&\s]+)/.exec(line)?.[1]));
    expect(tickets.size).toBe(1);
    expect(factoryCalls).toBe(1);
    await connection.stop();
    world.clock.advance(15_000);
    await until(() => world.app.connectionCount === 0 && world.clock.pending.length === 0);
  });
});

describe.each(
  (["ServerSentEvents", "LongPolling"] as const).flatMap((transport) =>
    everyStockClient
      .filter(
        (client) => client.transport === transport && stockClients.some(({ version }) => version === client.version),
      )
      .map((client) => [client.name, client] as const),
  ),
)("%s", (_, client) => {
  test("comes back after its network was cut, as a connection of its own", async () => {
    const world = await createWorld();
    const tap = await startTap(world.port);
    onTestFinished(() => tap.close());
    const accessTokenFactory = (): Promise<string> => world.issuer.token("ada");
    const { connection, reconnected, heard } = world.build(
      client,
      { accessTokenFactory, reconnectDelays: [0, 0] },
      `http://127.0.0.1:${tap.port}${HUB_PATH}`,
    );
    await connection.start();
    const first = connection.connectionId;
    await world.polled(client);
    tap.cut();
    expect(await reconnected.first()).not.toBe(first);
    await connection.invoke("TellMe", "again");
    expect(await heard.first()).toBe("again");
    // What was cut is gone: a stream at once, a client that polled when it has not come for 15 s.
    await world.polled(client);
    if (client.transport === "LongPolling") world.clock.advance(15_000);
    await world.telemetry.first((event) => event.event === "connection.closed" && event.connectionId === first);
    expect(world.app.connectionCount).toBe(1);
    expect(await connection.invoke("Echo", "still here")).toBe("still here");
  });

  test("gets everything that is said to it faster than it can come for it, in order", async () => {
    const world = await createWorld();
    const { heard } = await world.connect(client);
    const said = Array.from({ length: 500 }, (_each, index) => `${index} ${"x".repeat(500)}`);
    for (const what of said) world.tellHub(what);
    expect(await heard.take(said.length)).toEqual(said);
  });

  test("has a hundred calls in flight answered, however few run at once", async () => {
    const world = await createWorld();
    const { connection } = await world.connect(client);
    const calls = Array.from({ length: 100 }, (_each, index) => connection.invoke("Add", index, 1));
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 100 }, (_each, index) => index + 1));
  });

  test("leaves nothing behind when it stops in the middle of a call", async () => {
    const world = await createWorld();
    const { connection } = await world.connect(client);
    const pending = failure(connection.invoke("Wait", "gate", 1));
    await until(() => world.waiting.now === 1);
    await connection.stop();
    await pending;
    await world.telemetry.first(({ event }) => event === "connection.closed");
    expect([world.waiting.aborted, world.app.connectionCount, world.clock.pending]).toEqual([1, 0, []]);
  });

  test("is told why it may not connect, and does not try another way", async () => {
    const world = await createWorld();
    const accessTokenFactory = (): Promise<string> => world.issuer.token("vera", { roles: ["visitor"] });
    const { connection } = world.build(client, { accessTokenFactory, reconnectDelays: [0] });
    expect((await failure(connection.start())).message).toBe(`${CLOSE_PREFIX}forbidden: visitors may not connect`);
    expect(world.telemetry.items).toHaveLength(1);
  });
});
