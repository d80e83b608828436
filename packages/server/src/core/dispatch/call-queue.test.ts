import { HubwardError } from "@hubward/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deferred, type Deferred } from "../../../test/hub-fixture.js";
import { CallControl } from "./call-control.js";
import { Throttle } from "../connection/throttle.js";
import { CallQueue, type QueuedCall } from "./call-queue.js";

interface Named extends QueuedCall {
  readonly message: { readonly type: number; readonly target: string; readonly invocationId?: string | undefined };
}

function createFixture(maxParallel: number) {
  const started: string[] = [];
  const running = new Map<string, Deferred<void>>();
  const peer: string[] = [];
  const invocations = new CallQueue<Named>(
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
  function message(target: string, invocationId?: string): Named {
    return {
      message: { type: 1, target, invocationId },
      control: new CallControl(invocations),
      takesTurn: true,
    };
  }
  return { invocations, message, started, running, peer, finish };
}

describe("a connection's calls", () => {
  it("run one at a time, in order, those that end at once too", async () => {
    const { invocations, message, started, finish } = createFixture(1);
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
        const { invocations, message, started, running, peer, finish } = createFixture(maxParallel);
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
    const { invocations, message, started, peer, finish } = createFixture(1);
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
    const { invocations, message, started, running } = createFixture(1);
    for (const target of ["a", "b"]) invocations.add(message(target));
    running.get("a")?.reject(new Error("defect"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(started).toEqual(["a", "b"]);
  });

  it("that wait are forgotten when standing is lost; what runs ends by itself", async () => {
    const { invocations, message, started, finish } = createFixture(1);
    for (const target of ["a", "b", "c"]) invocations.add(message(target));
    invocations.clear();
    await finish("a");
    expect([started, invocations.isBusy]).toEqual([["a"], false]);
  });

  it("give their turn to the calls behind them once, for good, and take none back when they end", async () => {
    const { invocations, message, started, finish } = createFixture(1);
    const [first, second] = [message("a"), message("b")];
    for (const each of [first, second, message("c")]) invocations.add(each);
    first.control.giveTurn();
    first.control.giveTurn();
    expect([started, invocations.isBusy]).toEqual([["a", "b"], true]);
    await finish("a");
    expect(started).toEqual(["a", "b"]);
    await finish("b");
    expect(started).toEqual(["a", "b", "c"]);
    await finish("c");
    expect([invocations.isBusy, invocations.size]).toEqual([false, 0]);
  });

  it("keep their turn when too many have given theirs away", () => {
    const { invocations, message, started } = createFixture(1);
    const calls = Array.from({ length: 70 }, (_, index) => message(`call${index}`));
    for (const each of calls) invocations.add(each);
    for (const each of calls) if (started.includes(each.message.target)) each.control.giveTurn();
    expect([started.length, calls.filter(({ control }) => control.hasGivenTurn).length]).toEqual([65, 64]);
  });

  it("with streams begin in order and take no turn; on hold nothing begins; cancelled ones are told; nothing is left", async () => {
    const act = fc.oneof(
      fc.record({ do: fc.constantFrom("call", "call", "stream", "upload") }),
      fc.record({ do: fc.constantFrom("finish", "finish", "cancel", "give"), index: fc.nat(8) }),
      fc.record({ do: fc.constantFrom("hold", "release") }),
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(act, { maxLength: 100 }), async (maxParallel, acts) => {
        const { invocations, message, started, running, peer, finish } = createFixture(maxParallel);
        const all: Named[] = [];
        const given = new Set<string>();
        const cancelled = new Set<string>();
        let isOnHold = false;
        const takesTurn = (target: string): boolean => target.startsWith("call");
        for (const each of acts) {
          const target = "index" in each ? ([...running.keys()][each.index] ?? "none") : `${each.do}${all.length}`;
          const startedBefore = started.length;
          if (each.do === "finish") await finish(target);
          else if (each.do === "cancel") {
            const meant = all[(each as { index: number }).index];
            if (meant?.message.invocationId !== undefined) {
              const { invocationId } = meant.message;
              invocations.cancel(({ message }) => message.invocationId === invocationId);
              cancelled.add(meant.message.target);
            }
          } else if (each.do === "give") {
            all.find(({ message: { target: other } }) => other === target)?.control.giveTurn();
            if (takesTurn(target)) given.add(target);
          } else if (each.do === "hold") invocations.hold();
          else if (each.do === "release") invocations.release();
          else {
            const added: Named = {
              ...message(target, String(all.length)),
              control: new CallControl(each.do === "call" ? invocations : undefined),
              takesTurn: each.do === "call",
            };
            all.push(added);
            invocations.add(added);
          }
          if (each.do === "hold") isOnHold = true;
          if (each.do === "release") isOnHold = false;

          const turns = [...running.keys()].filter((name) => takesTurn(name) && !given.has(name)).length;
          expect(turns).toBeLessThanOrEqual(maxParallel);
          expect(started).toEqual(all.slice(0, started.length).map(({ message: { target: name } }) => name));
          if (isOnHold) expect(started.length).toBe(startedBefore);
          // Something waits only behind one that may not begin.
          const next = all[started.length];
          if (next !== undefined && !isOnHold) expect([next.takesTurn, turns]).toEqual([true, maxParallel]);
          expect(invocations.streams).toBe([...running.keys()].filter((name) => !takesTurn(name)).length);
          expect(invocations.size).toBe(running.size + all.length - started.length);
          expect(peer.at(-1) === "pause").toBe(peer.length % 2 === 1);
        }
        for (const {
          message: { target },
          control,
        } of all) {
          if (cancelled.has(target) && (running.has(target) || !started.includes(target)))
            expect(control.isCancelled).toBe(true);
          if (!cancelled.has(target)) expect(control.isCancelled).toBe(false);
        }
        invocations.release();
        while (running.size > 0) await finish([...running.keys()][0] ?? "");
        expect([invocations.size, invocations.streams, invocations.isBusy, started.length]).toEqual([
          0,
          0,
          false,
          all.length,
        ]);
        expect(peer.length % 2).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it("leave nothing behind, 10,000 of them and as many cancellations later", async () => {
    const { invocations, message, finish, peer } = createFixture(2);
    for (let count = 0; count < 10_000; count++) {
      const [target, isStream] = [`${count % 2 === 0 ? "sync" : "call"}${count}`, count % 3 === 0];
      invocations.add({ ...message(target, `${count}`), takesTurn: !isStream });
      invocations.cancel(({ message: { invocationId } }) => invocationId === `${count}`);
      await finish(target);
    }
    expect([invocations.size, invocations.isBusy, peer]).toEqual([0, false, []]);
  });

  it("that run when the connection ends are told, each once, and what waits never begins", () => {
    const { invocations, message, started } = createFixture(1);
    const calls = ["a", "b", "c"].map((target) => message(target, target));
    for (const each of calls) invocations.add(each);
    invocations.hold();
    invocations.clear();
    invocations.release();
    expect(calls.map(({ control }) => control.isCancelled)).toEqual([true, false, false]);
    expect([started, invocations.size]).toEqual([["a"], 1]);
  });

  it("are told of a lapse while they begin, also the one that has given its turn to another which begins", () => {
    const begun: Named[] = [];
    const stopped: unknown[] = [];
    const invocations = new CallQueue<Named>(
      1,
      (invocation) => {
        begun.push(invocation);
        if (invocation.message.target === "outer") invocation.control.giveTurn();
        else invocations.refuse(new HubwardError("token_expired"));
        stopped.push([invocation.message.target, invocation.control.refusal?.reason]);
        return undefined;
      },
      new Throttle({ pause: () => undefined, resume: () => undefined }),
    );
    const add = (target: string): void =>
      invocations.add({
        message: { type: 1, target, invocationId: target },
        control: new CallControl(invocations),
        takesTurn: true,
      });
    invocations.hold();
    for (const target of ["outer", "inner", "waiting"]) add(target);
    invocations.release();
    expect(stopped).toEqual([
      ["waiting", "token_expired"],
      ["inner", "token_expired"],
      ["outer", "token_expired"],
    ]);
    expect([begun.length, invocations.size, invocations.isBusy]).toEqual([3, 0, false]);
    invocations.judgeAgain();
    add("next");
    expect(stopped.at(-1)).toEqual(["next", "token_expired"]);
  });
});
