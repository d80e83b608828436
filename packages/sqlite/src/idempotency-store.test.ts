import { createFakeClock, idempotencyStoreSuite } from "@hubward/testing";
import type { CommandStart, IdempotencyStore } from "@hubward/server/ports";
import { describe, expect, it } from "vitest";
import { engines, newPath, open } from "../test/fixture.js";
import { createSqliteIdempotencyStore } from "./idempotency-store.js";
import { sqliteIdempotencyDefaults } from "./idempotency-options.js";

type Started = Extract<CommandStart, { state: "started" }>;

async function begin(store: IdempotencyStore, key: string, owner = "owner"): Promise<Started> {
  const start = await store.start(key, "digest", owner);
  if (start.state !== "started") throw new TypeError(`${key} is ${start.state}`);
  return start;
}

const ask = async (store: IdempotencyStore, key: string, owner = "owner"): Promise<unknown> => {
  const start = await store.start(key, "digest", owner);
  return start.state === "known" ? await start.outcome : start;
};

const unknown = { kind: "reason", reason: "outcome_unknown" };

describe.each(engines)("the store for commands on %s", (engine) => {
  it.each(idempotencyStoreSuite)("keeps the contract: $name", async ({ run }) => {
    await run(async (settings) => {
      const database = await open({ path: newPath(), engine });
      return createSqliteIdempotencyStore({ database, ...settings });
    });
  });

  it("knows after a restart how every command ended, and nothing of those that ran but that they did", async () => {
    const path = newPath();
    const clock = createFakeClock();
    const first = await open({ path, engine });
    const before = createSqliteIdempotencyStore({ database: first, clock });
    await (await begin(before, "done")).finish({ kind: "value", value: { orderId: 7 } });
    await begin(before, "running");
    await (await begin(before, "abandoned")).abandon();
    first.close();

    const database = await open({ path, engine });
    const after = createSqliteIdempotencyStore({ database, clock });
    expect(await ask(after, "done")).toEqual({ kind: "value", value: { orderId: 7 } });
    expect(await ask(after, "running")).toMatchObject(unknown);
    expect(await after.start("running", "other", "owner")).toEqual({ state: "conflict" });
    expect(await ask(after, "abandoned")).toMatchObject({ state: "started" });
    clock.advance(sqliteIdempotencyDefaults.keepMs - 1);
    expect(await ask(after, "running")).toMatchObject(unknown);
    clock.advance(1);
    expect(await ask(after, "running")).toMatchObject({ state: "started" });
  });

  it("a step of the wall clock makes no command older while the process runs, and none live for ever after it", async () => {
    const path = newPath();
    const clock = createFakeClock();
    const first = await open({ path, engine });
    const before = createSqliteIdempotencyStore({ database: first, clock, keepMs: 1_000 });
    await (await begin(before, "a")).finish({ kind: "hidden" });
    clock.stepWallClock(86_400_000);
    expect(await ask(before, "a")).toEqual({ kind: "hidden" });
    clock.advance(500);
    await (await begin(before, "b")).finish({ kind: "hidden" });
    first.close();

    clock.stepWallClock(-2 * 86_400_000);
    const after = createSqliteIdempotencyStore({ database: await open({ path, engine }), clock, keepMs: 1_000 });
    expect(await ask(after, "b")).toEqual({ kind: "hidden" });
    clock.advance(1_000);
    expect(await ask(after, "b")).toMatchObject({ state: "started" });
  });

  it("refuses an owner that has used up its share, and says when there is room, while others go on", async () => {
    const path = newPath();
    const clock = createFakeClock();
    const settings = { clock, maxCommandsPerOwner: 2, keepMs: 60_000, engine };
    const first = await open({ path, engine });
    const before = createSqliteIdempotencyStore({ database: first, ...settings });
    await (await begin(before, "0", "alice")).finish({ kind: "hidden" });
    clock.advance(10_000);
    await (await begin(before, "given-up", "mallory")).abandon();
    await (await begin(before, "1", "mallory")).finish({ kind: "hidden" });
    await (await begin(before, "2", "mallory")).finish({ kind: "hidden" });
    first.close();

    // Shares are counted again after a restart.
    const store = createSqliteIdempotencyStore({ database: await open({ path, engine }), ...settings });
    clock.advance(20_000);
    expect(await ask(store, "3", "mallory")).toEqual({ state: "full", retryAfterMs: 40_000 });
    expect(await ask(store, "1", "mallory")).toEqual({ kind: "hidden" });
    await begin(store, "4", "alice");
    clock.advance(40_000);
    await begin(store, "3", "mallory");
  });

  it("forgets what is over a few at a time, and has room for whoever needs it", async () => {
    const clock = createFakeClock();
    const database = await open({ path: newPath(), engine });
    const store = createSqliteIdempotencyStore({
      database,
      clock,
      keepMs: 1_000,
      maxCommands: 200,
    });
    for (let index = 0; index < 50; index++)
      await (await begin(store, `a${index}`, "alice")).finish({ kind: "hidden" });
    for (let index = 0; index < 50; index++) await (await begin(store, `b${index}`, "bob")).finish({ kind: "hidden" });
    for (let index = 0; index < 100; index++)
      await (await begin(store, `d${index}`, `dora ${index}`)).finish({ kind: "hidden" });
    expect(await ask(store, "c", "carol")).toMatchObject({ state: "full" });
    clock.advance(1_000);
    const left = (): unknown => database.prepare("select count(*) as n from hubward_commands").get()?.["n"];
    await begin(store, "b-next", "bob");
    expect(left()).toBe(200 - 64 + 1);
    await begin(store, "c", "carol");
    expect(left()).toBe(200 - 96 + 2);
    await begin(store, "b49", "bob");
    expect(left()).toBe(200 - 128 + 3);
  });

  it("keeps what an answer in MessagePack may hold, and texts that look like it", async () => {
    const database = await open({ path: newPath(), engine });
    const store = createSqliteIdempotencyStore({ database });
    const value = {
      bytes: new Uint8Array([0, 255, 7]),
      buffer: [Buffer.from("abc")],
      at: new Date(1_700_000_000_123),
      big: 2n ** 63n,
      none: [Number.NaN, Number.NEGATIVE_INFINITY],
      texts: ["\u0010", "\u0010\u0010b", "\u0010bAP8H", "a\u0000b", "\u2028"],
      ["__proto__"]: { polluted: true },
    };
    await (await begin(store, "all")).finish({ kind: "value", value });
    expect(await ask(store, "all")).toEqual({
      kind: "value",
      value: { ...value, ["__proto__"]: { polluted: true }, buffer: [new Uint8Array([97, 98, 99])] },
    });
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("of a result that is too long to keep, or has no form, it tells that there was one", async () => {
    const database = await open({ path: newPath(), engine });
    const store = createSqliteIdempotencyStore({ database, maxOutcomeLength: 1_000 });
    await (await begin(store, "long")).finish({ kind: "value", value: "x".repeat(1_000) });
    expect(await ask(store, "long")).toMatchObject({ kind: "reason", reason: "result_too_large" });
    const circle: unknown[] = [];
    circle.push(circle);
    const { finish } = await begin(store, "circle");
    expect(() => finish({ kind: "value", value: circle })).toThrow(TypeError);
    expect(await ask(store, "circle")).toMatchObject(unknown);
  });

  it("cannot be made twice of one database, which would take running commands for dead ones", async () => {
    const database = await open({ path: newPath(), engine });
    createSqliteIdempotencyStore({ database });
    expect(() => createSqliteIdempotencyStore({ database })).toThrow(TypeError);
  });

  it.each([
    { keepMs: 0 },
    { keepMs: Number.NaN },
    { maxCommands: 0 },
    { maxCommands: 1.5 },
    { maxCommandsPerOwner: 0 },
    { maxOutcomeLength: -1 },
  ])("refuses %o", async (options) => {
    const database = await open({ path: newPath(), engine });
    expect(() => createSqliteIdempotencyStore({ database, ...options })).toThrow(RangeError);
  });
});

describe.each(engines)("a command's own transaction on %s", (engine) => {
  async function setUp() {
    const database = await open({ path: newPath(), engine });
    database.exec("create table orders (drug text not null unique)");
    const store = createSqliteIdempotencyStore({ database });
    const insert = database.prepare("insert into orders values (?)");
    const orders = (): unknown[] =>
      database
        .prepare("select drug from orders")
        .all()
        .map(({ drug }) => drug);
    return { database, store, insert, orders };
  }

  it("writes what the application writes, and the record, together", async () => {
    const { store, insert, orders } = await setUp();
    const { commit, finish, abandon } = await begin(store, "order");
    const again = await store.start("order", "digest", "owner");
    expect(await commit?.(() => ({ changes: insert.run("aspirin").changes }))).toEqual({ changes: 1 });
    expect(orders()).toEqual(["aspirin"]);
    const outcome = { kind: "value", value: { changes: 1 } };
    expect(again.state === "known" && (await again.outcome)).toEqual(outcome);
    await finish({ kind: "hidden" });
    await abandon();
    expect(() => commit?.(() => insert.run("morphine"))).toThrow(TypeError);
    expect(await ask(store, "order")).toEqual(outcome);
    expect(orders()).toEqual(["aspirin"]);
  });

  it("that fails writes neither, and the command goes on", async () => {
    const { store, insert, orders } = await setUp();
    const { commit, finish } = await begin(store, "order");
    const mistake = new Error("on purpose");
    const failing: readonly [work: () => unknown, error: unknown][] = [
      [
        () => {
          insert.run("a");
          throw mistake;
        },
        mistake,
      ],
      [() => [insert.run("a"), insert.run("a")], /UNIQUE/],
      [async () => insert.run("a"), TypeError],
      [
        () => {
          insert.run("a");
          const circle: unknown[] = [];
          circle.push(circle);
          return circle;
        },
        TypeError,
      ],
    ];
    for (const [work, error] of failing) expect(() => commit?.(work)).toThrow(error as Error);
    expect(orders()).toEqual([]);
    await finish({ kind: "hub-error", message: "no" });
    expect(await ask(store, "order")).toEqual({ kind: "hub-error", message: "no" });
  });
});
