/** No JWT in any URL: everything that stock clients put on the wire, and everything that ends up in a log. */

import { describe, expect, test } from "vitest";
import { mountLoggers, type LoggedServer } from "../tests/support/request-loggers.js";
import { ask, bearer } from "../tests/support/server.js";
import { startTap } from "../tests/support/tap.js";
import { holdsJwt, holdsTicket } from "../tests/support/tokens.js";
import { stockClients, type StockClient } from "./support/stock-clients.js";
import { createWorld, failure, HUB_PATH, type World } from "./support/world.js";

/** Connects through a tap, works, loses the network, comes back, works, stops. Returns the request lines. */
async function liveADay(client: StockClient, world: World): Promise<readonly string[]> {
  const tap = await startTap(world.port);
  const accessTokenFactory = (): Promise<string> => world.issuer.token("ada", { roles: ["room-one"] });
  const party = world.build(
    client,
    { accessTokenFactory, reconnectDelays: [0, 0] },
    `http://127.0.0.1:${tap.port}${HUB_PATH}?ward=icu`,
  );
  const { connection, reconnected, heard } = party;
  await connection.start();
  await connection.invoke("Join", "one");
  await connection.invoke("TellRoom", "one", "hello");
  tap.cut();
  await reconnected.first();
  await connection.invoke("TellMe", "again");
  await heard.take(2);
  await connection.stop();
  const lines = tap.requestLines();
  await tap.close();
  return lines;
}

const clients = stockClients.map((client) => [client.name, client] as const);

describe.each(clients)("%s", (_, client) => {
  test("puts no JWT into a URL while it connects, works and reconnects", async () => {
    const world = await createWorld();
    const lines = await liveADay(client, world);
    expect(lines.filter((line) => line.startsWith(`POST ${HUB_PATH}/negotiate?`))).toHaveLength(2);
    const upgrades = lines.filter((line) => line.startsWith(`GET ${HUB_PATH}?ward=icu&id=`));
    expect(upgrades).toHaveLength(2);
    expect(lines).toHaveLength(4);
    expect(lines.filter(holdsJwt)).toEqual([]);
    // Up to version 6 a token goes into the URL in Node: it is the ticket, and another one each time.
    const tickets = upgrades.filter(holdsTicket);
    expect(tickets).toHaveLength(client.can("token in a header") ? 0 : 2);
    expect(new Set(tickets).size).toBe(tickets.length);
  });
});

test("the tap would have seen a JWT in a URL: a client that skips negotiate with version 6 puts one there", async () => {
  const world = await createWorld({ allowQueryToken: true });
  const tap = await startTap(world.port);
  const client = stockClients.find(({ version }) => version === 6);
  if (client === undefined) throw new Error("version 6 is missing");
  const accessTokenFactory = (): Promise<string> => world.issuer.token("ada");
  const { connection } = world.build(
    client,
    { accessTokenFactory, skipNegotiation: true },
    `http://127.0.0.1:${tap.port}${HUB_PATH}`,
  );
  await connection.start();
  expect(await connection.invoke("Echo", 1)).toBe(1);
  expect(tap.requestLines().filter(holdsJwt)).toHaveLength(1);
  await connection.stop();
  await tap.close();
});

describe.each(["before", "after"] as const)("request loggers mounted %s the application", (when) => {
  test.each(clients)("log ordinary routes, and no credential of %s", async (_, client) => {
    let logged: LoggedServer | undefined;
    const world = await createWorld(
      {},
      { [when]: (server: World["server"]) => (logged = mountLoggers(server, "/api")) },
    );
    await liveADay(client, world);
    await ask(world.port, { path: "/api/patients?ward=icu" });
    const { lines, upgrades } = logged as LoggedServer;
    expect(lines.filter((line) => line.includes("/api/patients?ward=icu"))).toHaveLength(2);
    expect(lines.filter((line) => holdsJwt(line) || holdsTicket(line))).toEqual([]);
    expect(upgrades).toEqual([]);
  });

  test("log no credential of those who put theirs where it does not belong", async () => {
    let logged: LoggedServer | undefined;
    const world = await createWorld(
      {},
      { [when]: (server: World["server"]) => (logged = mountLoggers(server, "/api")) },
    );
    const token = await world.issuer.token("ada");
    for (const path of [HUB_PATH, HUB_PATH.toUpperCase(), `${HUB_PATH}/negotiate`, "/hubs/%63onformance"]) {
      for (const name of ["access_token", "Access_Token", "%61ccess_token"]) {
        const reply = await ask(world.port, { method: "POST", path: `${path}?${name}=${token}` });
        expect([400, 401, 404]).toContain(reply.status);
        await ask(world.port, {
          path: `${path}?${name}=${token}`,
          headers: { ...bearer(token), upgrade: "websocket", connection: "upgrade" },
        });
      }
    }
    await ask(world.port, { path: "/api/patients" });
    const { lines, upgrades } = logged as LoggedServer;
    expect(lines).toHaveLength(2);
    expect(lines.filter(holdsJwt)).toEqual([]);
    expect(upgrades).toEqual([]);
  });
});

test.each(clients)("%s may use a JWT in the URL where the server says so, and no log shows it", async (_, client) => {
  let logged: LoggedServer | undefined;
  const world = await createWorld(
    { allowQueryToken: true },
    { before: (server) => (logged = mountLoggers(server, "/api")) },
  );
  const token = await world.issuer.token("ada");
  const { connection } = world.build(client, { skipNegotiation: true }, `${world.url}?access_token=${token}`);
  await connection.start();
  expect(await connection.invoke("WhoAmI")).toMatchObject({ subject: "ada" });
  await connection.stop();
  expect((logged as LoggedServer).lines).toEqual([]);

  const refusing = await createWorld();
  const refused = refusing.build(client, { skipNegotiation: true }, `${refusing.url}?access_token=${token}`);
  await failure(refused.connection.start());
});
