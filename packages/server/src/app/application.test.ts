import { MemorySocket } from "@hubward/testing";
import { messageType, type HubMessage } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { text } from "../../test/connection-fixture.js";
import { bodyOf, createWard, hello, HUB, upgraded } from "../../test/ward-fixture.js";
import type { ConnectionId } from "./index.js";

function events(messages: readonly HubMessage[]): unknown[] {
  return messages.flatMap((message) =>
    message.type === messageType.invocation ? [[message.target, ...message.arguments]] : [],
  );
}

function outcomeOf(message: HubMessage | undefined): unknown {
  return message?.type === messageType.completion ? message.outcome : message;
}

describe("an open connection", () => {
  it("is logged with who, in which roles, under which id, and how it ended; never with a secret", async () => {
    const fixture = createWard();
    const token = fixture.tokenOf({ subject: "ann", tenant: "general", sessionId: "s1", roles: ["doctor"] });
    const body = bodyOf(await fixture.negotiate(token));
    const socket = await upgraded(fixture, {
      query: `id=${body.connectionToken}`,
      queryBearers: [body.accessToken ?? ""],
    });
    socket.peerSends(hello);
    fixture.clock.advance(1_500);
    socket.end();
    const about = { connectionId: body.connectionId, hub: HUB };
    const principal = {
      tenant: "general",
      issuer: "https://issuer.example",
      subject: "ann",
      roles: ["doctor"],
      sessionId: "s1",
    };
    expect(fixture.events).toEqual([
      { event: "connection.opened", ...about, protocol: "json", principal, remoteAddress: "192.0.2.7" },
      { event: "connection.closed", ...about, reason: "normal", subject: "ann", ageMs: 1_500 },
    ]);
    for (const secret of [token, body.connectionToken, body.accessToken ?? "-", "hwt_"]) {
      expect(JSON.stringify(fixture.events)).not.toContain(secret);
    }
  });

  it("calls methods in any case, joins what its own rule allows, and is refused the rest by name", async () => {
    const { connect, tokenOf, app, hub, ward } = createWard();
    const peer = await connect(tokenOf({ subject: "ann", department: "icu" }));
    expect(outcomeOf(await peer.call("whoami"))).toEqual({
      kind: "value",
      value: { subject: "ann", expiresInSeconds: 3_600 },
    });
    expect(outcomeOf(await peer.call("Join", "icu"))).toEqual({ kind: "value", value: null });
    expect(outcomeOf(await peer.call("Join", "er"))).toEqual({ kind: "error", error: "forbidden" });
    hub.to(ward({ ward: "icu" })).emit("vitals", 80);
    app.to(ward({ ward: "icu" })).emit("vitals", 81);
    app.to(ward({ ward: "er" })).emit("vitals", 82);
    expect(events(peer.hear())).toEqual([
      ["vitals", 80],
      ["vitals", 81],
    ]);
    expect(outcomeOf(await peer.call("Leave", "icu"))).toEqual({ kind: "value", value: true });
    hub.to(ward({ ward: "icu" })).emit("vitals", 83);
    expect(events(peer.hear())).toEqual([]);
  });

  it("orders once, over two connections of one person", async () => {
    const { connect, tokenOf } = createWard();
    const [first, second] = [await connect(tokenOf({ subject: "ann" })), await connect(tokenOf({ subject: "ann" }))];
    const bob = await connect(tokenOf({ subject: "bob" }));
    for (const peer of [first, second, first]) {
      expect(outcomeOf(await peer.call("Order", "aspirin", "id-1"))).toEqual({
        kind: "value",
        value: { orderId: "aspirin-1" },
      });
    }
    expect(outcomeOf(await bob.call("Order", "aspirin", "id-1"))).toMatchObject({ value: { orderId: "aspirin-2" } });
    expect(outcomeOf(await first.call("Order", "morphine", "id-1"))).toEqual({
      kind: "error",
      error: "idempotency_conflict;action=fix-request",
    });
  });

  it("hears its own tenant, its own hub and itself, as it is addressed", async () => {
    const { connect, tokenOf, app, hub, of } = createWard();
    const people = {
      ann: await connect(tokenOf({ subject: "ann", tenant: "general" })),
      bob: await connect(tokenOf({ subject: "bob", tenant: "general" })),
      annex: await connect(tokenOf({ subject: "ann", tenant: "annex" })),
      none: await connect(tokenOf({ subject: "cy" })),
      other: await connect(tokenOf({ subject: "ann", tenant: "general" }), "/hubs/other"),
    };
    const heard = (): string[] =>
      Object.entries(people).flatMap(([name, peer]) => (events(peer.hear()).length === 1 ? [name] : []));
    const idOf = (index: number): ConnectionId => of("connection.opened")[index]?.connectionId as ConnectionId;
    const sayings: [() => unknown, string[]][] = [
      [() => hub.toAll().emit("note", "x"), ["none"]],
      [() => hub.tenant("general").toAll().emit("note", "x"), ["ann", "bob"]],
      [() => app.tenant("general").toAll().emit("note", "x"), ["ann", "bob", "other"]],
      [() => app.tenant("general").toPrincipal({ subject: "ann" }).emit("note"), ["ann", "other"]],
      [() => hub.tenant("annex").toPrincipal({ subject: "ann" }).emit("note", "x"), ["annex"]],
      [() => app.toConnection(idOf(0)).emit("note"), []],
      [() => app.tenant("general").toConnection(idOf(0)).emit("note"), ["ann"]],
      [() => app.everyTenant().toAll().emit("note"), Object.keys(people)],
      [() => app.everyTenant().toAll().except(idOf(0), idOf(2)).emit("note"), ["bob", "none", "other"]],
      [() => people.ann.call("Say", "x"), ["bob"]],
    ];
    for (const [say, expected] of sayings) {
      await say();
      expect(heard()).toEqual(expected);
    }
  });

  it("ends at exp itself: nothing said afterwards is delivered, nothing sent afterwards is heard", async () => {
    const { connect, tokenOf, hub, clock, of, app } = createWard();
    const peer = await connect(tokenOf({ livesMs: 20_000 }));
    clock.advance(6_000);
    expect(peer.socket.confirm()).toBe(true);
    clock.advance(13_999);
    hub.toAll().emit("vitals", 1);
    expect(events(peer.hear())).toEqual([
      ["hubward.notice", { kind: "expiring", expiresInSeconds: expect.any(Number) as number }],
      ["vitals", 1],
    ]);
    hub.toAll().emit("vitals", 2);
    clock.advance(1);
    hub.toAll().emit("vitals", 3);
    expect(await peer.call("WhoAmI")).toBeUndefined();
    expect(peer.socket.closed).toMatchObject({ code: 4401, reason: "token_expired;action=refresh" });
    expect(text(peer.socket.written)).not.toMatch(/"arguments":\[[23]\]/);
    expect(app.connectionCount).toBe(0);
    peer.socket.end();
    expect(of("connection.closed")).toMatchObject([{ reason: "token_expired" }]);
  });

  it("is pinged while it is quiet, and ended when it stays silent", async () => {
    const { connect, tokenOf, clock } = createWard({ keepAliveMs: 5_000, clientTimeoutMs: 12_000 });
    const peer = await connect(tokenOf({}));
    clock.advance(11_000);
    clock.endTurn();
    expect(peer.hear()).toEqual([{ type: messageType.ping }, { type: messageType.ping }]);
    clock.advance(1_000);
    expect(peer.socket.isReset).toBe(true);
  });

  it("is not told an event that has no form in its encoding; telemetry is, once, and whoever speaks is not harmed", async () => {
    const { connect, tokenOf, app, of } = createWard();
    const peer = await connect(tokenOf({}));
    await connect(tokenOf({}));
    app.toAll().emit("note", 1n);
    app.toAll().emit("note", "x".repeat(2 << 20));
    expect(of("application.failed")).toMatchObject([
      { where: "event note", error: expect.any(TypeError) as unknown },
      { where: "event note", error: expect.any(RangeError) as unknown },
    ]);
    // @ts-expect-error: a reserved name does not compile; said again for callers without types
    expect(() => app.toAll().emit("hubward.notice")).toThrow(TypeError);
    expect([peer.hear(), peer.socket.isEnded]).toEqual([[], false]);
  });
});

describe("an application that goes away", () => {
  it("refuses who comes, tells who is there, and is closed when the last socket is gone, however often it is asked", async () => {
    const { connect, tokenOf, negotiate, upgrade, app } = createWard();
    const token = tokenOf({});
    const [first, second] = [await connect(token), await connect(token)];
    const late = bodyOf(await negotiate(token));
    let closings = 0;
    const closed = [app.close(), app.close()].map((closing) => closing.then(() => closings++));
    for (const peer of [first, second]) {
      expect(peer.hear()).toEqual([
        { type: messageType.close, error: "going_away;action=retry-after", allowReconnect: true },
      ]);
      expect(peer.socket.closed?.code).toBe(1001);
    }
    expect(await negotiate(token)).toMatchObject({ status: 503, headers: { "retry-after": "2" } });
    const answer = await upgrade({ query: `id=${late.connectionToken}`, queryBearers: [late.accessToken ?? ""] });
    expect(answer).toMatchObject({ status: 503 });
    first.socket.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(closings).toBe(0);
    second.socket.end();
    await Promise.all(closed);
    expect([closings, app.connectionCount]).toEqual([2, 0]);
  });

  it("ends a socket that was accepted before and opens after", async () => {
    const fixture = createWard();
    const token = fixture.tokenOf({});
    await fixture.connect(token);
    const { connectionToken, accessToken = "" } = bodyOf(await fixture.negotiate(token));
    const answer = await fixture.app.endpoint.upgrade({
      method: "GET",
      path: HUB,
      remoteAddress: undefined,
      header: () => undefined,
      query: new Map([["id", connectionToken]]),
      bearers: [{ kind: "bearer", token: { reveal: () => accessToken } as never, source: "query" }],
    });
    if (!answer.accepted) throw new TypeError("refused");
    void fixture.app.close();
    const socket = new MemorySocket();
    socket.listen(answer.open(socket));
    expect(socket.closed?.code).toBe(1001);
  });

  it("does not wait for the handshake of a connection that would only be told why not, but for its socket", async () => {
    const fixture = createWard();
    const token = fixture.tokenOf({ roles: [] });
    const { connectionToken, accessToken = "" } = bodyOf(await fixture.negotiate(token));
    const socket = await upgraded(fixture, { query: `id=${connectionToken}`, queryBearers: [accessToken] });
    let isClosed = false;
    const closed = fixture.app.close().then(() => (isClosed = true));
    expect(socket.closed?.code).toBe(1001);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isClosed).toBe(false);
    socket.end();
    await closed;
    expect(fixture.clock.pending).toBe(0);
  });

  it("closes at once when nobody is there", async () => {
    await expect(createWard().app.close()).resolves.toBeUndefined();
  });

  it("leaves no timer behind", async () => {
    const { connect, tokenOf, app, clock } = createWard();
    const peers = [await connect(tokenOf({})), await connect(tokenOf({}))];
    expect(clock.pending).toBeGreaterThan(0);
    const closed = app.close();
    for (const { socket } of peers) socket.end();
    await closed;
    expect(clock.pending).toBe(0);
  });
});
