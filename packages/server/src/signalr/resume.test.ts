import { MemorySocket } from "@hubward/testing";
import { encodeHandshakeRequest, jsonCodec, messageType, type HubMessage } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import type { AppFixture, NegotiateBody } from "../../test/app-fixture.js";
import { bytes, text } from "../../test/connection-fixture.js";
import { bodyOf, createWard, upgraded, type WardFixture } from "../../test/ward-fixture.js";
import type { HttpReply } from "../core/http.js";

const ASKING = "negotiateVersion=1&useStatefulReconnect=true";
const UNKNOWN = { status: 404, body: "No Connection with that ID" };

interface ResumableClient extends NegotiateBody {
  readonly token: string;
  readonly socket: MemorySocket;
  readonly query: string;
  readonly ticket: string;
}

async function enter(
  fixture: WardFixture,
  { token = fixture.tokenOf({}), version = 2, query = ASKING } = {},
): Promise<ResumableClient> {
  const body = bodyOf(await fixture.negotiate(token, { query }));
  const ticket = body.accessToken ?? "";
  const idQuery = `id=${body.connectionToken}`;
  const socket = await upgraded(fixture, { query: idQuery, queryBearers: [ticket] });
  socket.peerSends(encodeHandshakeRequest({ protocol: "json", version }));
  return { ...body, token, socket, ticket, query: idQuery };
}

function comeBack(fixture: AppFixture, { query, ticket }: ResumableClient): Promise<HttpReply | MemorySocket> {
  return fixture.upgrade({ query, queryBearers: [ticket] });
}

/** Messages on a socket so far. */
function heard({ clock }: AppFixture, socket: MemorySocket): HubMessage[] {
  while (clock.pendingTurn > 0) clock.endTurn();
  const said = text(socket.written);
  return [...said.matchAll(/\{"type":.*?(?=\x1e)/gs)].map(([body]) => jsonCodec.decode(bytes(body)) as HubMessage);
}

function namesOf({ events }: WardFixture): readonly string[] {
  return events.map(({ event }) => event);
}

const note = (words: string): HubMessage => ({ type: messageType.invocation, target: "note", arguments: [words] });
const sequence = (sequenceId: number): HubMessage => ({ type: messageType.sequence, sequenceId });

describe("negotiating stateful reconnect", () => {
  it.each([
    ["asked for and allowed", "useStatefulReconnect=true", true, true],
    ["asked for in another spelling", "USESTATEFULRECONNECT=True", true, true],
    ["asked for in version 0", "negotiateVersion=0&useStatefulReconnect=true", true, true],
    ["not asked for", "", true, undefined],
    ["declined", "useStatefulReconnect=false", true, undefined],
    ["not allowed", "useStatefulReconnect=true", false, undefined],
  ])("where it is %s", async (_, query, statefulReconnect, expected) => {
    const fixture = createWard({ statefulReconnect });
    const reply = bodyOf(await fixture.negotiate(fixture.tokenOf({}), { query: `negotiateVersion=1&${query}` }));
    expect((reply as { useStatefulReconnect?: boolean }).useStatefulReconnect).toBe(expected);
  });

  it("is none where WebSockets are not offered", async () => {
    const fixture = createWard({ statefulReconnect: true, transports: ["LongPolling"] });
    const reply = await fixture.negotiate(fixture.tokenOf({}), { query: ASKING });
    expect(reply.body).not.toContain("useStatefulReconnect");
  });
});

describe("coming back to a connection", () => {
  it("needs no negotiate and no handshake: the client is told a number, what it missed, and what goes on", async () => {
    const fixture = createWard({ statefulReconnect: true });
    const client = await enter(fixture);
    fixture.hub.toAll().emit("note", "one");
    fixture.clock.endTurn();
    client.socket.end();
    fixture.hub.toAll().emit("note", "two");
    expect(fixture.app.connectionCount).toBe(1);
    const next = await comeBack(fixture, client);
    if (!(next instanceof MemorySocket)) throw new TypeError(`refused: ${next.status}`);
    next.peerSends(jsonCodec.encode(sequence(1)));
    fixture.hub.toAll().emit("note", "three");
    expect(heard(fixture, next)).toEqual([sequence(1), note("one"), note("two"), note("three")]);
    fixture.clock.advance(250);
    next.end({ wasClean: true });
    const about = { connectionId: client.connectionId, hub: "/hubs/ward", subject: "nurse-7" };
    expect(fixture.events.slice(1)).toEqual([
      { event: "connection.detached", ...about, ageMs: 0 },
      { event: "connection.resumed", ...about, remoteAddress: "192.0.2.7", awayMs: 0, replayed: 1 },
      { event: "connection.closed", ...about, reason: "normal", ageMs: 250 },
    ]);
  });

  it.each<[string, (fixture: WardFixture, client: ResumableClient) => Parameters<AppFixture["upgrade"]>[0]]>([
    ["its ticket", (_, { ticket }) => ({ queryBearers: [ticket] })],
    ["the token it came with", (_, { token }) => ({ bearers: [token] })],
    ["another session's token of the same person", (f) => ({ bearers: [f.tokenOf({ sessionId: "s2" })] })],
    ["a later token of the same person", (f) => ({ bearers: [f.tokenOf({ livesMs: 7_200_000 })] })],
  ])("takes %s", async (_, credential) => {
    const fixture = createWard({ statefulReconnect: true });
    const client = await enter(fixture);
    client.socket.end();
    await upgraded(fixture, { query: client.query, ...credential(fixture, client) });
    expect(namesOf(fixture)).toContain("connection.resumed");
  });

  it("is answered to anyone else as if there were nothing to come back to, and the connection hears nothing of it", async () => {
    const fixture = createWard({ statefulReconnect: true });
    const client = await enter(fixture);
    const bob = await enter(fixture, { token: fixture.tokenOf({ subject: "bob" }) });
    const credentials = [
      { bearers: [fixture.tokenOf({ subject: "bob" })] },
      { queryBearers: [bob.ticket] },
      { bearers: [fixture.tokenOf({ clientId: "another" })] },
      { bearers: [fixture.tokenOf({ tenant: "annex" })] },
    ];
    const unknown = await fixture.upgrade({ query: "id=unknown", bearers: [bob.token] });
    expect(unknown).toMatchObject(UNKNOWN);
    for (const state of ["alive", "detached"]) {
      if (state === "detached") client.socket.end();
      for (const credential of credentials) {
        expect(await fixture.upgrade({ query: client.query, ...credential })).toEqual(unknown);
      }
      if (state === "alive") expect(client.socket.isEnded).toBe(false);
    }
    // Its own client is still welcome.
    expect(await comeBack(fixture, client)).toBeInstanceOf(MemorySocket);
  });

  it("is possible for 15 s; then ticket and id are nobody's", async () => {
    const fixture = createWard({ statefulReconnect: true });
    const [soon, late] = [await enter(fixture), await enter(fixture)];
    soon.socket.end();
    late.socket.end();
    fixture.clock.advance(14_000);
    expect(await comeBack(fixture, soon)).toBeInstanceOf(MemorySocket);
    fixture.clock.advance(2_000);
    expect(await comeBack(fixture, late)).toMatchObject({ status: 401 });
    expect(await fixture.upgrade({ query: late.query, bearers: [late.token] })).toMatchObject(UNKNOWN);
    expect(fixture.app.connectionCount).toBe(1);
  });

  it.each<[string, (fixture: WardFixture, client: ResumableClient) => void]>([
    ["whose client said goodbye", (_, { socket }) => socket.peerSends(bytes('{"type":7}\x1e'))],
    ["whose client closed its WebSocket", (_, { socket }) => socket.end({ wasClean: true })],
    ["whose credential has ended", ({ clock }) => clock.advance(3_600_000)],
    ["whose client broke the protocol", (_, { socket }) => socket.peerSends(bytes("{{{\x1e"))],
  ])("is not possible to one %s", async (_, end) => {
    const fixture = createWard({ statefulReconnect: true });
    const client = await enter(fixture);
    end(fixture, client);
    const later = fixture.tokenOf({ livesMs: 7_200_000 });
    expect(await fixture.upgrade({ query: client.query, bearers: [later] })).toMatchObject(UNKNOWN);
  });

  it("is not possible while the server goes away, and a detached connection does not hold it up", async () => {
    const fixture = createWard({ statefulReconnect: true });
    const client = await enter(fixture);
    client.socket.end();
    await fixture.app.close();
    expect(await comeBack(fixture, client)).toMatchObject({ status: 401 });
    expect(await fixture.upgrade({ query: client.query, bearers: [client.token] })).toMatchObject({ status: 503 });
    expect(fixture.events.at(-3)).toMatchObject({ event: "connection.closed", reason: "going_away" });
  });

  it("is refused to who left a group whose events it may have missed, with a word to the operator", async () => {
    const fixture = createWard({ statefulReconnect: true });
    const client = await enter(fixture, { token: fixture.tokenOf({ department: "icu" }) });
    const peer = fixture.peerOn(client.socket);
    await peer.call("Join", "icu");
    fixture.app.to(fixture.ward({ ward: "icu" })).emit("vitals", 1);
    fixture.clock.endTurn();
    await peer.call("Leave", "icu");
    client.socket.end();
    expect(await comeBack(fixture, client)).toMatchObject(UNKNOWN);
    expect(fixture.events.at(-1)).toMatchObject({
      event: "connection.refused",
      reason: "not_found",
      hint: expect.stringContaining("may no longer be seen") as string,
    });
  });

  it.each([
    ["that asked for it but speaks version 1 of the protocol", { version: 1 }],
    ["that speaks version 2 of the protocol but did not ask for it", { query: "negotiateVersion=1" }],
  ])("is not for a client %s: a lost transport ends it", async (_, how) => {
    const fixture = createWard({ statefulReconnect: true });
    const client = await enter(fixture, how);
    expect(await comeBack(fixture, client)).toMatchObject({ status: 409 });
    client.socket.peerSends(bytes('{"type":8,"sequenceId":9}\x1e{"type":9,"sequenceId":9}\x1e'));
    expect(client.socket.isEnded).toBe(false);
    client.socket.end();
    expect(namesOf(fixture).at(-1)).toBe("connection.closed");
    expect(fixture.app.connectionCount).toBe(0);
  });

  it("while the old socket looks alive cancels it, and lets one through at a time", async () => {
    const fixture = createWard({ statefulReconnect: true });
    const client = await enter(fixture);
    const first = comeBack(fixture, client);
    expect(await comeBack(fixture, client)).toMatchObject({ status: 409 });
    expect(client.socket.isReset).toBe(true);
    client.socket.end();
    const next = await first;
    if (!(next instanceof MemorySocket)) throw new TypeError(`refused: ${next.status}`);
    expect([next.isEnded, fixture.app.connectionCount]).toEqual([false, 1]);
  });

  it("is kept possible for 100 connections of one person at a time, and for others whatever that one does", async () => {
    const fixture = createWard({ statefulReconnect: true, limits: { maxConnectionsPerPrincipal: false } });
    const clients: ResumableClient[] = [];
    for (let count = 0; count < 101; count++) clients.push(await enter(fixture));
    const bob = await enter(fixture, { token: fixture.tokenOf({ subject: "bob" }) });
    for (const { socket } of [...clients, bob]) socket.end();
    expect(fixture.app.connectionCount).toBe(101);
    const [first, last] = [clients[0], clients[100]] as [ResumableClient, ResumableClient];
    expect(await comeBack(fixture, last)).toMatchObject({ status: 401 });
    // Who comes back makes room for another.
    const next = await comeBack(fixture, first);
    if (!(next instanceof MemorySocket)) throw new TypeError(`refused: ${next.status}`);
    next.end();
    expect(
      [await comeBack(fixture, first), await comeBack(fixture, bob)].map((each) => each instanceof MemorySocket),
    ).toEqual([true, true]);
  });

  it("may be tried again when the transport did not come about", async () => {
    const fixture = createWard({ statefulReconnect: true });
    const client = await enter(fixture);
    client.socket.end();
    const answer = await fixture.app.endpoint.upgrade({
      method: "GET",
      path: "/hubs/ward",
      query: new Map([["id", client.connectionToken]]),
      header: () => undefined,
      bearers: [{ kind: "bearer", token: { reveal: () => client.ticket } as never, source: "query" }],
      remoteAddress: undefined,
    });
    if (!answer.accepted) throw new TypeError("refused");
    answer.abandon();
    expect(await comeBack(fixture, client)).toBeInstanceOf(MemorySocket);
  });
});
