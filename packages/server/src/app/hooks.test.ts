import { encodeHandshakeRequest, jsonCodec, messageType, type HubMessage } from "@hubward/wire";
import { MemorySocket } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createApp, type AppFixture, type AppPeer, type NegotiateBody, type Staff } from "../../test/app-fixture.js";
import { deferred, textSchema } from "../../test/hub-fixture.js";
import { HubwardError, type Call, type Departure } from "./index.js";
import type { GroupReference } from "../core/groups/group.js";

interface Hooks {
  readonly connected?: (call: Call<Staff>, fixture: HookFixture) => unknown;
  readonly disconnected?: (departure: Departure<Staff>, fixture: HookFixture) => unknown;
}

interface HookFixture extends AppFixture {
  readonly ward: (values: { readonly ward: string }) => GroupReference<Staff, unknown>;
  /** Connections that have gone, and why. */
  readonly gone: string[];
  arrive(first?: readonly HubMessage[], livesMs?: number): Promise<AppPeer>;
}

function createHooked({ connected, disconnected }: Hooks): HookFixture {
  const base = createApp();
  const { app } = base;
  const staff = app.policy("Staff", () => true);
  const own = app.policy("Own", ({ principal }, name: string) => principal.department === name);
  const ward = app.group("ward/{ward}", { ward: textSchema() }).allow(own, (values) => values.ward);
  const gone: string[] = [];
  const fixture: HookFixture = {
    ...base,
    ward,
    gone,
    async arrive(first = [], livesMs = 3_600_000) {
      const reply = await base.negotiate(base.tokenOf({ department: "icu", livesMs }));
      const { connectionToken, accessToken = "" } = JSON.parse(reply.body) as NegotiateBody;
      const query = `id=${connectionToken}`;
      const socket = await base.upgrade({ path: "/hubs/ward", query, queryBearers: [accessToken] });
      if (!(socket instanceof MemorySocket)) throw new TypeError("refused");
      const parts = [
        encodeHandshakeRequest({ protocol: "json", version: 1 }),
        ...first.map((message) => jsonCodec.encode(message)),
      ];
      socket.peerSends(Buffer.concat(parts));
      return base.peerOn(socket);
    },
  };
  let hub = app.hub("/hubs/ward").allow(staff);
  if (connected !== undefined) hub = hub.connected((call) => connected(call, fixture));
  hub = hub.disconnected((departure) => {
    gone.push(`${departure.principal.subject} ${departure.reason}`);
    return disconnected?.(departure, fixture);
  });
  hub.methods((m) => ({ Echo: m.args(textSchema()).handle((_call, value) => value) }));
  return fixture;
}

async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
}

async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  void promise.then(() => (isSettled = true));
  await settle();
  return isSettled;
}

const echo = (value: string, invocationId = "1"): HubMessage => ({
  type: messageType.invocation,
  invocationId,
  target: "Echo",
  arguments: [value],
});

function told(messages: readonly HubMessage[]): unknown[] {
  return messages.map((message) => {
    if (message.type === messageType.invocation) return [message.target, ...message.arguments];
    if (message.type === messageType.completion)
      return message.outcome.kind === "value" ? message.outcome.value : message.outcome;
    return message.type === messageType.close ? message.error : message.type;
  });
}

describe("a hub that greets its connections", () => {
  it("answers the handshake at once, and everything else after the greeting, in order, as it was judged", async () => {
    const greeting = deferred<void>();
    const fixture = createHooked({
      async connected(call, { ward }) {
        call.toCaller().emit("hello", call.principal.subject);
        await call.groups.join(ward({ ward: "icu" }));
        await greeting.promise;
        call.toCaller().emit("welcome");
      },
    });
    const peer = await fixture.arrive([echo("first"), echo("second", "2")]);
    expect(peer.socket.writes).toHaveLength(1);
    await settle();
    fixture.app.to(fixture.ward({ ward: "icu" })).emit("vitals", 1);
    fixture.app.to(fixture.ward({ ward: "er" })).emit("vitals", 2);
    peer.send(echo("third", "3"));
    await settle();
    expect(told(peer.hear())).toEqual([]);
    greeting.resolve();
    await settle();
    expect(told(peer.hear())).toEqual([["hello", "nurse-7"], ["vitals", 1], ["welcome"], "first", "second", "third"]);
  });

  it("holds back a peer that sends a flood of calls meanwhile, and still says that it is there", async () => {
    const greeting = deferred<void>();
    const fixture = createHooked({ connected: () => greeting.promise });
    const peer = await fixture.arrive();
    for (let count = 0; count < 16; count++) peer.send(echo("x", `${count}`));
    expect(peer.socket.isPaused).toBe(true);
    fixture.clock.advance(14_000);
    greeting.resolve();
    await settle();
    expect([peer.socket.isPaused, told(peer.hear()).length]).toEqual([false, 16]);
  });

  it("cannot ask a client inside the greeting: the question would wait for the greeting itself", async () => {
    let error: unknown;
    const fixture = createHooked({
      async connected(call) {
        error = await call
          .toCaller()
          .invoke("who", [], { result: textSchema() })
          .catch((caught: unknown) => caught);
      },
    });
    const peer = await fixture.arrive();
    await settle();
    expect([error instanceof TypeError, peer.hear(), peer.socket.isEnded]).toEqual([true, [], false]);
  });

  it.each<[string, () => unknown, string, number]>([
    [
      "throws",
      () => {
        throw new Error("boom");
      },
      "internal_error;action=retry-after",
      1,
    ],
    ["is rejected", () => Promise.reject(new Error("boom")), "internal_error;action=retry-after", 1],
    ["is refused", () => Promise.reject(new HubwardError("forbidden")), "forbidden", 0],
  ])(
    "ends a connection whose greeting %s, handles none of its calls and says no goodbye",
    async (_, hook, reason, failures) => {
      const fixture = createHooked({ connected: hook });
      const peer = await fixture.arrive([echo("x")]);
      await settle();
      expect(told(peer.hear())).toEqual([reason]);
      peer.socket.end();
      await settle();
      expect(fixture.gone).toEqual([]);
      expect(fixture.of("application.failed")).toHaveLength(failures);
      expect(fixture.app.connectionCount).toBe(0);
    },
  );

  it("ends a connection whose greeting takes too long; one that succeeds after all is followed by a goodbye", async () => {
    const greeting = deferred<void>();
    const fixture = createHooked({ connected: () => greeting.promise });
    const peer = await fixture.arrive();
    fixture.clock.advance(4_000);
    peer.send({ type: messageType.ping });
    fixture.clock.advance(10_999);
    expect(peer.socket.isEnded).toBe(false);
    fixture.clock.advance(1);
    expect(peer.socket.isEnded).toBe(true);
    peer.socket.end();
    const closing = fixture.app.close();
    expect(await hasSettled(closing)).toBe(true);
    expect(fixture.of("application.failed")).toMatchObject([{ where: "/hubs/ward connected" }]);
    expect(fixture.of("connection.closed")).toMatchObject([{ reason: "upstream_timeout" }]);
    expect([fixture.gone, fixture.clock.pending]).toEqual([[], 0]);
    greeting.resolve();
    await settle();
    expect(fixture.gone).toEqual(["nurse-7 upstream_timeout"]);
  });

  it.each<[string, (fixture: HookFixture, peer: AppPeer) => unknown, string]>([
    ["goes away", (_, { socket }) => socket.end(), "normal"],
    [
      "reaches the end of its credential",
      ({ clock }, { socket }) => {
        clock.advance(11_000);
        socket.end();
      },
      "token_expired",
    ],
  ])("lets the greeting of a connection that %s know, and says goodbye after it", async (_, happen, reason) => {
    const greeting = deferred<void>();
    const aborted: boolean[] = [];
    const fixture = createHooked({
      connected(call) {
        call.signal.addEventListener("abort", () => aborted.push(true));
        return greeting.promise;
      },
    });
    const peer = await fixture.arrive([], 11_000);
    happen(fixture, peer);
    await settle();
    expect([aborted, fixture.gone]).toEqual([[true], []]);
    greeting.resolve();
    await settle();
    expect([fixture.gone, peer.socket.lateWrites]).toEqual([[`nurse-7 ${reason}`], 0]);
  });

  it("does not report a greeting that fails because its connection has ended", async () => {
    const fixture = createHooked({
      connected: (call) =>
        new Promise((_, reject) => call.signal.addEventListener("abort", () => reject(call.signal.reason as Error))),
    });
    const peer = await fixture.arrive();
    peer.socket.end();
    await settle();
    expect([fixture.of("application.failed"), fixture.gone]).toEqual([[], []]);
  });
});

describe("a hub that says goodbye", () => {
  it("says it once for each connection that was open, with the reason, and can still speak for it", async () => {
    const fixture = createHooked({
      disconnected: (departure) =>
        departure.toAll().emit("gone", departure.connectionId === undefined, departure.reason),
    });
    const [peer, other] = [await fixture.arrive(), await fixture.arrive()];
    peer.socket.end();
    await settle();
    expect(fixture.gone).toEqual(["nurse-7 normal"]);
    expect(told(other.hear())).toEqual([["gone", false, "normal"]]);
  });

  it("is waited for when the server closes, but not for ever", async () => {
    const goodbyes = [deferred<void>(), deferred<void>()];
    let count = 0;
    const fixture = createHooked({ disconnected: () => goodbyes[count++]?.promise });
    const peers = [await fixture.arrive(), await fixture.arrive()];
    const closing = fixture.app.close();
    for (const { socket } of peers) socket.end();
    expect(await hasSettled(closing)).toBe(false);
    goodbyes[0]?.resolve();
    expect(await hasSettled(closing)).toBe(false);
    fixture.clock.advance(15_000);
    expect(await hasSettled(closing)).toBe(true);
    expect(fixture.of("application.failed")).toMatchObject([{ where: "/hubs/ward disconnected" }]);
    expect([fixture.gone, fixture.clock.pending]).toEqual([["nurse-7 going_away", "nurse-7 going_away"], 0]);
  });

  it("that fails is reported, and keeps nothing from closing", async () => {
    const fixture = createHooked({
      disconnected: () => {
        throw new Error("boom");
      },
    });
    const peer = await fixture.arrive();
    peer.socket.end();
    await settle();
    expect(fixture.of("application.failed")).toMatchObject([{ where: "/hubs/ward disconnected" }]);
    await fixture.app.close();
    expect(fixture.clock.pending).toBe(0);
  });
});
