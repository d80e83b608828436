/** No sink shows a secret: not the log, the audit, a reply, a reason or the console; and the search would find one. */

import { auditLines, hasRole, jsonLines } from "@hubward/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { leaksOf, listenToConsole } from "../support/leaks.js";
import { openWebSocket, upgrade } from "../support/raw-web-socket.js";
import { outcomeOf, runApp } from "../support/running-app.js";
import { anything } from "../support/schemas.js";
import { ask, bearer } from "../support/server.js";
import { until } from "../support/until.js";

const HUB = "/hubs/clinical";
const NEGOTIATE = `${HUB}/negotiate?negotiateVersion=1`;
const canaries = { argument: "canary-argument", claim: "canary-claim", attribute: "canary-attribute" };

afterEach(() => vi.restoreAllMocks());

function keepText(): { readonly texts: string[]; readonly sink: { write(text: string): unknown } } {
  const texts: string[] = [];
  return { texts, sink: { write: (text) => texts.push(text) } };
}

async function playADay(plant?: (secrets: Readonly<Record<string, string>>) => Error) {
  const said = listenToConsole();
  const log = keepText();
  const kept: string[] = [];
  const audit = auditLines({
    write(text, done) {
      kept.push(text);
      done();
    },
  });
  const secrets: Record<string, string> = { ...canaries };
  const clinic = await runApp(
    ({ claims }) => ({ roles: claims["roles"] as readonly string[], attribute: canaries.attribute }),
    (app) => {
      const staff = app.policy("Staff", hasRole("doctor", "nurse"));
      const doctors = app.policy("Doctors", hasRole("doctor"));
      const room = app.group("room", {}).allow(staff);
      app
        .hub(HUB)
        .allow(staff)
        .methods((m) => ({
          Join: m.handle((call) => call.groups.join(room())),
          Leave: m.handle((call) => call.groups.leave(room())),
          Doctors: m
            .args(anything)
            .allow(doctors)
            .handle(() => undefined),
          Fail: m.args(anything).handle(() => {
            throw plant?.(secrets) ?? new Error("the handler broke");
          }),
        }));
    },
    {
      audit,
      telemetry: jsonLines(log.sink),
      allowedOrigins: ["http://localhost:3000"],
      cookie: { name: "ward-token", insecureLoopback: true },
    },
  );
  const { port, issuer, app } = clinic;
  const replies: string[] = [];
  const reasons: string[] = [];
  const tokenOf = async (name: string, roles: readonly string[], sid: string): Promise<string> =>
    (secrets[name] = await issuer.token(name, { roles, claims: { canary: canaries.claim, sid } }));
  const post = async (path: string, headers: Record<string, string>): Promise<string> => {
    const { body, ...head } = await ask(port, { method: "POST", path, headers });
    // The one answer that is to hold a ticket, and tells nobody else.
    if (!body.includes("accessToken")) replies.push(body, JSON.stringify(head));
    return body;
  };

  // A person by a stock client, through everything that is recorded of a connection.
  const { connection } = await clinic.connect(HUB, "stock", { roles: ["nurse"], claims: { sid: "session-0" } });
  for (const [method, ...args] of [
    ["Join"],
    ["Leave"],
    ["Doctors", canaries.argument],
    ["Fail", canaries.argument],
    ["Unknown", canaries.argument],
  ] as const)
    reasons.push(await outcomeOf(connection.invoke(method, ...args)));
  const closed = new Promise<void>((resolve) =>
    connection.onclose((error) => (reasons.push(String(error)), resolve())),
  );

  // The same by hand, and everything that can be wrong about it.
  const nurse = await tokenOf("nurse", ["nurse"], "session-1");
  const visitor = await tokenOf("visitor", [], "session-2");
  const cookie = await tokenOf("cookie", ["nurse"], "session-3");
  const body = JSON.parse(await post(NEGOTIATE, bearer(nurse))) as { accessToken: string; connectionToken: string };
  secrets["ticket"] = body.accessToken;
  secrets["connectionToken"] = body.connectionToken;
  const path = `${HUB}?id=${body.connectionToken}&access_token=${body.accessToken}`;
  const socket = await openWebSocket({ port, path });
  await socket.shakeHands();
  await socket.invoke("1", "Fail", canaries.argument);
  await upgrade({ port, path });
  await upgrade({ port, path: `${HUB}?access_token=${nurse}` });
  for (const headers of [
    bearer(visitor),
    bearer(`${nurse}x`),
    bearer(`${body.accessToken.slice(0, -1)}x`),
    { ...bearer(nurse), origin: "https://evil.example" },
    { cookie: `ward-token=${cookie}`, origin: "https://evil.example" },
    { cookie: `ward-token=${cookie}; ward-token=${nurse}`, origin: "http://localhost:3000" },
    { ...bearer(nurse), cookie: `ward-token=${cookie}` },
  ])
    await post(NEGOTIATE, headers);
  await post(`${HUB}/refresh`, bearer(visitor));
  await app.requireReauthentication({ subject: "nurse" });
  await app.revoke({ session: "session-0" });
  await app.recheck({ subject: "nurse" });
  await closed;
  reasons.push(JSON.stringify(await socket.closeFrame()));
  socket.end();
  await until(() => kept.join("").split("connection.closed").length > 2);
  await audit.close();
  await new Promise((resolve) => setImmediate(resolve));
  vi.restoreAllMocks();

  const sinks = {
    log: log.texts.join(""),
    audit: kept.join(""),
    replies: replies.join("\n"),
    reasons: reasons.join("\n"),
    console: said.join("\n"),
  };
  return { sinks, secrets };
}

describe("what comes out of a server", () => {
  test("holds no token, ticket, cookie, argument or claim, in whichever sink", async () => {
    const { sinks, secrets } = await playADay();
    // There was something to be seen in each.
    expect(sinks.log).toContain("the handler broke");
    for (const event of [
      "connection.opened",
      "connection.refused",
      "connection.closed",
      "membership.joined",
      "membership.left",
      "call.refused",
      "revocation.applied",
      "recheck.completed",
    ])
      expect(sinks.audit).toContain(event);
    expect(sinks.audit).not.toContain("the handler broke");
    expect(sinks.replies).toContain("forbidden");
    expect(sinks.reasons).toContain("session_revoked");
    expect(Object.keys(secrets).sort()).toEqual([
      "argument",
      "attribute",
      "claim",
      "connectionToken",
      "cookie",
      "nurse",
      "ticket",
      "visitor",
    ]);
    expect(leaksOf(sinks, secrets)).toEqual([]);
  });

  test("would be found out if it did: an application that throws its caller's token", async () => {
    const { sinks, secrets } = await playADay(({ nurse = "" }) => new Error(`upstream said no to ${nurse}`));
    const leaks = leaksOf(sinks, secrets);
    expect(leaks).toContainEqual({ sink: "log", secret: "nurse" });
    // Others have the same first part; and its claims are in it. No other sink has any of it.
    expect(new Set(leaks.map(({ sink }) => sink))).toEqual(new Set(["log"]));
  });

  test.each<[string, (secret: string) => string]>([
    ["as it is", (secret) => `?access_token=${secret}&id=1`],
    ["percent-encoded", (secret) => encodeURIComponent(secret)],
    ["in JSON", (secret) => JSON.stringify({ nested: JSON.stringify({ secret }) })],
    ["in base64", (secret) => Buffer.from(`user:${secret}!`).toString("base64")],
    ["in base64url", (secret) => Buffer.from(`a${secret}bc`).toString("base64url")],
    ["cut off", (secret) => `${secret.slice(0, 34)}…`],
  ])("the search finds a secret %s", (_how, write) => {
    const secret = "hwt_0123456789+abcdefghij/ABCDEFGHIJ=klmnopqrst";
    expect(leaksOf({ sink: `before ${write(secret)} after`, other: "nothing" }, { secret })).toEqual([
      { sink: "sink", secret: "secret" },
    ]);
    expect(leaksOf({ sink: write("hwt_somebody-elses-and-not-this-one-at-all") }, { secret })).toEqual([]);
  });
});
