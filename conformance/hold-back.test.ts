/** No hot loop: who is ended again and again has to wait, and tokens that nobody will take are no way around it. */

import { describe, expect, test } from "vitest";
import { upgrade } from "../tests/support/raw-web-socket.js";
import { bearer } from "../tests/support/server.js";
import { until } from "../tests/support/until.js";
import { enter, negotiate, negotiateTicket, postNegotiate, told } from "./support/plain-http.js";
import { stockClients } from "./support/stock-clients.js";
import { createWorld, failure, HUB_PATH, type World } from "./support/world.js";

/** Breaks the protocol, so that the server ends the connection, and waits until nothing of it is left. */
async function misbehave(world: World, { id, ticket }: Ticketed): Promise<void> {
  const socket = await enter(world, id, ticket);
  await socket.shakeHands();
  socket.sendText("no message\x1e");
  await socket.closeFrame();
  socket.end();
  await until(() => world.clock.pending.length === 0);
}

type Ticketed = Awaited<ReturnType<typeof negotiateTicket>>;

/** Negotiates and lets time pass as long as it has to wait. Nobody else may be connected. */
async function negotiatePatiently(world: World, token: string): Promise<Ticketed & { readonly delayMs: number }> {
  let answer: Ticketed | undefined;
  void negotiateTicket(world, token).then((ticketed) => (answer = ticketed));
  await until(() => answer !== undefined || world.clock.pending.length > 0);
  const [delayMs = 0] = world.clock.pending;
  world.clock.advance(delayMs);
  await until(() => answer !== undefined);
  return { ...(answer as unknown as Ticketed), delayMs };
}

async function misbehaveTimes(world: World, token: string, count: number): Promise<readonly number[]> {
  const delays: number[] = [];
  for (let ending = 0; ending < count; ending++) {
    const ticketed = await negotiatePatiently(world, token);
    delays.push(ticketed.delayMs);
    await misbehave(world, ticketed);
  }
  return delays;
}

describe("a session whose connections the server keeps ending", () => {
  test("has its negotiates held back, longer each time, up to ten seconds", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada", { lifetime: 3_000 });
    const delays = await misbehaveTimes(world, token, 11);
    expect(delays).toEqual([0, 0, 0, 250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  });

  test("waits alone: others are answered meanwhile", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada");
    await misbehaveTimes(world, token, 3);
    const held = postNegotiate(world, bearer(token));
    await until(() => world.clock.pending.length > 0);
    expect((await negotiate(world, await world.issuer.token("bob"))).connectionId).toMatch(/^[\w-]{22}$/);
    expect(world.clock.pending).toEqual([250]);
    world.clock.advance(250);
    expect((await held).status).toBe(200);
  });

  test("is told to come back later where it skips the negotiate", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada");
    await misbehaveTimes(world, token, 3);
    const outcome = await upgrade({ port: world.port, path: HUB_PATH, headers: bearer(token) });
    expect(told(outcome)).toBe('503 {"error":"try_again_later;action=retry-after;retry_after=1"}');
  });

  test("may connect at once again after a minute of peace", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada");
    await misbehaveTimes(world, token, 5);
    world.clock.advance(60_000);
    expect((await negotiatePatiently(world, token)).delayMs).toBe(0);
  });

  test("is another session than the same person's next login", async () => {
    const world = await createWorld();
    await misbehaveTimes(world, await world.issuer.token("ada", { claims: { sid: "first" } }), 3);
    const next = await world.issuer.token("ada", { claims: { sid: "second" } });
    expect((await negotiatePatiently(world, next)).delayMs).toBe(0);
  });

  test("that is a new one each time waits as well, once its person's others were ended twenty times", async () => {
    const world = await createWorld({ limits: { connection: false } });
    const anotherSession = async (count: number): Promise<string> =>
      world.issuer.token("ada", { claims: { sid: `session ${count}` } });
    for (let count = 0; count < 20; count++) {
      expect(await misbehaveTimes(world, await anotherSession(count), 1)).toEqual([0]);
    }
    const held = postNegotiate(world, bearer(await anotherSession(20)));
    await until(() => world.clock.pending.length > 0);
    expect(world.clock.pending).toEqual([3_000]);
    expect((await negotiate(world, await world.issuer.token("bob"))).connectionId).toMatch(/^[\w-]{22}$/);
    world.clock.advance(3_000);
    expect((await held).status).toBe(200);
  });

  test("loses its place when its token expires while it waits", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada", { lifetime: 11 });
    await misbehaveTimes(world, token, 4);
    const waiting = postNegotiate(world, bearer(token));
    await until(() => world.clock.pending.length > 0);
    world.clock.jump(9_000);
    world.clock.advance(0);
    const reply = await waiting;
    expect(`${reply.status} ${reply.body}`).toBe('401 {"error":"token_expired;action=refresh"}');
  });
});

describe.each(stockClients.map((client) => [client.name, client] as const))("%s", (_, client) => {
  test("in an application that restarts a refused connection at once is slowed down", async () => {
    const world = await createWorld();
    let negotiates = 0;
    const accessTokenFactory = (): Promise<string> => (
      negotiates++,
      world.issuer.token("vera", { roles: ["visitor"] })
    );
    const { connection } = world.build(client, { accessTokenFactory });
    for (let start = 0; start < 3; start++) await failure(connection.start());
    const fourth = failure(connection.start());
    await until(() => world.clock.pending.length > 0);
    expect(negotiates).toBe(4);
    expect(world.clock.pending).toEqual([250]);
    world.clock.advance(250);
    await fourth;
  });

  test("whose tokens are used up when they come is refused at negotiate, before a handshake could reset its attempts", async () => {
    const world = await createWorld();
    let negotiates = 0;
    let lifetime = 20;
    const accessTokenFactory = (): Promise<string> => {
      negotiates++;
      return world.issuer.token("ada", { lifetime, age: 280 });
    };
    const { closed } = await world.connect(client, {}, { accessTokenFactory, reconnectDelays: [0, 0, 0] });
    lifetime = 2;
    world.clock.jump(19_999);
    world.clock.advance(1);
    // Each refusal uses up one attempt: three of them, and it ends.
    expect(await closed.first()).toBeUndefined();
    expect(negotiates).toBe(4);
  });
});

test("a connection that the client ended, or that lasted, is held against nobody", async () => {
  const world = await createWorld();
  const token = await world.issuer.token("ada");
  for (let round = 0; round < 4; round++) {
    const { id, ticket } = await negotiateTicket(world, token);
    const socket = await enter(world, id, ticket);
    await socket.shakeHands();
    socket.sendJson({ type: 7 });
    await socket.closeFrame();
    socket.end();
    await world.telemetry.take(round + 1, ({ event }) => event === "connection.closed");
  }
  expect((await negotiatePatiently(world, token)).delayMs).toBe(0);
});
