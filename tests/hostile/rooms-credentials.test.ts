/** Ways into rooms: tickets, tokens in the wrong place, several credentials at once, pages of foreign origins. */

import type { Authenticator } from "@hubward/server/ports";
import { HubwardError } from "@hubward/wire";
import { expect, test } from "vitest";
import { openRooms, UpgradeRefused, type RoomsClientOptions } from "../support/rooms-client.js";
import { upgrade } from "../support/raw-web-socket.js";
import { runApp, type RunningApp } from "../support/running-app.js";
import { text, word } from "../support/schemas.js";
import { ask, bearer } from "../support/server.js";
import { leaksOf } from "../support/leaks.js";

const ORIGIN = "https://ward.example";
const PAGE = { origin: ORIGIN, "sec-fetch-site": "same-origin" } as const;
const member = { roles: ["member"] } as const;

interface Running extends Omit<RunningApp<unknown>, "app"> {
  readonly app: Pick<RunningApp<unknown>["app"], "connectionCount" | "revoke" | "recheck">;
  /** Roles that were taken away since the tokens were issued. */
  readonly fired: Set<string>;
  /** Subjects that reached the application's own code. */
  readonly entered: string[];
  ticketOf(token: string, path?: string): Promise<string>;
  /** How an attempt ends: the reason it is refused or closed for, or `ready`. */
  attempt(options: RoomsClientOptions): Promise<string>;
}

async function start(): Promise<Running> {
  const fired = new Set<string>();
  const entered: string[] = [];
  const running = await runApp(
    ({ subject, claims }) => ({ roles: fired.has(subject) ? [] : (claims["roles"] as string[]) }),
    (app) => {
      const members = app.policy("Members", ({ principal }) => {
        entered.push(principal.subject);
        return principal.hasRole("member");
      });
      app
        .group("room/{room}", { room: word })
        .allow(members)
        .room((room) => room.publish("note", text, (note) => note.members()));
      app
        .hub("/hub")
        .allow(members)
        .methods(() => ({}));
      app.rooms("/rooms").allow(members);
      app.rooms("/others").allow(members);
      app.rooms("/query", { queryToken: true }).allow(members);
      app.rooms("/strict", { firstFrame: false }).allow(members);
    },
    { allowedOrigins: [ORIGIN], cookie: "__Host-access" },
  );
  const { port } = running;
  return {
    ...running,
    fired,
    entered,
    async ticketOf(token, path = "/rooms") {
      const { body } = await ask(port, { method: "POST", path: `${path}/ticket`, headers: bearer(token) });
      return (JSON.parse(body) as { readonly ticket: string }).ticket;
    },
    async attempt(options) {
      try {
        const client = await openRooms(port, options);
        const frame = await client.frames.first(({ type }) => type === "ready" || type === "closing");
        if (frame.type === "ready") return "ready";
        const { code, reason } = await client.closed;
        return `${code} ${reason}`;
      } catch (error) {
        if (error instanceof UpgradeRefused) return error.message;
        throw error;
      }
    },
  };
}

const refused = (status: number, reason: string): string => `${status} ${JSON.stringify({ error: reason })}`;
const DENIED = /^403 \{"error":"origin_denied;action=fix-request/;
/** A page of an allowed origin cannot read a status: it is told in the socket. */
const TOLD = /^\d{4} origin_denied;action=fix-request/;
const TAKEN = refused(401, "ticket_invalid;action=reconnect");

test("of a hundred who come with one ticket at once exactly one gets in, and each other hears why not", async () => {
  const { issuer, ticketOf, attempt, app } = await start();
  const ticket = await ticketOf(await issuer.token("ada", member));
  const outcomes = await Promise.all(Array.from({ length: 100 }, () => attempt({ path: `/rooms?ticket=${ticket}` })));
  const counts = new Map<string, number>();
  for (const outcome of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  expect(counts.get("ready")).toBe(1);
  const reasons = ["ready", TAKEN, "4415 ticket_invalid;action=reconnect"];
  for (const outcome of counts.keys()) expect(reasons).toContain(outcome);
  expect(app.connectionCount).toBe(1);
});

test("a ticket is good in its own place, as what it is, and for nothing else", async () => {
  const { port, issuer, ticketOf, attempt } = await start();
  const token = await issuer.token("ada", member);
  const ticket = await ticketOf(token);
  const negotiated = await ask(port, {
    method: "POST",
    path: "/hub/negotiate?negotiateVersion=1",
    headers: bearer(token),
  });
  const hubs = JSON.parse(negotiated.body) as { readonly accessToken?: string; readonly connectionToken: string };
  const different = refused(400, "invalid_request;action=fix-request");
  expect({
    "at another endpoint": await attempt({ path: `/others?ticket=${ticket}` }),
    "a hub's ticket": await attempt({ path: `/rooms?ticket=${hubs.accessToken ?? "hwt_missing"}` }),
    "one that nobody gave": await attempt({ path: `/rooms?ticket=hwt_${"A".repeat(43)}` }),
    "one of 60,000 characters": (await attempt({ path: `/rooms?ticket=hwt_${"A".repeat(10_000)}` })).slice(0, 3),
    "beside a token": await attempt({ path: `/rooms?ticket=${ticket}`, headers: bearer(token) }),
    "twice, and different": await attempt({ path: `/rooms?ticket=${ticket}&ticket=hwt_x` }),
    "for another ticket": (await ask(port, { method: "POST", path: "/rooms/ticket", headers: bearer(ticket) })).body,
    "in the query, for a ticket": (await ask(port, { method: "POST", path: `/rooms/ticket?token=${token}` })).body,
    "at a hub": (await ask(port, { method: "POST", path: "/hub/negotiate", headers: bearer(ticket) })).status,
    "two tokens": await attempt({ path: `/query?token=${await issuer.token("bob", member)}`, headers: bearer(token) }),
    "a GET for a ticket": (await ask(port, { path: "/rooms/ticket", headers: bearer(token) })).status,
    "a ticket after all that": await attempt({ path: `/rooms?ticket=${ticket}` }),
    "and once more": await attempt({ path: `/rooms?ticket=${ticket}` }),
  }).toEqual({
    "at another endpoint": TAKEN,
    "a hub's ticket": TAKEN,
    "one that nobody gave": TAKEN,
    "one of 60,000 characters": "401",
    "beside a token": different,
    "twice, and different": different,
    "for another ticket": JSON.stringify({ error: "invalid_token;action=relogin" }),
    "in the query, for a ticket": JSON.stringify({ error: "invalid_request;action=fix-request" }),
    "at a hub": 401,
    "two tokens": different,
    "a GET for a ticket": 405,
    "a ticket after all that": "ready",
    "and once more": TAKEN,
  });
});

test("a ticket in a header opens a socket, and one in the first frame or in a new credential does nothing", async () => {
  const { port, issuer, ticketOf, attempt, telemetry } = await start();
  const token = await issuer.token("ada", member);
  expect(await attempt({ headers: bearer(await ticketOf(token)) })).toBe("ready");
  const client = await openRooms(port);
  client.send({ type: "auth", token: await ticketOf(token) });
  expect(await client.closed).toEqual({ code: 4414, reason: "invalid_token;action=relogin" });
  const inside = await openRooms(port, { headers: bearer(token) });
  expect(await inside.ask({ type: "auth", token: await ticketOf(token) })).toMatchObject({ reason: "invalid_token" });
  expect(telemetry.items.filter(({ event }) => event === "application.failed")).toEqual([]);
});

test("what looks like a ticket reaches no verifier, which may be somebody else's server", async () => {
  const seen: string[] = [];
  const { port } = await runApp(
    () => ({}),
    (app) => app.rooms().allow(app.policy("Anyone", () => true)),
    {
      authenticator: {
        authenticate({ token }: { readonly token: { reveal(): string } }) {
          seen.push(token.reveal());
          return Promise.reject(new HubwardError("invalid_token"));
        },
      } as unknown as Authenticator,
    },
  );
  for (const token of [`hwt_${"A".repeat(43)}`, "opaque"]) {
    const client = await openRooms(port);
    client.send({ type: "auth", token });
    expect(await client.closed).toEqual({ code: 4414, reason: "invalid_token;action=relogin" });
  }
  expect(seen).toEqual(["opaque"]);
});

test("a ticket of somebody who was revoked, whose token ended or who lost the role lets nobody in", async () => {
  const { issuer, app, clock, fired, ticketOf, attempt, telemetry } = await start();
  const inSession = { ...member, claims: { sid: "s1" } };
  const revoked = await ticketOf(await issuer.token("ada", inSession));
  const ended = await ticketOf(await issuer.token("bob", { ...member, lifetime: 20 }));
  const demoted = await ticketOf(await issuer.token("eve", member));
  const late = await ticketOf(await issuer.token("dan", member));
  await app.revoke({ session: "s1" });
  fired.add("eve");
  await app.recheck({ subject: "eve" });
  expect(await attempt({ path: `/rooms?ticket=${revoked}` })).toBe(refused(401, "session_revoked;action=relogin"));
  const outcome = await attempt({ path: `/rooms?ticket=${demoted}` });
  // Let in on what is not so any more, or sent back to be asked about anew: nothing is done for her either way.
  expect(outcome).toMatch(/ready|auth_unavailable/);
  expect(await telemetry.first((event) => event.event === "connection.closed")).toMatchObject({ subject: "eve" });
  clock.advance(25_000);
  expect(await attempt({ path: `/rooms?ticket=${ended}` })).toBe(refused(401, "token_expired;action=refresh"));
  clock.advance(5_000);
  expect(await attempt({ path: `/rooms?ticket=${late}` })).toBe(TAKEN);
});

test("a session that is revoked while its first frame is judged does not come in", async () => {
  const { port, issuer, app } = await start();
  const client = await openRooms(port);
  client.send({ type: "auth", token: await issuer.token("ada", { ...member, claims: { sid: "s1" } }) });
  await app.revoke({ session: "s1" });
  expect(await client.closed).toEqual({ code: 4410, reason: "session_revoked;action=relogin" });
});

test("a token in the query opens nothing unless it is allowed, and stands in no log either way", async () => {
  const { issuer, attempt, telemetry } = await start();
  const token = await issuer.token("ada", member);
  expect({
    off: await attempt({ path: `/rooms?token=${token}` }),
    access_token: await attempt({ path: `/rooms?access_token=${token}` }),
    escaped: await attempt({ path: `/rooms?%74oken=${token}` }),
    on: await attempt({ path: `/query?token=${token}` }),
    empty: await attempt({ path: "/strict?token=" }),
  }).toEqual({
    off: refused(401, "invalid_token;action=relogin"),
    access_token: refused(401, "invalid_token;action=relogin"),
    escaped: refused(401, "invalid_token;action=relogin"),
    on: "ready",
    empty: "401 ",
  });
  expect(leaksOf({ telemetry: JSON.stringify(telemetry.items) }, { token })).toEqual([]);
});

test("pages of other origins get nowhere, whatever they bring, and reach nothing of the application", async () => {
  const { port, issuer, attempt, entered, ticketOf } = await start();
  const token = await issuer.token("ada", member);
  const ticket = await ticketOf(token);
  entered.length = 0;
  const cookie = { cookie: `__Host-access=${token}` };
  const attempts: Readonly<Record<string, RoomsClientOptions>> = {
    "a foreign page": { headers: { origin: "https://evil.example" } },
    "a foreign page with a token": { headers: { origin: "https://evil.example", ...bearer(token) } },
    "a foreign page with a ticket": { path: `/rooms?ticket=${ticket}`, headers: { origin: "https://evil.example" } },
    "a foreign page with the cookie": { headers: { origin: "https://evil.example", ...cookie } },
    "an origin of null": { headers: { origin: "null", ...cookie } },
    "an origin in other letters": { headers: { origin: ORIGIN.toUpperCase(), ...cookie } },
    "an origin with a dot": { headers: { origin: `${ORIGIN}.`, ...cookie } },
    "a cross-site request without an origin": { headers: { "sec-fetch-site": "cross-site", ...cookie } },
    "no origin, but the cookie": { headers: cookie },
    "an allowed page, from another site, with the cookie": {
      headers: { origin: ORIGIN, "sec-fetch-site": "cross-site", ...cookie },
    },
  };
  for (const [name, options] of Object.entries(attempts)) {
    const outcome = await attempt(options);
    expect([name, outcome]).toEqual([
      name,
      expect.stringMatching(options.headers?.["origin"] === ORIGIN ? TOLD : DENIED),
    ]);
  }
  expect(entered).toEqual([]);
  expect(await attempt({ headers: { ...PAGE, ...cookie } })).toBe("ready");
  const preflight = await ask(port, {
    method: "OPTIONS",
    path: "/rooms/ticket",
    headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
  });
  expect([preflight.status, preflight.headers["access-control-allow-origin"]]).toEqual([403, undefined]);
});

test("subprotocols that nobody speaks are refused, and one that is among many is found", async () => {
  const { port, issuer, attempt } = await start();
  const headers = bearer(await issuer.token("ada", member));
  const unsupported = refused(400, "protocol_not_supported;action=fix-request");
  for (const subprotocol of ["graphql-ws", "hubward.rooms.v2", "HUBWARD.ROOMS.V1", "__proto__", "constructor"])
    expect([subprotocol, await attempt({ headers, subprotocol })]).toEqual([subprotocol, unsupported]);
  const offered = [...Array.from({ length: 100 }, (_, index) => `p${index}`), "hubward.rooms.v1"].join(", ");
  const outcome = await upgrade({ port, path: "/rooms", headers: { ...headers, "sec-websocket-protocol": offered } });
  expect(outcome.isOpen).toBe(true);
  if (outcome.isOpen) outcome.webSocket.socket.destroy();
});
