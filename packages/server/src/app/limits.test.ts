import { MemorySocket, testAuthentication } from "@hubward/testing";
import { messageType, type HubMessage } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { bodyOfText, requestOf, type TestRequest } from "../../test/http-fixture.js";
import { createApp, stockClient, type AppFixture, type AppPeer, type Attributes } from "../../test/app-fixture.js";
import { deferred } from "../../test/hub-fixture.js";
import { bodyOf, createWard, hello, HUB, upgraded } from "../../test/ward-fixture.js";
import type { HttpReply } from "../core/http.js";
import { HubwardError, type HubwardOptions, type LimitOptions } from "./index.js";

const LIMITED = "rate_limited;action=retry-after;retry_after=1";

function errorOf(message: HubMessage | undefined): string | undefined {
  if (message?.type !== messageType.completion) throw new TypeError("no completion");
  return message.outcome.kind === "error" ? message.outcome.error : undefined;
}

/** How many of so many calls are let in before the first refusal. */
async function callsUntilRefused(peer: AppPeer, target = "WhoAmI", most = 300): Promise<[number, string | undefined]> {
  for (let count = 0; count < most; count++) {
    const error = errorOf(await peer.call(target));
    if (error !== undefined) return [count, error];
  }
  return [most, undefined];
}

function tell(peer: AppPeer, target: string, times: number): void {
  for (let count = 0; count < times; count++)
    peer.send({ type: messageType.invocation, invocationId: `t${count}`, target, arguments: [] });
}

const doctorOf = (fixture: AppFixture, subject = "d1"): string => fixture.tokenOf({ subject, roles: ["doctor"] });

describe("the rate of calls", () => {
  it("is 50 at once and 10 a second for each connection, and says when to come back", async () => {
    const fixture = createWard();
    const peer = await fixture.connect(fixture.tokenOf({}));
    const other = await fixture.connect(fixture.tokenOf({}));
    expect(await callsUntilRefused(peer)).toEqual([50, LIMITED]);
    expect(errorOf(await other.call("WhoAmI"))).toBeUndefined();
    fixture.clock.advance(1_000);
    expect(await callsUntilRefused(peer)).toEqual([10, LIMITED]);
  });

  it("counts names that nobody declared and input that nobody can read", async () => {
    const fixture = createWard();
    const peer = await fixture.connect(fixture.tokenOf({}));
    tell(peer, "NoSuch", 25);
    tell(peer, "Join", 25);
    expect(errorOf(await peer.call("WhoAmI"))).toBe(LIMITED);
  });

  it("counts a command that is sent again as a call", async () => {
    const fixture = createWard({ limits: { connection: { burst: 2, perSecond: 1 } } });
    const peer = await fixture.connect(fixture.tokenOf({}));
    const order = async (): Promise<string | undefined> => errorOf(await peer.call("Order", "aspirin", "one"));
    expect([await order(), await order(), await order()]).toEqual([undefined, undefined, LIMITED]);
  });

  it("is 200 at once and 40 a second for one principal, however many connections it has", async () => {
    const fixture = createWard();
    const token = fixture.tokenOf({});
    let passed = 0;
    for (let count = 0; count < 6; count++) passed += (await callsUntilRefused(await fixture.connect(token)))[0];
    expect(passed).toBe(200);
    const other = await fixture.connect(fixture.tokenOf({ subject: "bob" }));
    expect((await callsUntilRefused(other))[0]).toBe(50);
  });

  it.each<[string, HubwardOptions<Attributes>["limits"], number]>([
    ["tenant", { tenant: { burst: 7, perSecond: 1 } }, 7],
    ["remote address", { address: { burst: 9, perSecond: 1 } }, 9],
  ])("of one %s is none unless it is set", async (_name, limits, expected) => {
    for (const [options, count] of [
      [{}, 100],
      [{ limits }, expected],
    ] as const) {
      const fixture = createWard(options);
      let passed = 0;
      for (const subject of ["a", "b"]) {
        const peer = await fixture.connect(fixture.tokenOf({ subject, tenant: "t" }));
        passed += (await callsUntilRefused(peer))[0];
      }
      expect(passed).toBe(count);
    }
  });

  it("may be another for a hub, and for a method, whose calls are counted by principal", async () => {
    const fixture = createApp({ limits: { connection: { burst: 30, perSecond: 1 } } });
    const { app } = fixture;
    const all = app.policy("All", () => true);
    app
      .hub("/hubs/loud", { limits: false })
      .allow(all)
      .methods((m) => ({
        Say: m.handle(() => 1),
        Print: m.limit({ burst: 3, perSecond: 0.1 }).handle(() => 1),
        Order: m
          .args()
          .limit({ burst: 2, perSecond: 1 })
          .once(() => "id")
          .handle(() => 1),
      }));
    app
      .hub("/hubs/ward")
      .allow(all)
      .methods((m) => ({ Say: m.handle(() => 1) }));
    const token = fixture.tokenOf({});
    const [loud, again] = [await fixture.connect(token, "/hubs/loud"), await fixture.connect(token, "/hubs/loud")];
    expect(await callsUntilRefused(loud, "Print")).toEqual([3, "rate_limited;action=retry-after;retry_after=10"]);
    expect((await callsUntilRefused(again, "Print"))[0]).toBe(0);
    expect((await callsUntilRefused(again, "Order"))[0]).toBe(2);
    expect((await callsUntilRefused(loud, "Say", 100))[0]).toBe(100);
    expect((await callsUntilRefused(await fixture.connect(token), "Say"))[0]).toBe(30);
    expect(app.decisions()).toMatchObject([
      { what: "hub" },
      { method: "Say", limit: undefined },
      { method: "Print", limit: { burst: 3, perSecond: 0.1 } },
      { method: "Order", limit: { burst: 2, perSecond: 1 } },
      { what: "hub" },
      { method: "Say", limit: undefined },
    ]);
  });

  it("of a method that cannot be meant is a mistake of the programmer's", () => {
    const { app } = createApp();
    const draft = app.hub("/hubs/ward").allow(app.policy("All", () => true));
    expect(() => draft.methods((m) => ({ Say: m.limit({ burst: 0, perSecond: 1 }).handle(() => 1) }))).toThrow(
      RangeError,
    );
  });

  it("is the application's in a scope that says nothing else, and counted there by itself", async () => {
    const fixture = createWard({
      limits: { connection: { burst: 4, perSecond: 1 }, principal: { burst: 6, perSecond: 1 } },
    });
    const { app, clock } = fixture;
    const times = { issuedAt: clock.now(), expiresAt: clock.now() + 3_600_000 };
    const open = (path: string, limits?: LimitOptions | false): void => {
      const authenticator = { authenticate: () => testAuthentication(times) };
      const scope = app.scope({ authenticator, principal: () => ({ roles: [] }), limits });
      scope
        .hub(path)
        .allow(scope.policy("All", () => true))
        .methods((m) => ({ WhoAmI: m.handle(() => 1) }));
    };
    open("/hubs/same");
    open("/hubs/strict", { connection: { burst: 2, perSecond: 1 } });
    open("/hubs/free", false);
    const passed = async (path: string): Promise<number> =>
      (await callsUntilRefused(await fixture.connect("any", path)))[0];
    expect([await passed("/hubs/same"), await passed("/hubs/same")]).toEqual([4, 2]);
    expect([await passed("/hubs/strict"), await passed("/hubs/free")]).toEqual([2, 300]);
    const peer = await fixture.connect(fixture.tokenOf({}));
    expect((await callsUntilRefused(peer))[0]).toBe(4);
    expect(() => open("/hubs/none", { maxPendingAdmissions: 0 })).toThrow("scope.limits.maxPendingAdmissions");
  });

  it("is none with `limits: false`", async () => {
    const fixture = createWard({ limits: false });
    const peer = await fixture.connect(fixture.tokenOf({}));
    expect(await callsUntilRefused(peer, "WhoAmI", 600)).toEqual([600, undefined]);
  });
});

describe("a flood", () => {
  it("ends its connection with rate_limited after 200 refusals, and holds its next one back", async () => {
    const fixture = createWard();
    const token = fixture.tokenOf({});
    const other = await fixture.connect(doctorOf(fixture));
    for (let round = 0; round < 3; round++) {
      const peer = await fixture.connect(token);
      // The first has the whole of the principal's calls.
      const budget = round === 0 ? 50 : 0;
      fixture.clock.advance(round === 0 ? 0 : 1);
      tell(peer, "WhoAmI", budget + 200);
      expect(peer.socket.isEnded).toBe(false);
      if (round > 0) tell(peer, "WhoAmI", 60);
      tell(peer, "WhoAmI", 1_000);
      const heard = peer.hear();
      expect(heard.filter(({ type }) => type === messageType.completion).length).toBeLessThanOrEqual(251);
      expect(heard.at(-1)).toMatchObject({
        type: messageType.close,
        error: "rate_limited;action=retry-after",
        allowReconnect: true,
      });
      expect(peer.socket.closed).toMatchObject({ code: 4429 });
      peer.socket.end();
    }
    expect(fixture.of("connection.closed").map(({ reason }) => reason)).toEqual(Array(3).fill("rate_limited"));
    const waiting = fixture.negotiate(token);
    let isAnswered = false;
    void waiting.then(() => (isAnswered = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
    fixture.clock.advance(250);
    expect((await waiting).status).toBe(200);
    expect(errorOf(await other.call("WhoAmI"))).toBeUndefined();
  });

  it("is a line a second in the log, with how many it stands for", async () => {
    const fixture = createWard();
    const peer = await fixture.connect(fixture.tokenOf({}));
    tell(peer, "WhoAmI", 150);
    fixture.clock.advance(1_000);
    tell(peer, "Order", 20);
    peer.socket.end();
    const lines = fixture.of("call.refused").filter(({ reason }) => reason === "rate_limited");
    expect(lines.map(({ method, count }) => [method, count])).toEqual([
      ["WhoAmI", 1],
      ["Order", 100],
      [undefined, 9],
    ]);
  });

  it("of a lapsed connection's calls ends it, too", async () => {
    const fixture = createWard({ authenticationRefresh: true });
    const peer = await fixture.connect(fixture.tokenOf({ livesMs: 20_000 }));
    peer.send({ type: messageType.invocation, invocationId: "n", target: "hubward.notices", arguments: [] });
    fixture.clock.advance(20_000);
    tell(peer, "WhoAmI", 199);
    expect(peer.socket.isEnded).toBe(false);
    tell(peer, "WhoAmI", 1_000);
    // By a reset: nothing of what it was told is confirmed.
    peer.socket.end();
    expect(fixture.of("connection.closed").map(({ reason }) => reason)).toEqual(["rate_limited"]);
    expect(fixture.of("call.refused").every(({ reason }) => reason === "token_expired")).toBe(true);
    expect(fixture.of("call.refused").length).toBeLessThanOrEqual(210);
  });

  it("of the protocol's own calls ends it, too", async () => {
    const fixture = createWard({ authenticationRefresh: true });
    const peer = await fixture.connect(fixture.tokenOf({}));
    tell(peer, "hubward.notices", 200);
    expect(peer.socket.isEnded).toBe(false);
    tell(peer, "hubward.notices", 1);
    expect(peer.socket.closed).toMatchObject({ code: 4429 });
  });

  it("of calls with streams beyond their number ends it, too", async () => {
    const fixture = createApp();
    const { app } = fixture;
    const open = deferred<number>();
    app
      .hub(HUB)
      .allow(app.policy("All", () => true))
      .methods((m) => ({ Wait: m.stream(async () => [await open.promise]) }));
    const peer = await fixture.connect(fixture.tokenOf({}));
    for (let count = 0; count < 16 + 201; count++)
      peer.send({ type: messageType.streamInvocation, invocationId: `${count}`, target: "Wait", arguments: [] });
    expect(peer.socket.closed).toMatchObject({ code: 4429 });
  });
});

describe("failed attempts to authenticate", () => {
  const RATE = { burst: 3, perSecond: 1 };
  const doors: readonly [string, (fixture: AppFixture, request: TestRequest) => Promise<HttpReply>][] = [
    ["negotiate", (fixture, request) => fixture.negotiate(undefined, request)],
    [
      "upgrade",
      async (fixture, request) => {
        const answer = await fixture.upgrade({ ...request, query: "id=x" });
        if (answer instanceof MemorySocket) throw new TypeError("accepted");
        return answer;
      },
    ],
    ["a poll", (fixture, request) => ask(fixture, { ...request, method: "GET", path: HUB, query: "id=x" })],
    ["refresh", (fixture, request) => ask(fixture, { ...request, path: `${HUB}/refresh`, query: "id=x" })],
  ];

  async function ask({ app }: AppFixture, request: TestRequest): Promise<HttpReply> {
    const answer = await app.endpoint.request(requestOf(request), bodyOfText());
    if ("open" in answer) throw new TypeError("the reply was deferred");
    return answer;
  }

  function createCounting() {
    let verified = 0;
    const fixture = createWard({ authenticationRefresh: true, limits: { authentication: RATE } });
    const app = createWard({
      authenticationRefresh: true,
      limits: { authentication: RATE },
      authenticator: {
        authenticate() {
          verified++;
          throw new HubwardError("invalid_token");
        },
      },
    });
    return { fixture, app, verified: () => verified };
  }

  it.each(doors)("are 429 at %s before anything is verified, for that address and for a while", async (_name, door) => {
    const { app, verified } = createCounting();
    const bad = { bearers: ["bad"] };
    for (let count = 0; count < 3; count++) expect((await door(app, bad)).status).toBe(401);
    const refused = await door(app, bad);
    expect([refused.status, refused.headers["retry-after"], refused.body]).toEqual([
      429,
      "1",
      '{"error":"rate_limited;action=retry-after;retry_after=1"}',
    ]);
    expect(verified()).toBe(3);
    expect((await door(app, { ...bad, remoteAddress: "192.0.2.8" })).status).toBe(401);
    app.clock.advance(1_000);
    expect([(await door(app, bad)).status, (await door(app, bad)).status]).toEqual([401, 429]);
  });

  it("count at all doors together", async () => {
    const { app } = createCounting();
    const statuses: number[] = [];
    for (const [, door] of doors) statuses.push((await door(app, { bearers: ["bad"] })).status);
    expect(statuses).toEqual([401, 401, 401, 429]);
  });

  it("are none that succeed, that have aged, that were revoked, or that present nothing", async () => {
    const { fixture } = createCounting();
    const good = fixture.tokenOf({});
    const aged = fixture.tokenOf({ subject: "late", livesMs: -1 });
    const revoked = fixture.tokenOf({ subject: "gone", sessionId: "s" });
    await fixture.app.revoke({ session: "s" });
    for (let count = 0; count < 20; count++) {
      expect((await fixture.negotiate(good)).status).toBe(200);
      expect((await fixture.negotiate(aged)).status).toBe(401);
      expect((await fixture.negotiate(revoked, { headers: {} })).status).toBe(401);
      expect((await fixture.negotiate(undefined)).status).toBe(401);
    }
    expect(fixture.of("connection.refused").some(({ reason }) => reason === "rate_limited")).toBe(false);
  });

  it("hold back who is genuine at that address as long as somebody there goes on, and nobody with a ticket", async () => {
    const { fixture } = createCounting();
    const good = fixture.tokenOf({});
    const { connectionToken, accessToken = "" } = bodyOf(await fixture.negotiate(good));
    for (let count = 0; count < 3; count++) await fixture.negotiate("bad");
    expect((await fixture.negotiate(good)).status).toBe(429);
    const socket = await upgraded(fixture, { query: `id=${connectionToken}`, queryBearers: [accessToken] });
    socket.peerSends(hello);
    expect(fixture.app.connectionCount).toBe(1);
    fixture.clock.advance(1_000);
    for (let count = 0; count < 5; count++) expect((await fixture.negotiate(good)).status).toBe(200);
  });

  it("with tickets that are none lock no token out: after a restart nobody's ticket is one", async () => {
    const { fixture } = createCounting();
    const before = createWard();
    const { accessToken = "" } = bodyOf(await before.negotiate(before.tokenOf({})));
    const statuses: number[] = [];
    for (let count = 0; count < 5; count++) statuses.push((await fixture.negotiate(accessToken)).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect((await fixture.negotiate(fixture.tokenOf({}))).status).toBe(200);
  });

  it("are a line a second in the log for each address", async () => {
    const { app } = createCounting();
    for (let count = 0; count < 50; count++) await app.negotiate("bad");
    app.clock.advance(500);
    await app.negotiate("bad");
    const lines = app.of("connection.refused");
    expect(lines.map(({ reason }) => reason)).toEqual([
      "invalid_token",
      "invalid_token",
      "invalid_token",
      "rate_limited",
    ]);
    expect(lines.at(-1)?.hint).toContain("trustedProxies");
  });
});

describe("the connections of one principal", () => {
  it("beyond their number are told why in a stock client's own way, and by status to others", async () => {
    const fixture = createWard({ limits: { maxConnectionsPerPrincipal: 2 } });
    const token = fixture.tokenOf({});
    const first = await fixture.connect(token);
    await fixture.connect(token, "/hubs/other");
    const plain = await fixture.negotiate(token, { headers: {} });
    const reason = "connection_limit;action=retry-after;retry_after=30";
    expect([plain.status, plain.headers["retry-after"], plain.body]).toEqual([429, "30", `{"error":"${reason}"}`]);
    const told = await fixture.negotiate(token, { headers: stockClient });
    expect([told.status, JSON.parse(told.body)]).toMatchObject([200, { error: reason }]);
    expect(fixture.app.connectionCount).toBe(2);
    expect((await fixture.connect(doctorOf(fixture))).socket.isEnded).toBe(false);
    first.socket.end();
    expect((await fixture.connect(token)).socket.isEnded).toBe(false);
  });

  it("are counted when they are born, whoever negotiated before", async () => {
    const fixture = createWard({ limits: { maxConnectionsPerPrincipal: 2 } });
    const token = fixture.tokenOf({});
    const attempts = [];
    for (let count = 0; count < 4; count++) attempts.push(bodyOf(await fixture.negotiate(token)));
    const sockets: MemorySocket[] = [];
    for (const { connectionToken, accessToken = "" } of attempts) {
      const socket = await upgraded(fixture, { query: `id=${connectionToken}`, queryBearers: [accessToken] });
      socket.peerSends(hello);
      sockets.push(socket);
    }
    expect(sockets.map(({ closed }) => closed?.code)).toEqual([undefined, undefined, 4429, 4429]);
    expect(fixture.peerOn(sockets[2] as MemorySocket).hear()).toEqual([
      { type: messageType.close, error: "connection_limit;action=retry-after;retry_after=30", allowReconnect: true },
    ]);
    expect(fixture.app.connectionCount).toBe(2);
    expect(fixture.of("connection.refused").map(({ reason, principal }) => [reason, principal?.subject])).toEqual([
      ["connection_limit", "nurse-7"],
      ["connection_limit", "nurse-7"],
    ]);
  });
});

describe("admissions that are under way", () => {
  it("over their number get 503 with a time to come back, and one line in the log", async () => {
    const answer = deferred<never>();
    const fixture = createWard({
      limits: { maxPendingAdmissions: 5 },
      authenticator: { authenticate: () => answer.promise },
    });
    const waiting = Array.from({ length: 5 }, () => fixture.negotiate("any"));
    const refused = await Promise.all(Array.from({ length: 20 }, () => fixture.negotiate("any")));
    for (const { status, headers, body } of refused) {
      expect(status).toBe(503);
      expect(Number(headers["retry-after"])).toBeGreaterThanOrEqual(1);
      expect(body).toMatch(/^\{"error":"try_again_later;action=retry-after;retry_after=[1-5]"\}$/);
    }
    expect(fixture.of("connection.refused").map(({ reason }) => reason)).toEqual(["try_again_later"]);
    answer.reject(new HubwardError("invalid_token"));
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
    expect((await fixture.negotiate("any")).status).toBe(401);
  });
});
