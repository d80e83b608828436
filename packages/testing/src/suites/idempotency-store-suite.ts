/**
 * What every idempotency store must show. Free of any test runner: each case rejects with an AssertionError when
 * the store breaks its contract.
 *
 *     for (const each of idempotencyStoreSuite) test(each.name, () => each.run(createMyStore));
 */

import assert from "node:assert/strict";
import type { CommandOutcome, CommandStart, IdempotencyStore } from "@hubward/server/ports";
import { createFakeClock, type FakeClock } from "../fake-clock.js";

/** What a store is made with. */
export interface IdempotencyStoreSettings {
  readonly clock: FakeClock;
  /** How long an ended command is remembered. Milliseconds. */
  readonly keepMs: number;
  /** Commands remembered at most. */
  readonly maxCommands: number;
}

/** Makes an empty store. */
export type CreateIdempotencyStore = (
  settings: IdempotencyStoreSettings,
) => IdempotencyStore | Promise<IdempotencyStore>;

export interface IdempotencyStoreCase {
  /** A sentence. */
  readonly name: string;
  /** Which settings the factory must honour for this case. A store that cannot leaves the case out, and says why. */
  readonly needs: readonly (keyof IdempotencyStoreSettings)[];
  run(create: CreateIdempotencyStore): Promise<void>;
}

type Started = Extract<CommandStart, { state: "started" }>;

const DAY_MS = 24 * 60 * 60 * 1000;
const DONE: CommandOutcome = { kind: "value", value: { orderId: "o-1" } };

/** Every shape of outcome, with values that a careless encoding loses. */
const outcomes: readonly CommandOutcome[] = [
  DONE,
  { kind: "value", value: null },
  { kind: "value", value: [0, -1.5, "Zoë \u{1F3E5}\u2028", true, { nested: { list: [[]] }, empty: "" }] },
  { kind: "hub-error", message: "The patient was discharged." },
  { kind: "hub-error", message: "" },
  { kind: "reason", reason: "forbidden", detail: "this ward needs a matching department" },
  { kind: "reason", reason: "rate_limited", detail: undefined, retryAfterSeconds: 5 },
  { kind: "value", value: undefined },
  { kind: "hidden" },
];

/** Compares as plain data: a member that is undefined may as well be missing. */
function assertSame(actual: CommandOutcome, expected: CommandOutcome, message?: string): void {
  assert.deepEqual(JSON.parse(JSON.stringify(actual)), JSON.parse(JSON.stringify(expected)), message);
}

async function claim(store: IdempotencyStore, key: string, digest = "digest", owner = "owner"): Promise<Started> {
  const start = await store.start(key, digest, owner);
  assert.equal(start.state, "started", `${key} was not free`);
  return start as Started;
}

async function ended(store: IdempotencyStore, key: string, digest = "digest"): Promise<CommandOutcome> {
  const start = await store.start(key, digest, "owner");
  assert.ok(start.state === "known", `${key} is ${start.state}`);
  return start.outcome;
}

function contractCase(
  name: string,
  run: (store: IdempotencyStore, clock: FakeClock) => Promise<void>,
  { needs = [], maxCommands = 1_000 }: Partial<Pick<IdempotencyStoreCase, "needs"> & IdempotencyStoreSettings> = {},
): IdempotencyStoreCase {
  return {
    name,
    needs,
    async run(create) {
      const clock = createFakeClock();
      await run(await create({ clock, keepMs: DAY_MS, maxCommands }), clock);
    },
  };
}

export const idempotencyStoreSuite: readonly IdempotencyStoreCase[] = [
  contractCase("however a command ended, whoever sends it again is told the same", async (store) => {
    for (const [index, outcome] of outcomes.entries()) {
      const { finish } = await claim(store, `command-${index}`);
      await finish(outcome);
      assertSame(await ended(store, `command-${index}`), outcome);
      assertSame(await ended(store, `command-${index}`), outcome, "the second time");
    }
  }),
  contractCase("of many who claim one command at once, exactly one may run it", async (store) => {
    const starts = await Promise.all(Array.from({ length: 50 }, async () => store.start("race", "digest", "owner")));
    const [first, ...others] = starts.filter((start) => start.state === "started");
    assert.ok(first !== undefined && others.length === 0, `${others.length + 1} were let in`);
    const waiting = starts.flatMap((start) => (start.state === "known" ? [start.outcome] : []));
    assert.equal(waiting.length, 49);
    await first.finish(DONE);
    for (const outcome of await Promise.all(waiting)) assertSame(outcome, DONE);
  }),
  contractCase("whoever sends a command that runs waits for its end", async (store) => {
    const { finish } = await claim(store, "running");
    const again = await store.start("running", "digest", "owner");
    assert.ok(again.state === "known");
    let isSettled = false;
    const waiting = Promise.resolve(again.outcome).then((outcome) => ((isSettled = true), outcome));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isSettled, false, "an outcome before there is one");
    await finish(DONE);
    assertSame(await waiting, DONE);
  }),
  contractCase("the same id with other arguments is a conflict, while it runs and afterwards", async (store) => {
    const { finish } = await claim(store, "key", "digest");
    assert.equal((await store.start("key", "other", "owner")).state, "conflict");
    await finish(DONE);
    assert.equal((await store.start("key", "other", "owner")).state, "conflict");
    assertSame(await ended(store, "key", "digest"), DONE, "the conflict changed the record");
  }),
  contractCase("an abandoned command may be run by whoever comes next, with any arguments", async (store) => {
    const { abandon } = await claim(store, "abandoned", "digest");
    await abandon();
    const { finish } = await claim(store, "abandoned", "other");
    await finish(DONE);
    assertSame(await ended(store, "abandoned", "other"), DONE);
  }),
  contractCase("whoever waits for a command that is abandoned is told so by a rejection", async (store) => {
    const { abandon } = await claim(store, "given-up");
    const again = await store.start("given-up", "digest", "owner");
    assert.ok(again.state === "known");
    const waiting = assert.rejects(Promise.resolve(again.outcome));
    await abandon();
    await waiting;
  }),
  contractCase("what is settled stays: a second finish or a late abandon changes nothing", async (store) => {
    const first = await claim(store, "settled");
    await first.finish(DONE);
    await first.finish({ kind: "hidden" });
    await first.abandon();
    assertSame(await ended(store, "settled"), DONE);

    const second = await claim(store, "let-go");
    await second.abandon();
    await second.finish(DONE);
    const third = await claim(store, "let-go");
    await second.finish(DONE);
    await second.abandon();
    assert.equal((await store.start("let-go", "other", "owner")).state, "conflict", "a stranger let the new claim go");
    await third.finish({ kind: "hidden" });
    assertSame(await ended(store, "let-go"), { kind: "hidden" });
  }),
  contractCase("what is committed is the outcome, where a store has transactions, and stays", async (store) => {
    const first = await claim(store, "committed");
    if (first.commit === undefined) return;
    const waiting = await store.start("committed", "digest", "owner");
    assert.deepEqual(await first.commit(() => ({ orderId: "o-1" })), { orderId: "o-1" });
    assert.ok(waiting.state === "known");
    assertSame(await waiting.outcome, DONE, "whoever waited");
    assertSame(await ended(store, "committed"), DONE);
    await first.finish({ kind: "hidden" });
    await first.abandon();
    await assert.rejects(async () => first.commit?.(() => "again"), "a second commit");
    assertSame(await ended(store, "committed"), DONE, "after the second commit");
  }),
  contractCase("a commit whose work throws has not happened, and the command goes on", async (store) => {
    const { commit, finish } = await claim(store, "failed");
    if (commit === undefined) return;
    const mistake = new Error("on purpose");
    const fail = (): never => {
      throw mistake;
    };
    await assert.rejects(async () => commit(fail), mistake);
    const again = await store.start("failed", "digest", "owner");
    assert.ok(again.state === "known");
    await finish({ kind: "hub-error", message: "no" });
    assertSame(await again.outcome, { kind: "hub-error", message: "no" });
    assertSame(await ended(store, "failed"), { kind: "hub-error", message: "no" });
  }),
  contractCase("keys are compared exactly, whatever stands in them", async (store) => {
    const keys = [
      "a",
      "A",
      "a ",
      "",
      "__proto__",
      "constructor",
      "a\u0000b",
      "a\u0000",
      "é",
      "e\u0301",
      "*",
      "a:b",
      "x".repeat(2_000),
    ];
    for (const [index, key] of keys.entries()) {
      const { finish } = await claim(store, key);
      await finish({ kind: "value", value: index });
    }
    for (const [index, key] of keys.entries()) assertSame(await ended(store, key), { kind: "value", value: index });
  }),
  contractCase(
    "a command is remembered for as long as it was promised after it ended, and then forgotten",
    async (store, clock) => {
      const { finish } = await claim(store, "old");
      clock.advance(DAY_MS);
      await finish(DONE);
      clock.advance(DAY_MS - 1);
      assertSame(await ended(store, "old"), DONE);
      clock.advance(1);
      await claim(store, "old", "other");
    },
    { needs: ["clock", "keepMs"] },
  ),
  contractCase(
    "a command that runs is not forgotten, however long it takes",
    async (store, clock) => {
      const { finish } = await claim(store, "slow");
      clock.advance(30 * DAY_MS);
      const again = await store.start("slow", "digest", "owner");
      assert.equal(again.state, "known");
      await finish(DONE);
      assertSame(await ended(store, "slow"), DONE);
    },
    { needs: ["clock", "keepMs"] },
  ),
  contractCase(
    "a full store refuses new commands, keeps what it knows, and has room again when that is forgotten",
    async (store, clock) => {
      const mine = (key: string): Promise<Started> => claim(store, key, "digest", `owner of ${key}`);
      const state = async (key: string): Promise<string> => (await store.start(key, "digest", `owner of ${key}`)).state;
      const first = await mine("first");
      const second = await mine("second");
      await mine("third");
      assert.equal(await state("fourth"), "full");
      await first.finish(DONE);
      assert.equal(await state("fourth"), "full", "an ended command is still remembered");
      assertSame(await ended(store, "first"), DONE);
      assert.equal((await store.start("first", "other", "owner of first")).state, "conflict");
      await second.abandon();
      await mine("fourth");
      assert.equal(await state("fifth"), "full");
      clock.advance(DAY_MS);
      await mine("fifth");
    },
    { needs: ["clock", "keepMs", "maxCommands"], maxCommands: 3 },
  ),
  contractCase(
    "however many use up what they may, who has nothing yet finds room",
    async (store) => {
      for (const owner of ["a", "b", "c", "d"]) {
        let taken = 0;
        while (taken < 64 && (await store.start(`${owner}${taken}`, "digest", owner)).state === "started") taken++;
        assert.ok(taken > 0, `nothing was left for ${owner}`);
      }
      await claim(store, "mine", "digest", "newcomer");
    },
    { needs: ["maxCommands"], maxCommands: 64 },
  ),
];
