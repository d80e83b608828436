/** Who is not let in is told the same reason over both protocols and in each way in, with the code that goes with it. */

import { reasons, parseReason } from "@hubward/wire";
import { describe, expect, test } from "vitest";
import { bearer } from "../../support/server.js";
import { createIssuer } from "../../support/tokens.js";
import { HUB, PAGE, ROOMS } from "./places.js";
import type { Protocol, Visitor } from "./protocol.js";
import { protocols, runWard, variants, type Ward } from "./ward.js";
import { reasonIn, WatchedSocket } from "./watched-socket.js";

const UNAVAILABLE = "auth_unavailable;action=retry-after;retry_after=1";

/** What is wrong with each, what it is told, and whether that lasts. */
const refused = {
  malformed: ["invalid_token;action=relogin", false],
  foreign: ["invalid_token;action=relogin", false],
  endless: ["invalid_token;action=relogin", false],
  expired: ["token_expired;action=refresh", false],
  outdated: ["reauth_required;action=refresh;retry_after=61", false],
  revoked: ["session_revoked;action=relogin", true],
  suspended: ["account_disabled", true],
  "not allowed here": ["forbidden", true],
  unknown: ["forbidden", true],
  "not to be looked up": [UNAVAILABLE, false],
} as const;

type Case = keyof typeof refused;

async function tokensOf({ app, clock, directory, issuer, token }: Ward): Promise<Readonly<Record<Case, string>>> {
  const foreign = await createIssuer(clock, { issuer: "https://elsewhere.test/" });
  const revoked = await token("rita", { claims: { sid: "rita-1" } });
  const [suspended, outdated] = [await token("sam"), await token("otto")];
  directory.set("stranger", "nobody").set("unlucky", "down");
  await app.revoke({ session: "rita-1" });
  await app.revoke({ subject: "sam" });
  await app.requireReauthentication({ subject: "otto" });
  return {
    malformed: "no.jwt.atall",
    foreign: await foreign.token("ada"),
    endless: await issuer.token("ada", { lifetime: null }),
    expired: await token("ada", { lifetime: -5, age: 60 }),
    outdated,
    revoked,
    suspended,
    "not allowed here": await token("vic", { roles: ["visitor"] }),
    unknown: await token("stranger"),
    "not to be looked up": await token("unlucky"),
  };
}

/** What the catalogue says of the reason, as far as this protocol shows it to who comes this way. */
function codeOf(protocol: Protocol, visitor: Visitor, of: Case): number | null {
  const [reason, isLasting] = refused[of];
  const parsed = parseReason(reason);
  if (parsed === undefined) throw new TypeError(`${reason}: no reason of the catalogue`);
  const { closeCode, httpStatus } = reasons[parsed.name];
  // A hub lets nobody negotiate by a cookie that was revoked: it is all the upgrade would have.
  const isHubsCookie = protocol.kind === "hub" && visitor.way === "cookie" && (of === "revoked" || of === "suspended");
  return !isHubsCookie && protocol.tellsInSocket(visitor, isLasting) ? closeCode : httpStatus;
}

describe.each(variants)("$name", (protocol) => {
  const ways = protocol.ways.flatMap((way) =>
    (way === "cookie" ? [PAGE] : [undefined, PAGE]).map((origin) => ({ way, origin })),
  );

  test.each(ways)("by $way from $origin", async ({ way, origin }) => {
    const ward = await runWard();
    const tokens = await tokensOf(ward);
    const seen: Record<string, unknown> = {};
    const expected: Record<string, unknown> = {};
    for (const each of Object.keys(refused) as Case[]) {
      const visitor = { token: tokens[each], way, origin };
      seen[each] = await ward.refusal(protocol, visitor);
      expected[each] = { reason: refused[each][0], code: codeOf(protocol, visitor, each) };
    }
    expect(seen).toEqual(expected);
    // And the ward is open to whom nothing is wrong with.
    await ward.knock(protocol, { token: await ward.token(), way, origin });
    expect(ward.telemetry.items.filter(({ event }) => event === "connection.opened")).toHaveLength(1);
    expect(ward.telemetry.items.filter(({ event }) => event === "connection.refused")).toHaveLength(
      Object.keys(refused).length,
    );
  });

  test.each(protocol.ways)("a page of another origin, by %s, whoever is signed in", async (way) => {
    const ward = await runWard();
    const visitor = { token: await ward.token(), way, origin: "https://evil.example" };
    expect(await ward.refusal(protocol, visitor)).toEqual({ reason: "origin_denied;action=fix-request", code: 403 });
  });

  test("a cookie that no page of ours sent", async () => {
    const ward = await runWard();
    const refusal = await ward.refusal(protocol, { token: await ward.token(), way: "cookie" });
    expect(refusal).toMatchObject({ reason: expect.stringMatching(/^origin_denied;action=fix-request/), code: 403 });
  });

  test("everybody, once the application goes away", async () => {
    const ward = await runWard();
    const token = await ward.token();
    await ward.app.close();
    expect(await ward.refusal(protocol, { token })).toEqual({
      reason: "service_restart;action=retry-after;retry_after=2",
      code: 503,
    });
  });
});

// Of the upgrade itself, by hand: no encoding is chosen by then.
describe.each(protocols)("$name", (protocol) => {
  test("two credentials that differ", async () => {
    const ward = await runWard();
    const [path, name] = protocol.kind === "hub" ? [HUB, "access_token"] : [ROOMS, "token"];
    for (const origin of [undefined, PAGE]) {
      const headers = { ...bearer(await ward.token("ada")), ...(origin === undefined ? {} : { origin }) };
      const socket = new WatchedSocket(`ws://127.0.0.1:${ward.port}${path}?${name}=${await ward.token("ben")}`, [], {
        headers,
      });
      const told = await Promise.race([
        socket.refusal.then(({ status, body }) => ({ code: status, reason: reasonIn(body) })),
        socket.end,
      ]);
      const isTold = protocol.tellsInSocket({ way: "header", origin }, false);
      expect(told).toEqual({ code: isTold ? 4400 : 400, reason: "invalid_request;action=fix-request" });
    }
  });
});
