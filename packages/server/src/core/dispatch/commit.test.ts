import { describe, expect, it } from "vitest";
import { createDispatchFixture, type DispatchFixture } from "../../../test/dispatch-fixture.js";
import { deferred, hubOf, methodOf, textSchema } from "../../../test/hub-fixture.js";
import type { Staff } from "../../../test/connection-fixture.js";
import { createMemoryIdempotencyStore } from "../../memory/idempotency-store.js";
import { systemClock } from "../../platform/system-clock.js";
import type { CommandCall } from "./call.js";
import type { Hub } from "./hub.js";
import type { IdempotencyStore } from "./idempotency-store.js";

type Handler = (call: CommandCall<Staff>) => unknown;

function commandHub(handle: Handler, isCommand = true): Hub<Staff> {
  return hubOf([
    methodOf("Order", {
      schemas: [textSchema()],
      commandId: isCommand ? (id: string) => id : undefined,
      handle: (call) => handle(call as CommandCall<Staff>),
    }),
  ]);
}

/** The store of this process, with transactions that cannot fail but by their work. */
function transactionalStore(commits: unknown[] = []): IdempotencyStore {
  const inner = createMemoryIdempotencyStore({ clock: systemClock });
  return {
    async start(...command) {
      const start = await inner.start(...command);
      if (start.state !== "started") return start;
      return {
        ...start,
        async commit(work) {
          const value = await work("the transaction");
          commits.push(value);
          await start.finish({ kind: "value", value });
          return value;
        },
      };
    },
  };
}

async function send(bench: DispatchFixture, hub: Hub<Staff>, id = "id-1"): Promise<unknown> {
  return await bench.dispatch(bench.connect(), hub, [id]);
}

describe("a command that commits", () => {
  it("has ended with what its work returned, for its caller and for whoever sends it again", async () => {
    const commits: unknown[] = [];
    const bench = createDispatchFixture(transactionalStore(commits));
    const hub = commandHub(async (call) => {
      const result = await call.commit((transaction: string) => ({ by: transaction }));
      return { ...result, decorated: true };
    });
    const outcome = { kind: "value", value: { by: "the transaction" } };
    expect(await send(bench, hub)).toEqual(outcome);
    expect(await send(bench, hub)).toEqual(outcome);
    expect(commits).toEqual([{ by: "the transaction" }]);
  });

  it("and fails on the way out has still ended with it; the application is told of the failure", async () => {
    const bench = createDispatchFixture(transactionalStore());
    const mistake = new Error("the printer is on fire");
    const hub = commandHub(async (call) => {
      await call.commit(() => 7);
      throw mistake;
    });
    expect(await send(bench, hub)).toEqual({ kind: "value", value: 7 });
    expect(await send(bench, hub)).toEqual({ kind: "value", value: 7 });
    expect(bench.failures).toEqual([["Order", mistake]]);
  });

  it("and does not wait for it is waited for", async () => {
    const written = deferred<number>();
    const bench = createDispatchFixture(transactionalStore());
    const hub = commandHub((call) => void call.commit(() => written.promise));
    const answer = send(bench, hub);
    written.resolve(7);
    expect(await answer).toEqual({ kind: "value", value: 7 });
  });

  it("may try again after a commit that failed, and commits once", async () => {
    const commits: unknown[] = [];
    const bench = createDispatchFixture(transactionalStore(commits));
    const mistake = new Error("deadlock");
    const seen: unknown[] = [];
    const hub = commandHub(async (call) => {
      const note = (error: unknown): unknown => seen.push(error);
      await call.commit(() => Promise.reject(mistake)).catch(note);
      await Promise.all([call.commit(() => 7), call.commit(() => 8).catch(note)]);
      await call.commit(() => 9).catch(note);
    });
    expect(await send(bench, hub)).toEqual({ kind: "value", value: 7 });
    expect(seen).toEqual([mistake, expect.any(TypeError), expect.any(TypeError)]);
    expect(commits).toEqual([7]);
  });

  it("too late, after it has ended, is refused", async () => {
    const commits: unknown[] = [];
    const bench = createDispatchFixture(transactionalStore(commits));
    let late: CommandCall<Staff> | undefined;
    const hub = commandHub((call) => {
      late = call;
      return "done";
    });
    expect(await send(bench, hub)).toEqual({ kind: "value", value: "done" });
    await expect(late?.commit(() => 7)).rejects.toThrow(TypeError);
    expect(commits).toEqual([]);
    expect(await send(bench, hub)).toEqual({ kind: "value", value: "done" });
  });

  it("for a caller whose credential has run out meanwhile commits nothing, for one whose network failed it does", async () => {
    const commits: unknown[] = [];
    const bench = createDispatchFixture(transactionalStore(commits));
    const [lapsing, leaving] = [bench.connect(), bench.connect({ subject: "bob" })];
    const [gate, bothHaveBegun] = [deferred<void>(), deferred<void>()];
    let begun = 0;
    const hub = commandHub(async (call) => {
      if (++begun === 2) bothHaveBegun.resolve();
      await gate.promise;
      return await call.commit(() => call.principal.subject);
    });
    const refused = bench.dispatch(lapsing, hub, ["id-1"]);
    const done = bench.dispatch(leaving, hub, ["id-1"]);
    await bothHaveBegun.promise;
    leaving.connection.apply({ type: "transport-lost" });
    lapsing.connection.apply({ type: "expiry-due" });
    gate.resolve();
    expect(await refused).toMatchObject({ kind: "failed", error: { name: "HubwardError", reason: "token_expired" } });
    expect(await done).toEqual({ kind: "value", value: "bob" });
    expect(commits).toEqual(["bob"]);
  });
});

describe("a commit that makes no sense is the programmer's mistake, and says why:", () => {
  it.each<[string, IdempotencyStore | undefined, boolean, RegExp]>([
    ["with a store that has no transactions", undefined, true, /this idempotency store has no transactions/],
    ["in a method that is no command", transactionalStore(), false, /only the method of a command \(\.once\)/],
  ])("%s", async (_name, store, isCommand, message) => {
    const bench = createDispatchFixture(store);
    let worked = 0;
    const hub = commandHub((call) => call.commit(() => worked++), isCommand);
    const outcome = await send(bench, hub);
    expect(outcome).toMatchObject({ kind: "failed", error: expect.any(TypeError) });
    expect(outcome).toMatchObject({ error: { message: expect.stringMatching(message) as unknown } });
    expect(worked).toBe(0);
  });
});
