import { createFakeClock } from "@hubward/testing";
import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import type { Peer, PeerOptions, Staff } from "../../../test/connection-fixture.js";
import { createDispatchFixture, type DispatchFixture } from "../../../test/dispatch-fixture.js";
import { deferred, hubOf, methodOf, policy, requirement, textSchema } from "../../../test/hub-fixture.js";
import { createMemoryIdempotencyStore } from "../../memory/idempotency-store.js";
import { HubError } from "../errors.js";
import type { Outcome } from "./dispatcher.js";
import type { HubMethod } from "./hub.js";
import type { CommandOutcome } from "./idempotency-store.js";

/** A hub with one command; its second argument is its id. */
function commandHub(handle: () => unknown, parts: Partial<HubMethod<Staff>> = {}, path = "/hubs/ward") {
  const runs: unknown[][] = [];
  const method = methodOf("Order", {
    schemas: [textSchema(), textSchema()],
    commandId: (_drug: string, id: string) => id,
    handle: (_call, ...args: unknown[]) => {
      runs.push(args);
      return handle();
    },
    ...parts,
  });
  return { hub: hubOf([method], { path }), runs };
}

describe("a command", () => {
  it("takes effect once, however often it is sent, and says the same every time", async () => {
    const bench = createDispatchFixture();
    let count = 0;
    const { hub, runs } = commandHub(async () => ({ orderId: ++count }));
    const peer = bench.connect();
    for (let sent = 0; sent < 3; sent++) {
      expect(await bench.dispatch(peer, hub, ["aspirin", "id-1"])).toEqual({ kind: "value", value: { orderId: 1 } });
    }
    expect(runs).toEqual([["aspirin", "id-1"]]);
    // Also over another connection of the same person, by another spelling of the method.
    const again = bench.dispatch(bench.connect({ tokenId: "later" }), hub, ["aspirin", "id-1"], "ORDER");
    expect(await again).toEqual({ kind: "value", value: { orderId: 1 } });
    expect(await bench.dispatch(peer, hub, ["aspirin", "id-2"])).toEqual({ kind: "value", value: { orderId: 2 } });
  });

  it("sent again while it runs waits for its end", async () => {
    const bench = createDispatchFixture();
    const working = deferred<string>();
    const { hub, runs } = commandHub(() => working.promise);
    const [first, second] = [bench.connect(), bench.connect()];
    const outcomes = [first, second, first].map((peer) => bench.dispatch(peer, hub, ["aspirin", "id-1"]));
    let settled = 0;
    for (const outcome of outcomes) void Promise.resolve(outcome).then(() => settled++);
    await new Promise((resolve) => setImmediate(resolve));
    expect([runs.length, settled]).toEqual([1, 0]);
    working.resolve("o-1");
    expect(await Promise.all(outcomes)).toEqual(Array.from({ length: 3 }, () => ({ kind: "value", value: "o-1" })));
  });

  it("with other arguments under the same id is a conflict, while it runs and afterwards", async () => {
    const bench = createDispatchFixture();
    const working = deferred<string>();
    const { hub, runs } = commandHub(() => working.promise);
    const peer = bench.connect();
    const first = bench.dispatch(peer, hub, ["aspirin", "id-1"]);
    const conflict = { kind: "refused", error: { reason: "idempotency_conflict" }, method: "Order" };
    expect(await bench.dispatch(peer, hub, ["morphine", "id-1"])).toMatchObject(conflict);
    working.resolve("o-1");
    await first;
    expect(await bench.dispatch(peer, hub, ["morphine", "id-1"])).toMatchObject(conflict);
    expect(runs).toHaveLength(1);
  });

  it.each<[string, PeerOptions, { path?: string; name?: string }]>([
    ["another person", { subject: "bob" }, {}],
    ["the same subject of another tenant", { tenant: "annex" }, {}],
    ["the same subject of another issuer", { issuer: "https://other.example" }, {}],
    ["the same person on another hub", {}, { path: "/hubs/other" }],
    ["the same person by another method", {}, { name: "Cancel" }],
  ])("under the same id of %s is another command", async (_, who, where) => {
    const bench = createDispatchFixture();
    const { hub, runs } = commandHub(() => "first");
    expect(await bench.dispatch(bench.connect({ subject: "ann" }), hub, ["aspirin", "id-1"])).toMatchObject({
      value: "first",
    });
    const other = commandHub(() => "second", where.name === undefined ? {} : { name: where.name }, where.path);
    const outcome = bench.dispatch(
      bench.connect({ subject: "ann", ...who }),
      other.hub,
      ["aspirin", "id-1"],
      where.name,
    );
    expect(await outcome).toMatchObject({ value: "second" });
    expect([runs.length, other.runs.length]).toEqual([1, 1]);
  });

  it.each<[string, () => unknown, Partial<Outcome & { error: unknown }>]>([
    [
      "in the application's words",
      () => new HubError("The patient was discharged."),
      { error: { name: "HubError", message: "The patient was discharged." } as unknown },
    ],
    [
      "in the catalogue's words",
      () => new HubwardError("rate_limited", { detail: "too many orders", retryAfterSeconds: 5 }),
      {
        error: {
          name: "HubwardError",
          message: "rate_limited;action=retry-after;retry_after=5: too many orders",
        } as unknown,
      },
    ],
    ["without words", () => new Error("SELECT failed"), {}],
    ["by what is no error", () => "oops", {}],
  ])(
    "that failed %s fails in the same way when it is sent again, and does not run again",
    async (_, thrown, expected) => {
      const bench = createDispatchFixture();
      const { hub, runs } = commandHub(() => Promise.reject(thrown()));
      const peer = bench.connect();
      const [first, again] = [
        await bench.dispatch(peer, hub, ["aspirin", "id-1"]),
        await bench.dispatch(peer, hub, ["aspirin", "id-1"]),
      ];
      for (const outcome of [first, again])
        expect(outcome).toMatchObject({ kind: "failed", method: "Order", ...expected });
      expect(runs).toHaveLength(1);
      if (first.kind !== "failed" || again.kind !== "failed") throw new TypeError("both failed");
      // What was hidden once stays hidden.
      expect(String(again.error)).not.toContain("SELECT");
      expect(again.error instanceof HubError).toBe(first.error instanceof HubError);
      expect(again.error instanceof HubwardError).toBe(first.error instanceof HubwardError);
    },
  );

  it("is authorised before it is replayed", async () => {
    const bench = createDispatchFixture();
    let isAllowed = true;
    const rule = requirement(policy("Now", () => isAllowed));
    const { hub } = commandHub(() => "o-1", { requirements: [rule] });
    const peer = bench.connect();
    await bench.dispatch(peer, hub, ["aspirin", "id-1"]);
    isAllowed = false;
    expect(await bench.dispatch(peer, hub, ["aspirin", "id-1"])).toMatchObject({
      kind: "refused",
      error: { reason: "forbidden" },
    });
  });

  it.each<[string, (peer: Peer, bench: DispatchFixture) => void, string]>([
    ["its connection closes", ({ connection }) => connection.apply({ type: "drained" }), "going_away"],
    ["its credential ends unnoticed", (_, { clock }) => clock.block(60_000), "token_expired"],
  ])(
    "is not begun when %s while the store is asked, and may be run by the next who sends it",
    async (_, happen, reason) => {
      const inner = createMemoryIdempotencyStore({ clock: createFakeClock() });
      const asked = deferred<undefined>();
      const bench = createDispatchFixture({
        start: async (...command) => (await asked.promise, inner.start(...command)),
      });
      const { hub, runs } = commandHub(() => "o-1");
      const peer = bench.connect({ livesMs: 60_000 });
      const lost = bench.dispatch(peer, hub, ["aspirin", "id-1"]);
      const waiting = bench.dispatch(bench.connect(), hub, ["aspirin", "id-1"]);
      happen(peer, bench);
      asked.resolve(undefined);
      expect(await lost).toMatchObject({ kind: "refused", error: { reason }, method: "Order" });
      // Whoever waited for it is told to try again: nothing happened.
      expect(await waiting).toMatchObject({
        kind: "refused",
        error: { reason: "auth_unavailable", retryAfterSeconds: 1 },
      });
      expect(runs).toHaveLength(0);
      expect(await bench.dispatch(bench.connect(), hub, ["aspirin", "id-1"])).toEqual({ kind: "value", value: "o-1" });
    },
  );

  it("is judged again when the principal was replaced before it began", async () => {
    const inner = createMemoryIdempotencyStore({ clock: createFakeClock() });
    const bench = createDispatchFixture({ start: async (...command) => inner.start(...command) });
    const { hub, runs } = commandHub(() => "o-1");
    const peer = bench.connect();
    const outcome = bench.dispatch(peer, hub, ["aspirin", "id-1"]);
    peer.connection.replace(peer.connection.admission, "rechecked");
    expect(await outcome).toMatchObject({ kind: "value", value: "o-1" });
    expect(runs).toHaveLength(1);
  });

  it("does not begin when its credential ended while a rule was asked again behind the store", async () => {
    const bench = createDispatchFixture();
    const answer = deferred<undefined>();
    let asked = 0;
    const { hub, runs } = commandHub(() => "o-1", {
      precondition: () => (++asked === 1 ? undefined : answer.promise),
    });
    const peer = bench.connect({ livesMs: 5_000 });
    const outcome = bench.dispatch(peer, hub, ["aspirin", "id-1"]);
    while (asked < 2) await Promise.resolve();
    // The loop stood still: no timer has run.
    bench.clock.block(6_000);
    answer.resolve(undefined);
    expect(await outcome).toMatchObject({ kind: "refused", error: { reason: "token_expired" } });
    expect(runs).toEqual([]);
    expect(await bench.dispatch(bench.connect(), hub, ["aspirin", "id-1"])).toEqual({ kind: "value", value: "o-1" });
  });

  it("that has begun ends although its connection does, and is remembered", async () => {
    const bench = createDispatchFixture();
    const working = deferred<string>();
    const { hub } = commandHub(() => working.promise);
    const peer = bench.connect();
    const outcome = bench.dispatch(peer, hub, ["aspirin", "id-1"]);
    peer.socket.end();
    working.resolve("o-1");
    await outcome;
    expect(await bench.dispatch(bench.connect(), hub, ["aspirin", "id-1"])).toEqual({ kind: "value", value: "o-1" });
  });

  it("is refused when the store has no room", async () => {
    const clock = createFakeClock();
    const bench = createDispatchFixture(createMemoryIdempotencyStore({ clock, maxCommands: 1, keepMs: 60_000 }));
    const { hub, runs } = commandHub(() => "o");
    const peer = bench.connect();
    await bench.dispatch(peer, hub, ["aspirin", "id-1"]);
    expect(await bench.dispatch(peer, hub, ["aspirin", "id-2"])).toMatchObject({
      kind: "refused",
      error: { reason: "rate_limited", retryAfterSeconds: 60 },
    });
    expect(runs).toHaveLength(1);
  });

  it.each<[string, () => never | Promise<never>]>([
    [
      "throws",
      () => {
        throw new Error("disk");
      },
    ],
    ["rejects", () => Promise.reject(new Error("disk"))],
  ])("never runs when the store %s: nobody knows whether it ran before", async (_, start) => {
    const bench = createDispatchFixture({ start });
    const { hub, runs } = commandHub(() => "o");
    const outcome = await bench.dispatch(bench.connect(), hub, ["aspirin", "id-1"]);
    expect(outcome).toMatchObject({ kind: "refused", error: { reason: "auth_unavailable", retryAfterSeconds: 1 } });
    expect(runs).toHaveLength(0);
  });

  it("tells what came of it also when the store cannot keep it, and reports the store", async () => {
    const disk = new Error("disk");
    const bench = createDispatchFixture({
      start: () => ({ state: "started", finish: () => Promise.reject(disk), abandon: () => undefined }),
    });
    const { hub } = commandHub(() => "o-1");
    expect(await bench.dispatch(bench.connect(), hub, ["aspirin", "id-1"])).toEqual({ kind: "value", value: "o-1" });
    expect(bench.failures).toEqual([["idempotency store", disk]]);
  });

  it.each<[string, () => unknown]>([
    ["nothing", () => undefined],
    ["an empty text", () => ""],
    ["a number", () => 7],
  ])("whose id is %s is refused: all such would be one", async (_, commandId) => {
    const bench = createDispatchFixture();
    const { hub, runs } = commandHub(() => "o", { commandId: commandId as () => string });
    expect(await bench.dispatch(bench.connect(), hub, ["aspirin", "id-1"])).toMatchObject({
      kind: "refused",
      error: { reason: "bad_arguments" },
    });
    expect(runs).toHaveLength(0);
  });

  it("whose id cannot be made is refused, and the method does not run", async () => {
    const bench = createDispatchFixture();
    const { hub, runs } = commandHub(() => "o", {
      commandId: () => {
        throw new Error("no id");
      },
    });
    expect(await bench.dispatch(bench.connect(), hub, ["aspirin", "id-1"])).toMatchObject({ kind: "refused" });
    expect(runs).toHaveLength(0);
  });

  it("names its owner to the store, and passes on when there may be room for it", async () => {
    const owners: string[] = [];
    const bench = createDispatchFixture({
      start: (_key, _digest, owner) => {
        owners.push(owner);
        return owners.length === 1 ? { state: "full", retryAfterMs: 90_000 } : { state: "full" };
      },
    });
    const { hub } = commandHub(() => "o");
    const [ann, bob] = [bench.connect({ subject: "ann" }), bench.connect({ subject: "bob" })];
    const full = (retryAfterSeconds: number) => ({ error: { reason: "rate_limited", retryAfterSeconds } });
    expect(await bench.dispatch(ann, hub, ["aspirin", "id-1"])).toMatchObject(full(90));
    expect(await bench.dispatch(bob, hub, ["aspirin", "id-1"])).toMatchObject(full(60));
    expect(owners).toEqual([ann.connection.identity, bob.connection.identity]);
  });

  it("keeps neither arguments nor ids in a form that could be read or made to collide", async () => {
    const asked: string[][] = [];
    const bench = createDispatchFixture({
      start: (...command) => {
        asked.push(command);
        return { state: "known", outcome: { kind: "hidden" } satisfies CommandOutcome };
      },
    });
    const { hub } = commandHub(() => "o");
    await bench.dispatch(bench.connect(), hub, ["morphine", "a5:Order1:b"]);
    await bench.dispatch(bench.connect(), hub, ["morphine", "a"]);
    expect(new Set(asked.map(([key]) => key)).size).toBe(2);
    for (const [, digest] of asked) expect(digest).toMatch(/^[\w-]{43}$/);
    expect(asked[0]?.[1]).not.toBe(asked[1]?.[1]);
  });
});
