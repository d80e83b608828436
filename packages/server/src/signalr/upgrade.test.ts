import { messageType, type HubMessage } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import type { AppFixture, NegotiateBody } from "../../test/app-fixture.js";
import { text } from "../../test/connection-fixture.js";
import { requestOf } from "../../test/http-fixture.js";
import { bodyOf, createWard, hello, HUB, upgraded } from "../../test/ward-fixture.js";

function outcomeOf(message: HubMessage | undefined): unknown {
  return message?.type === messageType.completion ? message.outcome : message;
}

describe("attaching a WebSocket", () => {
  it("takes the ticket of the attempt, or a JWT of the same person and client", async () => {
    for (const kind of ["ticket", "the same JWT", "another session's JWT"] as const) {
      const fixture = createWard();
      const token = fixture.tokenOf({ sessionId: "s1" });
      const { connectionToken, accessToken = "" } = bodyOf(await fixture.negotiate(token));
      const query = `id=${connectionToken}`;
      const bearers =
        kind === "ticket" ? [accessToken] : [kind === "the same JWT" ? token : fixture.tokenOf({ sessionId: "s2" })];
      const socket = await upgraded(fixture, { query, bearers });
      socket.peerSends(hello);
      expect(text(socket.written)).toBe("");
      expect([fixture.peerOn(socket).hear(), fixture.app.connectionCount]).toEqual([[], 1]);
    }
  });

  it("answers a foreign id as it answers an unknown one", async () => {
    const fixture = createWard();
    const { connectionToken, accessToken = "" } = bodyOf(await fixture.negotiate(fixture.tokenOf({ subject: "ann" })));
    const bob = fixture.tokenOf({ subject: "bob" });
    const bobs = bodyOf(await fixture.negotiate(bob));
    const answers = [
      await fixture.upgrade({ query: "id=unknown", bearers: [bob] }),
      await fixture.upgrade({ query: `id=${connectionToken}`, bearers: [bob] }),
      await fixture.upgrade({ query: `id=${connectionToken}`, bearers: [bobs.accessToken ?? ""] }),
      await fixture.upgrade({
        query: `id=${connectionToken}`,
        bearers: [fixture.tokenOf({ subject: "ann", clientId: "other" })],
      }),
      await fixture.upgrade({
        query: `id=${connectionToken}`,
        bearers: [fixture.tokenOf({ subject: "ann", tenant: "annex" })],
      }),
    ];
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(answers[0]).toMatchObject({ status: 404 });
    // None of that has used it up.
    await upgraded(fixture, { query: `id=${connectionToken}`, queryBearers: [accessToken] });
  });

  it.each<[string, (fixture: AppFixture, ticket: string) => Parameters<AppFixture["upgrade"]>[0], number]>([
    ["on another hub", (_, ticket) => ({ path: "/hubs/other", queryBearers: [ticket] }), 401],
    ["without an id", (_, ticket) => ({ query: "", queryBearers: [ticket] }), 401],
    ["beside another bearer", (f, ticket) => ({ bearers: [f.tokenOf({})], queryBearers: [ticket] }), 400],
    [
      "from a page that is not allowed",
      (_, ticket) => ({ queryBearers: [ticket], headers: { origin: "https://evil.example" } }),
      403,
    ],
    [
      "by a browser that names no page",
      (_, ticket) => ({ queryBearers: [ticket], headers: { "sec-fetch-site": "same-origin" } }),
      403,
    ],
  ])("does not take a ticket %s, and does not use it up by refusing", async (_, ask, status) => {
    const fixture = createWard();
    const { connectionToken, accessToken = "" } = bodyOf(await fixture.negotiate(fixture.tokenOf({})));
    const query = `id=${connectionToken}`;
    expect(await fixture.upgrade({ query, ...ask(fixture, accessToken) })).toMatchObject({ status });
    await upgraded(fixture, { query, queryBearers: [accessToken] });
  });

  it("takes a ticket for 30 s", async () => {
    const fixture = createWard();
    const { connectionToken, accessToken = "" } = bodyOf(await fixture.negotiate(fixture.tokenOf({})));
    fixture.clock.advance(30_000);
    const answer = await fixture.upgrade({ query: `id=${connectionToken}`, queryBearers: [accessToken] });
    expect(answer).toMatchObject({ status: 401 });
  });

  it("does not take a ticket beyond the token it stands for", async () => {
    const fixture = createWard();
    const { connectionToken, accessToken = "" } = bodyOf(await fixture.negotiate(fixture.tokenOf({ livesMs: 12_000 })));
    fixture.clock.advance(12_000);
    const answer = await fixture.upgrade({ query: `id=${connectionToken}`, queryBearers: [accessToken] });
    expect(answer).toMatchObject({ status: 401, body: expect.stringContaining("token_expired") as string });
  });

  it("lets a client fall back three times with one ticket; the attempt that shakes hands wins, the others die", async () => {
    const fixture = createWard();
    const first = bodyOf(await fixture.negotiate(fixture.tokenOf({})));
    const ticket = first.accessToken ?? "";
    const second = bodyOf(await fixture.negotiate(ticket));
    const third = bodyOf(await fixture.negotiate(ticket));
    expect([second.accessToken, third.accessToken]).toEqual([undefined, undefined]);
    expect(await fixture.negotiate(ticket)).toMatchObject({ status: 401 });
    const at = ({ connectionToken }: NegotiateBody) => ({ query: `id=${connectionToken}`, queryBearers: [ticket] });
    const [one, two] = [await upgraded(fixture, at(first)), await upgraded(fixture, at(second))];
    two.peerSends(hello);
    expect(fixture.app.connectionCount).toBe(1);
    // The sibling that was attached already comes too late, the one that was not is gone.
    one.peerSends(hello);
    expect(one.closed?.code).toBe(4415);
    expect(await fixture.upgrade(at(third))).toMatchObject({ status: 404 });
    expect(await fixture.upgrade(at(second))).toMatchObject({ status: 409 });
    expect(await fixture.negotiate(ticket)).toMatchObject({ status: 401 });
    // It dies with its connection.
    two.end();
    expect(await fixture.upgrade(at(second))).toMatchObject({ status: 401 });
  });

  it("leaves the ticket to another attempt when a transport could not be established", async () => {
    const fixture = createWard();
    const { connectionToken, accessToken = "" } = bodyOf(await fixture.negotiate(fixture.tokenOf({})));
    const { endpoint } = fixture.app;
    const ask = { method: "GET", path: HUB, remoteAddress: undefined, header: () => undefined };
    const answer = await endpoint.upgrade({
      ...ask,
      query: new Map([["id", connectionToken]]),
      bearers: [{ kind: "bearer", token: { reveal: () => accessToken } as never, source: "query" }],
    });
    if (!answer.accepted) throw new TypeError("refused");
    answer.abandon();
    const second = bodyOf(await fixture.negotiate(accessToken));
    const socket = await upgraded(fixture, { query: `id=${second.connectionToken}`, queryBearers: [accessToken] });
    socket.peerSends(hello);
    expect(fixture.app.connectionCount).toBe(1);
  });

  it("judges a later JWT anew: who has lost the right since negotiating does not get in", async () => {
    const fixture = createWard();
    const { connectionToken } = bodyOf(await fixture.negotiate(fixture.tokenOf({})));
    const later = fixture.tokenOf({ roles: [], livesMs: 7_200_000 });
    const answer = await fixture.upgrade({ query: `id=${connectionToken}`, bearers: [later] });
    expect(answer).toMatchObject({ status: 403 });
  });

  it("without negotiating takes a JWT in the header, and asks everything a negotiate asks", async () => {
    const fixture = createWard();
    const socket = await upgraded(fixture, { bearers: [fixture.tokenOf({ subject: "ann" })] });
    socket.peerSends(hello);
    expect(outcomeOf(await fixture.peerOn(socket).call("WhoAmI"))).toMatchObject({ value: { subject: "ann" } });
    for (const [bearers, status] of [
      [[fixture.tokenOf({ subject: "visitor", roles: [] })], 403],
      [[fixture.tokenOf({ subject: "late", issuedAt: fixture.clock.now() - 60_000, livesMs: 5_000 })], 401],
      [["eyJ-unknown"], 401],
      [[], 401],
    ] as const) {
      expect(await fixture.upgrade({ bearers })).toMatchObject({ status });
    }
  });

  it.each([
    ["NodeJS; 20.20.2", false],
    [".NET; .NET 10.0.1", true],
    ["Java; 21", true],
  ])("tells the adapter who takes close codes for failures: %s, %s", async (runtime, closesAsNormal) => {
    const fixture = createWard();
    const headers = { "user-agent": `Microsoft SignalR/10.0 (10.0.11; Linux; ${runtime})` };
    const request = requestOf({ method: "GET", path: HUB, headers, bearers: [fixture.tokenOf({})] });
    expect(await fixture.app.endpoint.upgrade(request)).toMatchObject({ accepted: true, closesAsNormal });
  });

  it("tells a stock client that may not connect why, over a connection that is none", async () => {
    const fixture = createWard();
    const token = fixture.tokenOf({ subject: "visitor", roles: ["guest"] });
    const { connectionToken, connectionId, accessToken = "" } = bodyOf(await fixture.negotiate(token));
    const socket = await upgraded(fixture, { query: `id=${connectionToken}`, queryBearers: [accessToken] });
    socket.peerSends(hello);
    socket.peerSends(hello);
    expect(fixture.peerOn(socket).hear()).toEqual([{ type: messageType.close, error: "forbidden: staff only" }]);
    expect([socket.closed?.code, fixture.app.connectionCount]).toEqual([4403, 0]);
    expect(fixture.events).toEqual([
      expect.objectContaining({
        event: "connection.refused",
        reason: "forbidden",
        connectionId,
        principal: expect.objectContaining({ subject: "visitor", roles: ["guest"] }) as unknown,
      }),
    ]);
    socket.end();
  });
});
