import { createFakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createDispatchFixture } from "../../../test/dispatch-fixture.js";
import { HubwardError } from "@hubward/wire";
import { admissionOf, type Peer, type Staff } from "../../../test/connection-fixture.js";
import {
  deferred,
  denyAll,
  hubOf,
  methodOf,
  policy,
  requirement,
  schemaOf,
  textSchema,
} from "../../../test/hub-fixture.js";
import { createMemoryIdempotencyStore } from "../../memory/idempotency-store.js";
import { HubError } from "../errors.js";
import type { CommandCall } from "./call.js";
import type { IdempotencyStore } from "./idempotency-store.js";
import { Upload } from "./upload.js";

describe("dispatching a call", () => {
  it.each<[string, () => unknown, unknown]>([
    ["a value", () => 7, { kind: "value", value: 7 }],
    ["nothing", () => undefined, { kind: "value", value: undefined }],
    ["null", () => null, { kind: "value", value: null }],
    ["a promise", async () => 7, { kind: "value", value: 7 }],
    [
      "a query builder's own promise",
      () => ({ then: (done: (value: number) => void) => done(7) }),
      { kind: "value", value: 7 },
    ],
    ["data with a member called then", () => ({ then: 7 }), { kind: "value", value: { then: 7 } }],
    [
      "a throw",
      () => {
        throw new HubError("no");
      },
      { kind: "failed", method: "Order" },
    ],
    ["a rejection", () => Promise.reject(new Error("no")), { kind: "failed", method: "Order" }],
    [
      "a throw of nothing",
      () => {
        throw undefined;
      },
      { kind: "failed", error: undefined, method: "Order" },
    ],
  ])("of a method that returns %s", async (_, handle, expected) => {
    const bench = createDispatchFixture();
    const outcome = bench.dispatch(bench.connect(), hubOf([methodOf("Order", { handle })]));
    expect(await outcome).toMatchObject(expected as object);
  });

  it("makes no promise where nothing on the way is asynchronous", () => {
    const bench = createDispatchFixture();
    const peer = bench.connect();
    expect(bench.dispatch(peer, hubOf([methodOf("Order", { handle: () => 1 })]))).toEqual({ kind: "value", value: 1 });
    expect(bench.dispatch(peer, hubOf([methodOf("Order", { requirements: [denyAll] })]))).toMatchObject({
      kind: "refused",
    });
    expect(bench.dispatch(peer, hubOf([]))).toMatchObject({ kind: "refused", method: undefined });
  });

  it("gives the method the call and the validated arguments", async () => {
    const bench = createDispatchFixture();
    const seen: unknown[] = [];
    const upper = schemaOf((value) => ({ value: String(value).toUpperCase() }));
    const method = methodOf("Order", {
      schemas: [upper, upper],
      handle: (...args: unknown[]) => void seen.push(...args),
    });
    await bench.dispatch(bench.connect({ id: "c7" }), hubOf([method]), ["a", "b"]);
    expect(seen.slice(1)).toEqual(["A", "B"]);
    expect(seen[0]).toMatchObject({ connectionId: "c7", method: "Order" });
  });

  it("names the declared method when it refuses, and none for one that does not exist", async () => {
    const bench = createDispatchFixture();
    const peer = bench.connect();
    const slowNo = requirement(policy("Slow", () => Promise.resolve(false)));
    for (const rule of [denyAll, slowNo]) {
      const hub = hubOf([methodOf("PlaceOrder", { requirements: [rule] })]);
      expect(await bench.dispatch(peer, hub, [], "placeorder")).toMatchObject({
        kind: "refused",
        method: "PlaceOrder",
      });
    }
    expect(await bench.dispatch(peer, hubOf([]), [], "secret")).toMatchObject({ kind: "refused", method: undefined });
  });

  it("tells a wrong mode only to someone who was let in, and does not run the method", async () => {
    const bench = createDispatchFixture();
    const peer = bench.connect();
    let runs = 0;
    const handle = (): void => void runs++;
    const upload = (): Upload => new Upload(10, { hold: () => undefined, release: () => undefined });
    for (const [mode, verdict] of [
      [
        { isStream: true, uploads: [] },
        { kind: "wrong-mode", method: "Order", isStream: false },
      ],
      [
        { isStream: false, uploads: [upload(), upload()] },
        { kind: "wrong-uploads", method: "Order", sent: 2, expected: 0 },
      ],
    ] as const) {
      const open = hubOf([methodOf("Order", { handle })]);
      const shut = hubOf([methodOf("Order", { handle, requirements: [denyAll] })]);
      expect(await bench.dispatch(peer, open, [], "Order", mode)).toEqual(verdict);
      expect(await bench.dispatch(peer, shut, [], "Order", mode)).toMatchObject({ kind: "refused" });
    }
    expect(runs).toBe(0);
  });
});

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** As its handler does it: what runs is told. */
function lapse({ connection }: Peer): void {
  connection.apply({ type: "refresh-shown" });
  connection.apply({ type: "claims-changed" });
}

function become({ connection }: Peer, department = "icu"): void {
  connection.replace(admissionOf({ department }), "reauthenticated");
}

describe("a call whose connection lapses, and is back, while a filter waits", () => {
  it("is not entered", async () => {
    const bench = createDispatchFixture();
    const waiting = deferred<void>();
    let entered = 0;
    const hub = hubOf([methodOf("Order", { handle: () => ++entered })], {
      filters: [async (_call, _args, next) => (await waiting.promise, next())],
    });
    const peer = bench.connect();
    const answer = bench.dispatch(peer, hub);
    lapse(peer);
    become(peer);
    waiting.resolve();
    expect(await answer).toMatchObject({ kind: "refused" });
    expect(entered).toBe(0);
  });

  it("is entered for somebody else who may do it, once that is known, and for nobody who may not", async () => {
    for (const department of ["icu", "er"]) {
      const bench = createDispatchFixture();
      const [waiting, asked] = [deferred<void>(), deferred<void>()];
      let entered = 0;
      let isAsking = false;
      const own = policy("Own", ({ principal }) =>
        isAsking ? asked.promise.then(() => principal.department === "icu") : true,
      );
      const hub = hubOf([methodOf("Order", { requirements: [requirement(own)], handle: () => ++entered })], {
        filters: [async (_call, _args, next) => (await waiting.promise, next())],
      });
      const peer = bench.connect();
      const { outcome, control } = bench.begin(peer, hub);
      isAsking = true;
      become(peer, department);
      control.judgeAgain();
      waiting.resolve();
      await settle();
      expect(entered).toBe(0);
      asked.resolve();
      expect((await outcome).kind).toBe(department === "icu" ? "value" : "refused");
      expect(entered).toBe(department === "icu" ? 1 : 0);
    }
  });
});

/** The store of this process, as if it had transactions. */
function transactional(answered: Promise<void> = Promise.resolve()): IdempotencyStore {
  const store = createMemoryIdempotencyStore({ clock: createFakeClock() });
  return {
    ...store,
    async start(...question) {
      await answered;
      const start = await store.start(...question);
      return start.state === "started" ? { ...start, commit: async (work) => work(undefined) } : start;
    },
  };
}

describe("a command whose connection lapses", () => {
  const order = (handle: () => unknown) =>
    hubOf([methodOf("Order", { schemas: [textSchema()], commandId: (id: string) => id, handle })]);

  it("while the store is asked is not begun, though it was back before the store answered, and may be sent again", async () => {
    const store = createMemoryIdempotencyStore({ clock: createFakeClock() });
    const asked = deferred<void>();
    let entered = 0;
    const bench = createDispatchFixture({
      ...store,
      start: async (...question) => (await asked.promise, store.start(...question)),
    });
    const hub = order(() => ++entered);
    const peer = bench.connect();
    const answer = bench.dispatch(peer, hub, ["a"]);
    await settle();
    lapse(peer);
    become(peer);
    asked.resolve();
    expect(await answer).toMatchObject({ kind: "refused" });
    expect(await bench.dispatch(peer, hub, ["a"])).toEqual({ kind: "value", value: 1 });
  });

  it("while it runs has run: who sends it again hears what came of it", async () => {
    const bench = createDispatchFixture();
    const work = deferred<string>();
    let entered = 0;
    const hub = order(() => (entered++, work.promise));
    const peer = bench.connect();
    const { outcome } = bench.begin(peer, hub, ["a"]);
    await settle();
    lapse(peer);
    become(peer);
    work.resolve("done");
    await outcome;
    expect([await bench.dispatch(peer, hub, ["a"]), entered]).toEqual([{ kind: "value", value: "done" }, 1]);
  });

  it("commits nothing once it was stopped, though its connection is back", async () => {
    const bench = createDispatchFixture(transactional());
    const work = deferred<void>();
    const caught: unknown[] = [];
    const handle = async (call: CommandCall<Staff>): Promise<void> => {
      await work.promise;
      await call.commit(() => "written").catch((error: HubwardError) => void caught.push(error.reason));
    };
    const peer = bench.connect();
    const { outcome, control } = bench.begin(peer, order(handle as () => unknown), ["a"]);
    await settle();
    control.stop(new HubwardError("reauth_required"));
    work.resolve();
    await outcome;
    expect(caught).toEqual(["reauth_required"]);
  });

  it("keeps its transaction where its principal was replaced before it began", async () => {
    const asked = deferred<void>();
    const bench = createDispatchFixture(transactional(asked.promise));
    const peer = bench.connect();
    const handle = (call: CommandCall<Staff>): Promise<string> => call.commit(() => "written");
    const answer = bench.dispatch(peer, order(handle as () => unknown), ["a"]);
    await settle();
    become(peer);
    asked.resolve();
    expect(await answer).toEqual({ kind: "value", value: "written" });
  });

  it("finds somebody else where the store has answered: the rules are asked about them", async () => {
    const store = createMemoryIdempotencyStore({ clock: createFakeClock() });
    const asked = deferred<void>();
    let entered = 0;
    const bench = createDispatchFixture({
      ...store,
      start: async (...question) => (await asked.promise, store.start(...question)),
    });
    const own = policy("Own", ({ principal }) => principal.department !== "er");
    const hub = hubOf([
      methodOf("Order", {
        schemas: [textSchema()],
        requirements: [requirement(own)],
        commandId: (id: string) => id,
        handle: () => ++entered,
      }),
    ]);
    const peer = bench.connect();
    const answers = ["a", "b"].map((id) => bench.dispatch(peer, hub, [id]));
    await settle();
    become(peer, "er");
    asked.resolve();
    for (const answer of answers)
      expect(await answer).toMatchObject({ kind: "refused", error: { reason: "forbidden" } });
    become(peer, "icu");
    expect([await bench.dispatch(peer, hub, ["a"]), entered]).toEqual([{ kind: "value", value: 1 }, 1]);
  });
});
