/** Whatever way somebody comes into rooms, or renews: no sink shows what they came with, and the search would find it. */

import type { IncomingMessage } from "node:http";
import { auditLines, hasRole, jsonLines } from "@hubward/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { leaksOf, listenToConsole } from "../support/leaks.js";
import { Recorder } from "../support/recorder.js";
import { openRooms, UpgradeRefused, type RoomsClient, type RoomsClientOptions } from "../support/rooms-client.js";
import { runApp } from "../support/running-app.js";
import { text } from "../support/schemas.js";
import { ask, bearer } from "../support/server.js";
import { until } from "../support/until.js";

const ROOMS = "/rooms";
const PAGE = "http://localhost:3000";
const canaries = {
  payload: "canary-payload",
  command: "canary-command",
  claim: "canary-claim",
  attribute: "canary-attribute",
  requestId: "canary-request",
  eventName: "canary-event",
};

afterEach(() => vi.restoreAllMocks());

type Secrets = Record<string, string>;

async function playADay(plant?: (secrets: Secrets) => Error) {
  const said = listenToConsole();
  const logged: string[] = [];
  const kept: string[] = [];
  const secrets: Secrets = { ...canaries };
  const audit = auditLines({
    write(line, done) {
      kept.push(line);
      done();
    },
  });
  const requests: IncomingMessage[] = [];
  const shownToOthers: string[] = [];
  const hear = ({ url = "" }: IncomingMessage): void => void shownToOthers.push(url);
  const { app, issuer, port, server } = await runApp(
    ({ claims }) => ({ roles: claims["roles"] as readonly string[], attribute: canaries.attribute }),
    (declared) => {
      const staff = declared.policy("Staff", hasRole("nurse"));
      const nobody = declared.policy("Nobody", () => false, { message: "not you" });
      declared
        .group("ward", {})
        .allow(staff)
        .room((room) =>
          room
            .publish("note", text, (draft) => draft.members())
            .publish("denied", text, (draft) => draft.allow(nobody))
            .publish("fails", text, (draft) =>
              draft.members().handle(() => {
                throw plant?.(secrets) ?? new Error("the handler broke");
              }),
            ),
        );
      declared.rooms(ROOMS, { queryToken: true }).allow(staff);
      declared.rooms("/strict").allow(staff);
    },
    {
      audit,
      telemetry: jsonLines({ write: (line) => logged.push(line) }),
      allowedOrigins: [PAGE],
      cookie: { name: "ward-token", insecureLoopback: true },
      // Other people's listeners, one before ours and one behind.
      listener: (_request, response) => void response.writeHead(404).end(),
    },
  );
  for (const event of ["request", "upgrade"] as const) server.prependListener(event, hear);
  // Whoever wraps the event gets hold of each request, and writes down later what is left of its URL.
  const { emit } = server;
  server.emit = function (event: string, ...args: unknown[]): boolean {
    if (event === "request" || event === "upgrade") requests.push(args[0] as IncomingMessage);
    return Reflect.apply(emit, server, [event, ...args]) as boolean;
  } as typeof server.emit;
  const replies: string[] = [];
  const clients: RoomsClient[] = [];
  const heardOf = new Recorder<string>();

  const tokenOf = async (name: string, roles: readonly string[], sid: string, lifetime = 300): Promise<string> =>
    (secrets[name] = await issuer.token(name, { roles, lifetime, claims: { canary: canaries.claim, sid } }));
  const knock = async (options: RoomsClientOptions): Promise<RoomsClient | undefined> => {
    try {
      const client = await openRooms(port, options);
      clients.push(client);
      client.socket.on("message", (data: Buffer) => heardOf.push(data.toString("utf8")));
      return client;
    } catch (error) {
      if (!(error instanceof UpgradeRefused)) throw error;
      replies.push(error.body);
      return undefined;
    }
  };
  const enter = async (options: RoomsClientOptions, auth?: string): Promise<RoomsClient> => {
    const client = await knock(options);
    if (client === undefined) throw new TypeError("it was not let in");
    if (auth !== undefined) client.send({ type: "auth", token: auth });
    await client.first("ready");
    return client;
  };
  const post = async (path: string, headers: Record<string, string>): Promise<string> => {
    const { body, ...head } = await ask(port, { method: "POST", path, headers });
    // The one answer that is to hold a ticket, and tells nobody else.
    if (!body.includes('"ticket"')) replies.push(body, JSON.stringify(head));
    return body;
  };

  // Each way in.
  const tokens = {
    header: await tokenOf("header", ["nurse"], "s-header"),
    ticketed: await tokenOf("ticketed", ["nurse"], "s-ticketed"),
    first: await tokenOf("first", ["nurse"], "s-first"),
    cookie: await tokenOf("cookie", ["nurse"], "s-cookie"),
    query: await tokenOf("query", ["nurse"], "s-query"),
    visitor: await tokenOf("visitor", [], "s-visitor"),
    aged: await tokenOf("aged", ["nurse"], "s-aged", -5),
  };
  const given = JSON.parse(await post(`${ROOMS}/ticket`, bearer(tokens.ticketed))) as { readonly ticket: string };
  secrets["ticket"] = given.ticket;
  const page = { origin: PAGE };
  const people = {
    header: await enter({ path: ROOMS, headers: bearer(tokens.header) }),
    ticketed: await enter({ path: `${ROOMS}?ticket=${given.ticket}` }),
    first: await enter({ path: ROOMS }, tokens.first),
    cookie: await enter({ path: ROOMS, headers: { ...page, cookie: `ward-token=${tokens.cookie}` } }),
    query: await enter({ path: `${ROOMS}?token=${tokens.query}` }),
  };

  // Everything they may do, and may not.
  for (const client of Object.values(people)) {
    await client.ask({ type: "join", room: "ward" });
    for (const event of ["denied", "fails", canaries.eventName])
      await client.ask({ type: "publish", room: "ward", event, payload: canaries.payload, command: canaries.command });
    await client.ask({ type: "publish", room: "no-such-room", event: "note", payload: canaries.payload });
    client.send({ type: "publish", id: [canaries.requestId], room: "ward", event: "note" });
    await client.ask({ type: canaries.payload });
    // Renewed by their own token, by another's, by none and by a ticket; told, or turned away.
    for (const [index, token] of [tokens.header, `${tokens.first}x`, given.ticket, tokens.aged].entries())
      await client.ask({ type: "auth", token, ...(index === 2 ? { proof: `${tokens.first}.proof` } : {}) });
  }

  // Everything that can be wrong about coming in.
  const wrong = [tokens.visitor, `${tokens.header}x`, tokens.aged, given.ticket, `${given.ticket.slice(0, -1)}x`];
  for (const token of wrong) {
    for (const origin of [{}, page, { origin: "https://evil.example" }]) {
      await knock({ path: ROOMS, headers: { ...origin, ...bearer(token) } });
      await knock({ path: `${ROOMS}?token=${token}`, headers: origin });
      await knock({ path: `${ROOMS}?ticket=${token}&token=${tokens.query}`, headers: origin });
      await knock({ path: `/strict?token=${token}`, headers: origin });
      await knock({ path: ROOMS, headers: { ...origin, cookie: `ward-token=${token}` } });
      await post(`${ROOMS}/ticket`, { ...origin, ...bearer(token) });
      await post(`${ROOMS}/ticket?token=${token}`, origin);
      await post(`${ROOMS}/ticket?ticket=${token}`, { ...origin, ...bearer(tokens.header) });
    }
    const asked = await knock({ path: ROOMS });
    asked?.send({ type: "auth", token });
    await asked?.closed;
    // Behind a first frame without waiting; and no JSON at all.
    const hasty = await knock({ path: ROOMS });
    hasty?.send({ type: "auth", token });
    hasty?.send({ type: "auth", token });
    await hasty?.closed;
    const broken = await knock({ path: ROOMS });
    broken?.socket.send(`{"type":"auth","token":"${token}"`);
    await broken?.closed;
  }
  await ask(port, { path: "/somebody/elses" });
  await ask(port, { path: `${ROOMS}?token=${tokens.query}` }).then(({ body }) => replies.push(body));

  // And how it ends.
  people.first.socket.send(`{"type":"auth","token":"${tokens.first}","token":"${tokens.first}"}`);
  for (const name of ["header", "ticketed", "cookie"] as const) await app.revoke({ session: `s-${name}` });
  await app.requireReauthentication({ subject: "query" });
  await people.query.frames.first(({ reason }) => reason === "reauth_required");
  await app.close();
  const endings = await Promise.all(clients.map(({ closed }) => closed));
  await until(() => kept.join("").split("connection.closed").length > 5);
  await audit.close();
  await new Promise((resolve) => setImmediate(resolve));
  vi.restoreAllMocks();
  return {
    secrets,
    shownToOthers,
    sinks: {
      log: logged.join(""),
      audit: kept.join(""),
      urls: [...requests.map(({ url = "" }) => url), ...shownToOthers].join("\n"),
      replies: replies.join("\n"),
      // What a member publishes is for the members: nobody did.
      frames: heardOf.items.join("\n"),
      endings: endings.map(({ code, reason }) => `${code} ${reason}`).join("\n"),
      console: said.join("\n"),
    },
  };
}

/** An answer repeats its request's id, which is its sender's own. */
const shown = ["requestId"];

describe("what comes out of rooms", () => {
  test("holds no token, ticket, cookie, payload, command or claim, in whichever sink", async () => {
    const { sinks, secrets, shownToOthers } = await playADay();
    // Nobody else is even shown what is asked of rooms.
    expect(shownToOthers).toEqual(["/somebody/elses"]);
    // There was something to be seen in each.
    expect(sinks.log).toContain("the handler broke");
    for (const event of ["connection.opened", "connection.refused", "connection.closed", "call.refused"])
      expect(sinks.audit).toContain(event);
    expect(sinks.urls.split("\n").filter((url) => url.startsWith(ROOMS)).length).toBeGreaterThan(50);
    for (const reason of ["origin_denied", "forbidden", "token_expired", "invalid_token", "ticket_invalid"])
      expect(sinks.replies).toContain(reason);
    for (const reason of ["principal_mismatch", "invalid_token", "token_expired", "not you", "handshake_required"])
      expect(sinks.frames).toContain(reason);
    for (const reason of ["session_revoked", "ticket_invalid", "handshake_required", "bad_request"])
      expect(sinks.endings).toContain(reason);
    expect(Object.keys(secrets)).toHaveLength(Object.keys(canaries).length + 8);
    expect(leaksOf(sinks, secrets).filter(({ secret }) => !shown.includes(secret))).toEqual([]);
  });

  test("would be found out if it did: an application that throws its caller's token", async () => {
    const { sinks, secrets } = await playADay(({ first = "" }) => new Error(`upstream said no to ${first}`));
    const leaks = leaksOf(sinks, secrets);
    expect(leaks).toContainEqual({ sink: "log", secret: "first" });
    expect(new Set(leaks.map(({ sink }) => sink))).toEqual(new Set(["log"]));
  });
});
