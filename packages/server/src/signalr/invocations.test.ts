import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deferred, type Deferred } from "../../test/hub-fixture.js";
import { CallControl } from "../core/dispatch/call-control.js";
import { Invocations, type Invocation } from "./invocations.js";
import { Throttle } from "./throttle.js";

function message(target: string, invocationId?: string): Invocation {
  return {
    message: { type: 1, target, arguments: [], invocationId },
    control: new CallControl(),
    uploads: [],
    takesTurn: true,
  };
}

function createFixture(maxParallel: number) {
  const started: string[] = [];
  const running = new Map<string, Deferred<void>>();
  const peer: string[] = [];
  const invocations = new Invocations(
    maxParallel,
    ({ message: { target } }) => {
      started.push(target);
      if (target.startsWith("sync")) return undefined;
      const work = deferred<void>();
      running.set(target, work);
      return work.promise;
    },
    new Throttle({ pause: () => void peer.push("pause"), resume: () => void peer.push("resume") }),
  );
  /** Lets one call end, and what follows from it begin. */
  async function finish(target: string): Promise<void> {
    running.get(target)?.resolve();
    running.delete(target);
    await Promise.resolve();
    await Promise.resolve();
  }
  return { invocations, started, running, peer, finish };
}

describe("a connection's calls", () => {
  it("run one at a time, in order, those that end at once too", async () => {
    const { invocations, started, finish } = createFixture(1);
    for (const target of ["a", "sync1", "b", "sync2", "sync3"]) invocations.add(message(target));
    expect(started).toEqual(["a"]);
    await finish("a");
    expect(started).toEqual(["a", "sync1", "b"]);
    await finish("b");
    expect(started).toEqual(["a", "sync1", "b", "sync2", "sync3"]);
    expect(invocations.isBusy).toBe(false);
  });

  it("never run more at a time than allowed, start in order, and hold the peer back exactly while too many wait", async () => {
    const act = fc.oneof(
      fc.record({ do: fc.constant("add" as const), isSync: fc.boolean() }),
      fc.record({ do: fc.constant("add" as const), isSync: fc.constant(false) }),
      fc.record({ do: fc.constant("finish" as const), index: fc.nat(5) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(act, { maxLength: 80 }), async (maxParallel, acts) => {
        const { invocations, started, running, peer, finish } = createFixture(maxParallel);
        let added = 0;
        for (const each of acts) {
          if (each.do === "add") invocations.add(message(`${each.isSync ? "sync" : "call"}${added++}`));
          else await finish([...running.keys()][each.index] ?? "none");
          const waiting = added - started.length;
          expect(running.size).toBeLessThanOrEqual(maxParallel);
          if (waiting > 0) expect(running.size).toBe(maxParallel);
          expect(invocations.isBusy).toBe(running.size > 0);
          expect(started.map((target) => Number(target.replace(/\D+/, "")))).toEqual(started.map((_, index) => index));
          const isPaused = peer.at(-1) === "pause";
          if (waiting >= 16) expect(isPaused).toBe(true);
          if (waiting <= 8) expect(isPaused).toBe(false);
        }
        expect(peer).toEqual(peer.map((_, index) => (index % 2 === 0 ? "pause" : "resume")));
      }),
      { numRuns: 300 },
    );
  });

  it("still take what one read brought while the peer is held back", async () => {
    const { invocations, started, peer, finish } = createFixture(1);
    for (let count = 0; count < 100; count++) invocations.add(message(`call${count}`));
    expect(peer).toEqual(["pause"]);
    for (let count = 0; count < 100; count++) {
      await finish(`call${count}`);
      // It may go on when half of what made it wait is done: 8 calls wait then.
      const waiting = 100 - started.length;
      expect(peer.at(-1)).toBe(waiting > 8 ? "pause" : "resume");
    }
    expect([started.length, peer]).toEqual([100, ["pause", "resume"]]);
  });

  it("go on behind one that breaks its promise never to be rejected", async () => {
    const { invocations, started, running } = createFixture(1);
    for (const target of ["a", "b"]) invocations.add(message(target));
    running.get("a")?.reject(new Error("defect"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(started).toEqual(["a", "b"]);
  });

  it("that wait are forgotten when standing is lost; what runs ends by itself", async () => {
    const { invocations, started, finish } = createFixture(1);
    for (const target of ["a", "b", "c"]) invocations.add(message(target));
    invocations.clear();
    await finish("a");
    expect([started, invocations.isBusy]).toEqual([["a"], false]);
  });
});
