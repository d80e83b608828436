/** What becomes of calls, streams, uploads and questions when their connection lapses, or is somebody else's. */

import { recordingTelemetry } from "@hubward/testing";
import { decodeLimitDefaults, type HubwardError, jsonCodec, messageType, type HubMessage } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { admissionOf, bytes, createFixture, text, type Staff } from "../../test/connection-fixture.js";
import { limiterOf } from "../../test/limits-fixture.js";
import { patientWatch } from "../../test/policy-watch.js";
import {
  allowAll,
  deferred,
  groupOf,
  hubOf,
  methodOf,
  policy,
  requirement,
  template,
  textSchema,
  type Deferred,
} from "../../test/hub-fixture.js";
import type { Call } from "../core/dispatch/call.js";
import { ConnectionCall } from "../core/dispatch/connection-call.js";
import { createDispatcher } from "../core/dispatch/dispatcher.js";
import type { HubMethod } from "../core/dispatch/hub.js";
import { createMemoryIdempotencyStore } from "../memory/idempotency-store.js";
import { systemDigest } from "../platform/system-crypto.js";
import { SignalRHandler } from "./handler.js";

const open = groupOf(template("open", allowAll));

const HELLO = '{"protocol":"json","version":1}\x1e';
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Handle = HubMethod<Staff>["handle"];

/** A method for each way to be in the middle of something; `judge` is asked about all of them. */
function createBench({ judge = () => true }: { readonly judge?: () => boolean | Promise<boolean> } = {}) {
  const fixture = createFixture({ outbox: { maxBytes: 4_096 } });
  const { groups, fanout, invokeClient, clock, failures } = fixture;
  const { telemetry, of } = recordingTelemetry();
  const works: Deferred<unknown>[] = [];
  const signals: AbortSignal[] = [];
  const items: Deferred<IteratorResult<unknown>>[] = [];
  const read: unknown[] = [];
  let entered = 0;
  const rule = requirement(policy("Judged", () => judge()));
  const work = (call: Call<Staff>): Promise<unknown> => {
    entered++;
    signals.push(call.signal);
    works.push(deferred());
    return (works.at(-1) as Deferred<unknown>).promise;
  };
  async function* stream(call: Call<Staff>): AsyncGenerator<unknown> {
    signals.push(call.signal);
    for (;;) {
      items.push(deferred());
      const { done, value } = await (items.at(-1) as Deferred<IteratorResult<unknown>>).promise;
      if (done === true) return;
      yield value;
    }
  }
  async function upload(_call: Call<Staff>, given: AsyncIterable<unknown>): Promise<string> {
    try {
      for await (const item of given) read.push(item);
      return "all read";
    } catch (error) {
      read.push((error as { reason?: string }).reason);
      throw error;
    }
  }
  const requirements = [rule];
  const hub = hubOf([
    methodOf("Work", { requirements, handle: work as Handle }),
    methodOf("Echo", { requirements, schemas: [textSchema()], handle: ((_call, words: string) => words) as Handle }),
    methodOf("Stream", { requirements, isStream: true, handle: stream as Handle }),
    methodOf("Upload", { requirements, uploads: [textSchema()], handle: upload as Handle }),
    methodOf("Late", {
      requirements,
      // Its credential ends while it works, and it is the first to see it.
      handle: ((call: Call<Staff>) => {
        clock.block(3_600_000);
        call.toAll().emit("late");
        return 1;
      }) as Handle,
    }),
    methodOf("LateButGoesOn", {
      requirements,
      handle: ((call: Call<Staff>) => {
        clock.block(3_600_000);
        try {
          call.toAll().emit("late");
        } catch {
          // As a method may.
        }
        return work(call);
      }) as Handle,
    }),
    methodOf("SayLater", {
      requirements,
      handle: (async (call: Call<Staff>) => {
        await work(call);
        try {
          call.toOthers().emit("later");
        } catch (error) {
          read.push(`emit ${(error as HubwardError).reason}`);
        }
        await call.groups.join(open).catch((error: HubwardError) => void read.push(`join ${error.reason}`));
      }) as Handle,
    }),
    methodOf("Leave", {
      requirements,
      handle: ((call: Call<Staff>) => {
        const working = work(call);
        peer.connection.apply({ type: "aborted", reason: "normal" });
        return working;
      }) as Handle,
    }),
  ]);
  const limiter = limiterOf(clock);
  const dispatch = createDispatcher<Staff>({
    limiter,
    idempotency: createMemoryIdempotencyStore({ clock }),
    digest: systemDigest,
    createCall: (connection, method, control) =>
      new ConnectionCall(connection, method, control, { groups, fanout, invokeClient }),
    watch: patientWatch((where, error) => void failures.push([where, error])),
  });
  const peer = fixture.connect({ livesMs: 3_600_000, isOpen: false, isMute: true });
  const { connection, socket } = peer;
  connection.speak(
    new SignalRHandler({
      connection,
      hub,
      dispatch,
      limiter,
      clock,
      telemetry,
      decodeLimits: decodeLimitDefaults,
      isResumable: false,
      control: (target) => (target === "hubward.echo" ? Promise.resolve("heard") : undefined),
      bind: () => true,
    }),
  );
  socket.peerSends(bytes(HELLO));
  connection.apply({ type: "refresh-shown" });
  let heardBytes = 0;
  const send = (message: HubMessage): void => socket.peerSends(jsonCodec.encode(message));

  /** What was said to the peer since it was last asked: `1 = value`, `1 ! error`, `1 + item`, notices left out. */
  async function hear(): Promise<string[]> {
    await settle();
    while (clock.pendingTurn > 0) clock.endTurn();
    const said = text(socket.written.subarray(heardBytes));
    heardBytes = socket.written.length;
    return [...said.matchAll(/\{"type":.*?(?=\x1e)/gs)]
      .map(([body]) => jsonCodec.decode(bytes(body)) as HubMessage)
      .flatMap((message) => {
        if (message.type === messageType.streamItem) return [`${message.invocationId} + ${String(message.item)}`];
        if (message.type === messageType.invocation)
          return message.target === "hubward.notice" ? [] : [`asked ${message.target} ${message.invocationId ?? ""}`];
        if (message.type !== messageType.completion) return [];
        const { invocationId, outcome } = message;
        if (outcome.kind === "error") return [`${invocationId} ! ${outcome.error.replace(/[;:].*/, "")}`];
        return [`${invocationId} = ${outcome.kind === "value" ? String(outcome.value) : "done"}`];
      });
  }

  return {
    ...fixture,
    ...peer,
    fixture,
    of,
    works,
    signals,
    items,
    read,
    entered: () => entered,
    hear,
    send,
    call: (target: string, invocationId: string, ...args: unknown[]) =>
      send({ type: messageType.invocation, invocationId, target, arguments: args }),
    openStream: (invocationId: string) =>
      send({ type: messageType.streamInvocation, invocationId, target: "Stream", arguments: [] }),
    cancel: (invocationId: string) => send({ type: messageType.cancelInvocation, invocationId }),
    lapse: () => connection.apply({ type: "claims-changed" }),
    comeBack: () => connection.replace(admissionOf({ expiresAt: clock.now() + 3_600_000 }), "reauthenticated"),
  };
}

describe("a lapse", () => {
  it("tells a running call to stop, and its caller why, also when the connection was back before it had", async () => {
    const bench = createBench();
    bench.call("Work", "1");
    await settle();
    bench.lapse();
    expect([bench.signals[0]?.aborted, await bench.hear()]).toEqual([true, []]);
    bench.comeBack();
    bench.works[0]?.resolve("secret");
    expect(await bench.hear()).toEqual(["1 ! reauth_required"]);
    expect(bench.of("call.refused")).toMatchObject([{ method: "Work", reason: "reauth_required" }]);
  });

  it("refuses at once what waits for its turn, and what comes, though an old call still has it", async () => {
    const bench = createBench();
    for (const id of ["1", "2", "3"]) bench.call("Work", id);
    bench.lapse();
    expect(await bench.hear()).toEqual(["2 ! reauth_required", "3 ! reauth_required"]);
    bench.call("Echo", "4", "words");
    bench.openStream("5");
    expect(await bench.hear()).toEqual(["4 ! reauth_required", "5 ! reauth_required"]);
    bench.comeBack();
    bench.call("Echo", "6", "words");
    // The old one keeps its turn for as long as it runs.
    expect(await bench.hear()).toEqual([]);
    bench.works[0]?.reject(new Error("stopped"));
    expect(await bench.hear()).toEqual(["1 ! reauth_required", "6 = words"]);
    expect(bench.entered()).toBe(1);
  });

  it("reports what waited by the names that were declared, and none for what was not", async () => {
    const bench = createBench();
    for (const target of ["Work", "wORK", "\u001b[31m"]) bench.call(target, target);
    bench.lapse();
    expect(bench.of("call.refused").map(({ method }) => method)).toEqual(["Work", undefined]);
  });

  it("lets the peer send again that was held back for what waited", async () => {
    const bench = createBench();
    for (let id = 1; id <= 20; id++) bench.call("Work", String(id));
    expect(bench.socket.isPaused).toBe(true);
    bench.lapse();
    expect([bench.socket.isPaused, (await bench.hear()).length]).toEqual([false, 19]);
  });

  it("refuses what waits behind a greeting, and goes on with what comes when that is over", async () => {
    const bench = createBench();
    bench.connection.hold();
    bench.call("Echo", "1", "words");
    bench.lapse();
    bench.comeBack();
    bench.call("Echo", "2", "words");
    bench.connection.release();
    expect(await bench.hear()).toEqual(["1 ! reauth_required", "2 = words"]);
  });

  it("answers what is no call: re-authentication must get through", async () => {
    const bench = createBench();
    bench.call("Work", "1");
    bench.lapse();
    bench.call("hubward.echo", "2");
    expect(await bench.hear()).toEqual(["2 = heard"]);
  });

  it("ends streams with its reason, gives nothing of what they still make, and leaves their ids free", async () => {
    const bench = createBench();
    bench.openStream("1");
    await settle();
    bench.items[0]?.resolve({ done: false, value: "a" });
    expect(await bench.hear()).toEqual(["1 + a"]);
    bench.lapse();
    expect([await bench.hear(), bench.signals[0]?.aborted]).toEqual([["1 ! reauth_required"], true]);
    bench.comeBack();
    bench.items[1]?.resolve({ done: false, value: "secret" });
    bench.openStream("1");
    await settle();
    bench.items.at(-1)?.resolve({ done: false, value: "new" });
    expect(await bench.hear()).toEqual(["1 + new"]);
  });

  it("fails what is sent along with a call, drops what still comes of it, and takes new ones when it is over", async () => {
    const bench = createBench();
    const upload = (id: string, streamId: string): void =>
      bench.send({
        type: messageType.invocation,
        invocationId: id,
        target: "Upload",
        arguments: [],
        streamIds: [streamId],
      });
    const item = (streamId: string, words: string): void =>
      bench.send({ type: messageType.streamItem, invocationId: streamId, item: words });
    upload("1", "s1");
    item("s1", "a");
    await settle();
    bench.lapse();
    item("s1", "late");
    await settle();
    expect([bench.read, await bench.hear()]).toEqual([["a", "reauth_required"], ["1 ! reauth_required"]]);
    bench.comeBack();
    upload("2", "s1");
    item("s1", "b");
    bench.send({ type: messageType.completion, invocationId: "s1", outcome: { kind: "void" } });
    expect([await bench.hear(), bench.read.at(-1)]).toEqual([["2 = all read"], "b"]);
  });

  it("fails what the client was asked, takes no answer to it, and asks anew when it is over", async () => {
    const bench = createBench();
    const asked = bench.connection.invoke("Ask", [], { timeoutMs: 60_000, signal: undefined });
    const failure = asked.catch((error: HubwardError) => error.reason);
    await bench.hear();
    bench.lapse();
    expect(await failure).toBe("reauth_required");
    const answer = (id: string): void =>
      bench.send({ type: messageType.completion, invocationId: id, outcome: { kind: "value", value: 7 } });
    answer("s1");
    await expect(bench.connection.invoke("Ask", [], { timeoutMs: 1, signal: undefined })).rejects.toMatchObject({
      reason: "reauth_required",
    });
    bench.comeBack();
    const again = bench.connection.invoke("Ask", [], { timeoutMs: 60_000, signal: undefined });
    expect(await bench.hear()).toEqual(["asked Ask s2"]);
    answer("s2");
    expect([await again, bench.clock.pending]).toEqual([7, 0]);
  });

  it.each(["the caller cancels first", "the lapse is first"])(
    "and a caller that cancels: %s, the result is said to nobody",
    async (order) => {
      const bench = createBench();
      for (const id of ["1", "2"]) bench.call("Work", id);
      bench.openStream("3");
      await settle();
      const cancel = (): void => ["1", "2", "3"].forEach(bench.cancel);
      if (order === "the lapse is first") bench.lapse();
      cancel();
      if (order !== "the lapse is first") bench.lapse();
      bench.comeBack();
      bench.works[0]?.resolve("secret");
      const heard = await bench.hear();
      expect(heard).toContain("1 ! reauth_required");
      expect(heard).toContain("2 ! reauth_required");
      expect(heard.filter((words) => words.startsWith("3"))).toHaveLength(1);
      expect([heard.join().includes("secret"), bench.entered()]).toEqual([false, 1]);
    },
  );

  it("that the method itself is the first to see stops it as any other, and its result is nobody's", async () => {
    const bench = createBench();
    bench.call("Late", "1");
    expect([await bench.hear(), bench.connection.lapse]).toEqual([["1 ! token_expired"], "token_expired"]);
    const other = createBench();
    other.call("LateButGoesOn", "1");
    other.comeBack();
    other.call("Echo", "2", "words");
    expect([other.signals[0]?.aborted, await other.hear()]).toEqual([true, []]);
    other.works[0]?.resolve("secret");
    expect(await other.hear()).toEqual(["1 ! token_expired", "2 = words"]);
  });

  it("silences what was stopped for good: with standing back, it neither says, joins nor asks anything", async () => {
    const bench = createBench();
    const other = bench.fixture.connect();
    bench.call("SayLater", "1");
    await settle();
    bench.lapse();
    bench.comeBack();
    bench.works[0]?.resolve(undefined);
    expect(await bench.hear()).toEqual(["1 ! reauth_required"]);
    expect([bench.read, other.said()]).toEqual([["emit reauth_required", "join reauth_required"], ""]);
    const quiet = createBench();
    const listener = quiet.fixture.connect();
    quiet.call("SayLater", "1");
    await settle();
    quiet.works[0]?.resolve(undefined);
    expect([await quiet.hear(), quiet.read]).toEqual([["1 = null"], []]);
    while (quiet.clock.pendingTurn > 0) quiet.clock.endTurn();
    expect(listener.said()).toBe("later([])\n");
  });

  it("is not needed for that: a call that ends its own connection hears of it, too", async () => {
    const bench = createBench();
    bench.call("Leave", "1");
    await settle();
    expect([bench.connection.isListening, bench.signals[0]?.aborted]).toEqual([false, true]);
  });
});

describe("another principal", () => {
  /** Judges as told from now on. */
  function judged() {
    let answer: () => boolean | Promise<boolean> = () => true;
    const bench = createBench({ judge: () => answer() });
    return {
      bench,
      become(next: () => boolean | Promise<boolean>) {
        answer = next;
        bench.comeBack();
      },
    };
  }

  it("who may do it as well lets calls and streams go on, and nothing is aborted", async () => {
    const { bench, become } = judged();
    bench.call("Work", "1");
    bench.openStream("2");
    await settle();
    for (const next of [() => true, () => Promise.resolve(true)]) become(next);
    bench.works[0]?.resolve("result");
    bench.items[0]?.resolve({ done: false, value: "a" });
    expect(await bench.hear()).toEqual(expect.arrayContaining(["1 = result", "2 + a"]));
    expect(bench.signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  });

  it.each<[string, () => boolean | Promise<boolean>]>([
    ["at once", () => false],
    ["later", () => Promise.resolve(false)],
  ])("who may not, as is said %s, stops calls and streams; their callers get the refusal", async (_, no) => {
    const { bench, become } = judged();
    bench.call("Work", "1");
    bench.openStream("2");
    await settle();
    become(no);
    expect(await bench.hear()).toEqual(["2 ! forbidden"]);
    bench.works[0]?.resolve("secret");
    bench.items[0]?.resolve({ done: false, value: "secret" });
    expect(await bench.hear()).toEqual(["1 ! forbidden"]);
    expect(bench.signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(bench.of("call.refused").map(({ reason, policy: name }) => [reason, name])).toEqual([
      ["forbidden", "Judged"],
      ["forbidden", "Judged"],
    ]);
  });

  it.each([true, false])(
    "about whom somebody still thinks lets results and items wait for the verdict: %s",
    async (verdict) => {
      const { bench, become } = judged();
      const asked = deferred<boolean>();
      bench.call("Work", "1");
      bench.openStream("2");
      await settle();
      become(() => asked.promise);
      bench.works[0]?.resolve("result");
      bench.items[0]?.resolve({ done: false, value: "a" });
      expect([await bench.hear(), bench.items.length]).toEqual([[], 1]);
      asked.resolve(verdict);
      const heard = await bench.hear();
      expect(heard.toSorted()).toEqual(verdict ? ["1 = result", "2 + a"] : ["1 ! forbidden", "2 ! forbidden"]);
    },
  );

  it("does not hold up the refusal of a lapse by a rule that never answers", async () => {
    const { bench, become } = judged();
    bench.call("Work", "1");
    await settle();
    become(() => new Promise(() => undefined));
    bench.works[0]?.resolve("secret");
    expect(await bench.hear()).toEqual([]);
    bench.lapse();
    expect(await bench.hear()).toEqual(["1 ! reauth_required"]);
  });

  it("may not hear either what its caller cancelled in time", async () => {
    const { bench, become } = judged();
    bench.call("Work", "1");
    await settle();
    bench.cancel("1");
    become(() => false);
    bench.works[0]?.resolve("secret");
    expect(await bench.hear()).toEqual(["1 ! forbidden"]);
  });

  it.each<[string, () => boolean | Promise<boolean>]>([
    ["at once", () => false],
    ["later", () => Promise.resolve(false)],
  ])("who may not, as is said %s, does not get a result that waits for room", async (_, no) => {
    const { bench, become } = judged();
    bench.socket.stall();
    bench.connection.send({ bytes: new Uint8Array(3_000), group: undefined });
    bench.clock.endTurn();
    bench.call("Echo", "1", "secret".repeat(300));
    await settle();
    become(no);
    await settle();
    bench.socket.unstall();
    bench.socket.confirm();
    await settle();
    bench.socket.confirm();
    expect(await bench.hear()).toEqual(["1 ! forbidden"]);
  });

  it("is asked about a call that has not begun when it is its turn, and about one that is at the gate", async () => {
    const { bench, become } = judged();
    bench.call("Work", "1");
    bench.call("Echo", "2", "words");
    await settle();
    become(() => false);
    bench.works[0]?.resolve("secret");
    expect(await bench.hear()).toEqual(["1 ! forbidden", "2 ! forbidden"]);
  });
});
