import { describe, expect, it } from "vitest";
import { createDispatchFixture } from "../../../test/dispatch-fixture.js";
import { denyAll, hubOf, methodOf, policy, requirement, schemaOf } from "../../../test/hub-fixture.js";
import { HubError } from "../errors.js";
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
