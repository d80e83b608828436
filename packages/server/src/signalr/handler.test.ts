import { recordingTelemetry } from "@hubward/testing";
import { decodeLimitDefaults, HubwardError, jsonCodec, messageType, renderFrame, type HubMessage } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { bytes, createFixture, text, type Fixture, type Peer, type Staff } from "../../test/connection-fixture.js";
import { deferred, denyAll, hubOf, methodOf, policy, requirement, textSchema } from "../../test/hub-fixture.js";
import { createMemoryIdempotencyStore } from "../memory/idempotency-store.js";
import { systemDigest } from "../platform/system-crypto.js";
import { ConnectionCall } from "../core/dispatch/connection-call.js";
import { createDispatcher } from "../core/dispatch/dispatcher.js";
import type { HubMethod } from "../core/dispatch/hub.js";
import { HubError } from "../core/errors.js";
import type { Telemetry } from "../core/telemetry.js";
import { Publication } from "../core/publication.js";
import { SignalRHandler } from "./handler.js";
import { limiterOf } from "../../test/limits-fixture.js";
import { patientWatch } from "../../test/policy-watch.js";

const denyLater = requirement(policy("Later", () => Promise.resolve(false)));
const HELLO = '{"protocol":"json","version":1}\x1e';

interface Bench extends Fixture, ReturnType<typeof recordingTelemetry> {
  /** The connection with SignalR's handler in place of lines; the peer has not said hello. */
  arrive(options?: { readonly bind?: () => boolean; readonly livesMs?: number }): Peer & { hear(): HubMessage[] };
}

function createBench(methods: readonly HubMethod<Staff>[] = [], sink?: Telemetry): Bench {
  const fixture = createFixture();
  const recording = recordingTelemetry();
  const { groups, fanout, invokeClient, clock, failures } = fixture;
  const hub = hubOf(methods);
  const limiter = limiterOf(clock);
  const dispatch = createDispatcher<Staff>({
    limiter,
    idempotency: createMemoryIdempotencyStore({ clock }),
    digest: systemDigest,
    createCall: (connection, method, control) =>
      new ConnectionCall(connection, method, control, { groups, fanout, invokeClient }),
    watch: patientWatch((where, error) => void failures.push([where, error])),
  });
  return {
    ...fixture,
    ...recording,
    arrive({ bind = () => true, livesMs = 3_600_000 } = {}) {
      const peer = fixture.connect({ livesMs, isOpen: false, isMute: true });
      const { connection, socket } = peer;
      connection.speak(
        new SignalRHandler({
          connection,
          hub,
          dispatch,
          limiter,
          clock,
          telemetry: sink ?? recording.telemetry,
          decodeLimits: { ...decodeLimitDefaults, maxBytes: 1_000 },
          isResumable: false,
          bind,
        }),
      );
      let heardBytes = 0;
      return {
        ...peer,
        /** What was said to the peer since it was last asked, the handshake's answer left out. */
        hear() {
          while (clock.pendingTurn > 0) clock.endTurn();
          const said = text(socket.written.subarray(heardBytes));
          heardBytes = socket.written.length;
          return [...said.matchAll(/\{"type":.*?(?=\x1e)/gs)].map(
            ([body]) => jsonCodec.decode(bytes(body)) as HubMessage,
          );
        },
      };
    },
  };
}

function call(target: string, args: readonly unknown[] = [], invocationId: string | undefined = "1"): string {
  return text(jsonCodec.encode({ type: messageType.invocation, invocationId, target, arguments: args }));
}

function completed(value: unknown, invocationId = "1"): unknown {
  return { type: messageType.completion, invocationId, outcome: { kind: "value", value } };
}

function failedWith(error: string, invocationId = "1"): unknown {
  return { type: messageType.completion, invocationId, outcome: { kind: "error", error } };
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

const echo = methodOf("Echo", {
  schemas: [textSchema()],
  handle: ((_call, value: string) => value) as HubMethod<Staff>["handle"],
});

describe("a SignalR connection", () => {
  it("answers the handshake before it says anything else", () => {
    const bench = createBench();
    const { connection, socket } = bench.arrive();
    connection.deliver(new Publication("early", [], undefined), undefined);
    socket.peerSends(bytes(HELLO));
    expect(bench.reports).toEqual(["opened c1"]);
    connection.deliver(new Publication("vitals", [1], undefined), undefined);
    bench.clock.endTurn();
    const [answer, event] = [renderFrame("text", bytes("{}\x1e")), text(socket.written)];
    expect(event.startsWith(text(answer))).toBe(true);
    expect([event.includes("vitals"), event.includes("early")]).toEqual([true, false]);
  });

  it.each<[string, string]>([
    ["in one piece with the handshake", HELLO + call("Echo", ["a"], "1") + call("Echo", ["b"], "2")],
    ["after it", call("Echo", ["a"], "1") + call("Echo", ["b"], "2")],
  ])("hears calls that come %s, cut anywhere", (_, sent) => {
    for (let cut = 0; cut <= sent.length; cut += 7) {
      const peer = createBench([echo]).arrive();
      if (!sent.startsWith(HELLO)) peer.socket.peerSends(bytes(HELLO));
      peer.socket.peerSends(bytes(sent.slice(0, cut)));
      peer.socket.peerSends(bytes(sent.slice(cut)));
      expect(peer.hear()).toEqual([completed("a", "1"), completed("b", "2")]);
    }
  });

  it("is nobody's when another attempt of its ticket was faster", () => {
    const bench = createBench([echo]);
    const { socket } = bench.arrive({ bind: () => false });
    socket.peerSends(bytes(HELLO + call("Echo", ["a"])));
    expect(bench.reports).toEqual(["ended c1"]);
    expect(socket.closed).toMatchObject({ code: 4415 });
    expect(text(socket.written)).toContain("Handshake was canceled.");
  });

  it("binds its ticket once, and not before the handshake is whole", () => {
    let bindings = 0;
    const { socket } = createBench().arrive({ bind: () => ++bindings === 1 });
    socket.peerSends(bytes(HELLO.slice(0, 9)));
    expect(bindings).toBe(0);
    socket.peerSends(bytes(HELLO.slice(9)));
    socket.peerSends(bytes('{"type":6}\x1e'));
    expect([bindings, socket.isEnded]).toEqual([1, false]);
  });

  it.each<[string, HubMethod<Staff>, unknown]>([
    ["a value", methodOf("M", { handle: () => ({ id: 7 }) }), completed({ id: 7 })],
    ["a value that comes later", methodOf("M", { handle: async () => "later" }), completed("later")],
    ["nothing, as null", methodOf("M"), completed(null)],
    [
      "the application's own words",
      methodOf("M", { handle: () => Promise.reject(new HubError("no")) }),
      failedWith("An unexpected error occurred invoking 'M' on the server. HubException: no"),
    ],
    [
      "nothing of an error",
      methodOf("M", { handle: () => Promise.reject(new Error("SELECT")) }),
      failedWith("An unexpected error occurred invoking 'M' on the server."),
    ],
    [
      "a refusal in the catalogue's words",
      methodOf("M", { requirements: [denyAll] }),
      failedWith("forbidden: nobody may"),
    ],
    [
      "a result that has no form, without its words",
      methodOf("M", { handle: () => 1n }),
      failedWith("Failed to invoke 'm' due to an error on the server."),
    ],
  ])("answers with %s", async (_, method, expected) => {
    const peer = createBench([method]).arrive();
    peer.socket.peerSends(bytes(HELLO + call("m")));
    await settle();
    expect(peer.hear()).toEqual([expected]);
  });

  it("answers with a refusal where the result is larger than an outbox, and goes on", async () => {
    const peer = createBench([methodOf("Huge", { handle: () => "x".repeat(2 << 20) }), echo]).arrive();
    peer.socket.peerSends(bytes(HELLO + call("Huge", [], "1") + call("Echo", ["a"], "2")));
    await settle();
    expect(peer.hear()).toEqual([failedWith("result_too_large"), completed("a", "2")]);
  });

  it("ends, rather than the process, when a sink fails while a call is answered", async () => {
    const bench = createBench([methodOf("Shut", { requirements: [denyLater] })], () => {
      throw new Error("sink");
    });
    const peer = bench.arrive();
    peer.socket.peerSends(bytes(HELLO + call("Shut")));
    await settle();
    expect(bench.reports).toContain("failed c1 Error: sink");
    expect(peer.socket.closed?.code).toBe(1011);
  });

  it("answers a call without an id not at all, whatever becomes of it", async () => {
    const peer = createBench([echo, methodOf("Shut", { requirements: [denyAll] })]).arrive();
    peer.socket.peerSends(bytes(HELLO));
    for (const target of ["Echo", "Shut", "NoSuch"]) {
      peer.socket.peerSends(jsonCodec.encode({ type: messageType.invocation, target, arguments: ["x"] }));
    }
    await settle();
    expect([peer.hear(), peer.socket.isEnded]).toEqual([[], false]);
  });

  it.each<[string, HubMessage, string]>([
    [
      "a stream where there is none",
      { type: 4, invocationId: "1", target: "Echo", arguments: ["x"] },
      "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation.",
    ],
    [
      "streams nobody takes",
      { type: 1, invocationId: "1", target: "Echo", arguments: ["x"], streamIds: ["s1", "s2"] },
      "An unexpected error occurred invoking 'Echo' on the server. HubException: Client sent 2 stream(s), Hub method expects 0.",
    ],
    [
      "both, of which the kind of answer counts first",
      { type: 4, invocationId: "1", target: "Echo", arguments: ["x"], streamIds: ["s1"] },
      "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation.",
    ],
  ])("tells a caller that asks for %s", (_, message, words) => {
    const peer = createBench([echo]).arrive();
    peer.socket.peerSends(bytes(HELLO));
    peer.socket.peerSends(jsonCodec.encode(message));
    expect(peer.hear()).toEqual([failedWith(words)]);
  });

  it.each<[string, HubMessage]>([
    ["a ping", { type: 6 }],
    ["an answer to a call nobody made", { type: 3, invocationId: "9", outcome: { kind: "value", value: 1 } }],
    ["an item of a stream nobody takes", { type: 2, invocationId: "9", item: 1 }],
    ["a cancellation of what has ended", { type: 5, invocationId: "9" }],
    ["an acknowledgement", { type: 8, sequenceId: 1 }],
    ["a sequence", { type: 9, sequenceId: 1 }],
  ])("takes %s in silence", (_, message) => {
    const peer = createBench([echo]).arrive();
    peer.socket.peerSends(bytes(HELLO));
    peer.socket.peerSends(jsonCodec.encode(message));
    expect([peer.hear(), peer.socket.isEnded]).toEqual([[], false]);
  });

  const nothing = new Uint8Array(0);
  const asking = { type: messageType.ping } as const;
  it.each<[string, Uint8Array]>([
    ["pings", jsonCodec.encode(asking)],
    ["acknowledgements", jsonCodec.encode({ type: messageType.ack, sequenceId: 1 })],
    ["sequences", jsonCodec.encode({ type: messageType.sequence, sequenceId: 1 })],
    ["messages of a type it does not know", bytes('{"type":99}\x1e')],
    ["empty frames", nothing],
  ])("takes as many %s as no client sends, and ends who goes on", (_, frame) => {
    const bench = createBench([echo]);
    const { connection, hear, socket } = bench.arrive();
    socket.peerSends(bytes(HELLO));
    for (let sent = 0; sent < 200; sent++) socket.peerSends(frame);
    bench.clock.advance(1_000);
    for (let sent = 0; sent < 10; sent++) socket.peerSends(frame);
    expect([hear(), connection.isActive]).toEqual([[], true]);
    socket.peerSends(frame);
    expect(connection.refusal()?.reason).toBe("rate_limited");
    expect(hear()).toEqual([{ type: 7, error: "rate_limited;action=retry-after", allowReconnect: true }]);
    expect(socket.closed?.code).toBe(4429);
  });

  it("counts many in one frame one by one, and what asks for nothing in no bucket of calls", () => {
    const bench = createBench([echo]);
    const { connection, hear, socket } = bench.arrive();
    socket.peerSends(bytes(HELLO));
    socket.peerSends(bytes('{"type":6}\x1e'.repeat(200)));
    socket.peerSends(bytes(call("Echo", ["still heard"])));
    expect([hear(), connection.isActive]).toEqual([[completed("still heard")], true]);
    socket.peerSends(bytes('{"type":6}\x1e'.repeat(100)));
    expect(connection.isActive).toBe(false);
  });

  it("never ends a client that pings ten times as often as stock ones do, for a day", () => {
    const bench = createBench([echo]);
    const { connection, socket } = bench.arrive({ livesMs: 172_800_000 });
    socket.peerSends(bytes(HELLO));
    for (let sent = 0; sent < 57_600; sent++) {
      bench.clock.advance(1_500);
      socket.peerSends(jsonCodec.encode(asking));
    }
    expect(connection.isActive).toBe(true);
  });

  it("ends who sends nothing but empty frames before the handshake, too", () => {
    const { connection, socket } = createBench([echo]).arrive();
    for (let sent = 0; sent < 201; sent++) socket.peerSends(nothing);
    expect(connection.refusal()?.reason).toBe("rate_limited");
  });

  it("takes a message of a type it does not know in silence", () => {
    const peer = createBench().arrive();
    peer.socket.peerSends(bytes(`${HELLO}{"type":99}\x1e`));
    expect([peer.hear(), peer.socket.isEnded]).toEqual([[], false]);
  });

  it("ends when the peer says goodbye, and answers nothing that was still running", async () => {
    const working = deferred<string>();
    const peer = createBench([methodOf("Slow", { handle: () => working.promise })]).arrive();
    peer.socket.peerSends(bytes(HELLO + call("Slow") + '{"type":7}\x1e' + call("Slow", [], "2")));
    working.resolve("too late");
    await settle();
    expect(peer.socket.closed).toMatchObject({ code: 1000, reason: "normal" });
    expect(peer.hear()).toEqual([{ type: messageType.close }]);
  });

  it.each<[string, string, number]>([
    ["a broken message", "{{{\x1e", 4400],
    ["a call without a target", '{"type":1,"arguments":[]}\x1e', 4400],
    ["a message that is too long", `${"x".repeat(1_001)}`, 1009],
    ["an empty message", "\x1e", 4400],
  ])("ends on %s: says what was wrong and lets nobody come straight back", (_, sent, code) => {
    const bench = createBench([echo]);
    const peer = bench.arrive();
    peer.socket.peerSends(bytes(HELLO + call("Echo", ["a"])));
    peer.socket.peerSends(bytes(sent));
    peer.socket.peerSends(bytes(call("Echo", ["late"])));
    const heard = peer.hear();
    expect(peer.socket.closed?.code).toBe(code);
    expect(heard[0]).toEqual(completed("a"));
    expect(heard[1]).toMatchObject({ type: messageType.close, error: peer.socket.closed?.reason });
    expect(heard).toHaveLength(2);
    expect(bench.reports.some((report) => report.startsWith("failed"))).toBe(false);
  });

  it("decodes nothing behind a message that ended it, though it came in the same read", () => {
    const ran: string[] = [];
    const method = methodOf("Ran", { handle: () => void ran.push("ran") });
    const bench = createBench([method]);
    const peer = bench.arrive();
    peer.socket.peerSends(bytes(`${HELLO}${call("Ran")}{"type":7}\x1e${call("Ran")}${"{".repeat(10)}\x1e`));
    expect(ran).toEqual(["ran"]);
    expect(peer.socket.closed?.reason).toBe("normal");
    // The gate was not even asked.
    expect(bench.events).toEqual([]);
  });

  it("runs calls in order, one at a time, and is busy meanwhile", async () => {
    const waits = [deferred<string>(), deferred<string>()];
    let started = 0;
    const peer = createBench([methodOf("Next", { handle: () => waits[started++]?.promise }), echo]).arrive();
    peer.socket.peerSends(bytes(HELLO + call("Next", [], "1") + call("Next", [], "2") + call("Echo", ["x"], "3")));
    expect([started, peer.hear()]).toEqual([1, []]);
    waits[0]?.resolve("first");
    await settle();
    expect([started, peer.hear()]).toEqual([2, [completed("first", "1")]]);
    waits[1]?.resolve("second");
    await settle();
    expect(peer.hear()).toEqual([completed("second", "2"), completed("x", "3")]);
  });

  it("holds a peer back that sends faster than its calls are handled, and lets it go on", async () => {
    const waits = Array.from({ length: 20 }, () => deferred<void>());
    let started = 0;
    const { socket } = createBench([methodOf("Slow", { handle: () => waits[started++]?.promise })]).arrive();
    socket.peerSends(bytes(HELLO));
    for (let count = 0; count < 20; count++) {
      socket.peerSends(bytes(call("Slow")));
      expect(socket.isPaused).toBe(count >= 16);
    }
    for (const wait of waits) {
      wait.resolve();
      await settle();
    }
    expect([started, socket.isPaused]).toEqual([20, false]);
  });

  it("does not begin calls that waited when it ends, and answers none that ran", async () => {
    const working = deferred<string>();
    let started = 0;
    const method = methodOf("Slow", { handle: () => (started++, working.promise) });
    const bench = createBench([method]);
    const peer = bench.arrive();
    peer.socket.peerSends(bytes(HELLO + call("Slow", [], "1") + call("Slow", [], "2")));
    peer.connection.apply({ type: "expiry-due" });
    working.resolve("too late");
    await settle();
    expect([started, bench.events]).toEqual([1, []]);
    expect(peer.hear()).toEqual([
      { type: messageType.close, error: "token_expired;action=refresh", allowReconnect: true },
    ]);
    expect(peer.socket.lateWrites).toBe(0);
  });

  it("keeps the answer to itself when the credential ended while the call ran, though no timer has fired", async () => {
    const working = deferred<string>();
    const bench = createBench([methodOf("Slow", { handle: () => working.promise })]);
    const peer = bench.arrive({ livesMs: 60_000 });
    peer.socket.peerSends(bytes(HELLO + call("Slow")));
    peer.hear();
    bench.clock.block(60_000);
    working.resolve("secret");
    await settle();
    expect(peer.hear()).toEqual([
      { type: messageType.close, error: "token_expired;action=refresh", allowReconnect: true },
    ]);
    expect(peer.said()).not.toContain("secret");
  });

  it("reports refusals, also of what a method tried, and failures of the application, but not what it said on purpose", async () => {
    const boom = new Error("boom");
    const bench = createBench([
      methodOf("Shut", { requirements: [denyAll] }),
      methodOf("Broken", { handle: () => Promise.reject(boom) }),
      methodOf("Formless", { handle: () => 1n }),
      methodOf("Polite", { handle: () => Promise.reject(new HubError("no")) }),
      methodOf("Strict", { handle: () => Promise.reject(new HubwardError("forbidden")) }),
      echo,
    ]);
    const peer = bench.arrive();
    peer.socket.peerSends(bytes(HELLO));
    for (const target of ["shut", "NoSuchSecret", "broken", "formless", "Polite", "Strict", "Echo"]) {
      peer.socket.peerSends(bytes(call(target, target === "Echo" ? ["token-in-an-argument"] : [])));
      await settle();
    }
    const about = { connectionId: "c1", hub: "/hubs/ward", subject: "nurse-7" };
    expect(bench.events).toEqual([
      { event: "call.refused", count: 1, ...about, method: "Shut", reason: "forbidden", policy: "Nobody" },
      { event: "call.refused", count: 1, ...about, method: undefined, reason: "method_not_found", policy: undefined },
      { event: "application.failed", connectionId: "c1", where: "/hubs/ward Broken", error: boom },
      {
        event: "application.failed",
        connectionId: "c1",
        where: "result of formless",
        error: expect.any(TypeError) as unknown,
      },
      { event: "call.refused", count: 1, ...about, method: "Strict", reason: "forbidden", policy: undefined },
    ]);
  });
});
