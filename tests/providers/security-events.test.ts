/** An issuer pushes security events to the hub's own HTTP server, and stock clients hear what follows from them. */

import { createServer } from "node:http";
import type { HubConnection } from "@microsoft/signalr";
import { jwt, localJwks, securityEvents } from "@hubward/server/jose";
import { fetchListener } from "@hubward/server/node";
import type { EpochMs } from "@hubward/server/ports";
import { describe, expect, onTestFinished, test } from "vitest";
import { Recorder } from "../support/recorder.js";
import { ask, listen, shut } from "../support/server.js";
import { runHub } from "./support/hub.js";
import { createSigner } from "./support/signer.js";

const issuer = "https://id.example/";
const AUDIENCE = "https://hub.example/events";
const CAEP = "https://schemas.openid.net/secevent/caep/event-type/";
const REVOKED = { [`${CAEP}session-revoked`]: {} };
const CHANGED = { [`${CAEP}token-claims-change`]: { claims: { role: "none" } } };

/** One person in two tenants, and a colleague in each. Their tokens name the tenant, whether the hub asks for it or not. */
const people = {
  "ada of acme": { sub: "ada", tid: "acme", sid: "s-1" },
  "ada of globex": { sub: "ada", tid: "globex", sid: "s-2" },
  "bea of acme": { sub: "bea", tid: "acme", sid: "s-3" },
  "cyd of globex": { sub: "cyd", tid: "globex", sid: "s-4" },
} as const;
type Name = keyof typeof people;
const everybody = Object.keys(people) as Name[];

const complex = (members: object) => ({ format: "complex", ...members });
const ada = { format: "iss_sub", iss: issuer, sub: "ada" };
const acme = { format: "opaque", id: "acme" };

/** Whom an event is about: where the hub knows tenants, and where it knows none. */
type Row = readonly [what: string, subject: object, withTenants: readonly Name[], withoutTenants: readonly Name[]];
const bothAdas = ["ada of acme", "ada of globex"] as const;
const rows: readonly Row[] = [
  ["a person by iss_sub", ada, bothAdas, bothAdas],
  ["a person by an opaque id", { format: "opaque", id: "ada" }, bothAdas, bothAdas],
  ["a session", complex({ session: { format: "opaque", id: "s-1" } }), ["ada of acme"], ["ada of acme"]],
  [
    "a session of a tenant",
    complex({ tenant: acme, session: { format: "opaque", id: "s-1" } }),
    ["ada of acme"],
    ["ada of acme"],
  ],
  ["a person in a tenant", complex({ user: ada, tenant: acme }), ["ada of acme"], bothAdas],
  ["a tenant", complex({ tenant: acme }), ["ada of acme", "bea of acme"], []],
  ["a person of another issuer", { ...ada, iss: "https://other.example/" }, [], []],
];

async function setUp(tenantClaim: string | undefined) {
  const clock = { now: () => Date.now() as EpochMs };
  const signer = createSigner("key-1", { issuer, audience: "hub", clock });
  const keys = localJwks({ keys: [signer.jwk] });
  const rights = { roles: ["nurse"] as readonly string[] };
  const hub = await runHub(jwt({ issuer, audience: "hub", keys, tenantClaim }), { rolesOf: () => rights.roles });

  const carried: number[] = [];
  const receive = securityEvents({
    issuer,
    audience: AUDIENCE,
    keys,
    on: async ({ action }) => {
      carried.push((await hub.app.carryOut(action)).matched);
    },
  });
  const listener = fetchListener(receive);
  const server = createServer((request, response) => void listener(request, response));
  const port = await listen(server);
  onTestFinished(() => shut(server));

  const tokens = {} as Record<Name, string>;
  const connections = {} as Record<Name, HubConnection>;
  const ended = new Recorder<readonly [Name, string]>();
  for (const name of everybody) {
    tokens[name] = await signer.token({ ...people[name] });
    connections[name] = await hub.connect(tokens[name]);
    connections[name].onclose((error) => ended.push([name, error?.message ?? "no reason"]));
  }
  return {
    hub,
    tokens,
    connections,
    ended,
    carried,
    signer,
    /** From now on the directory says that nobody is staff. */
    dismissEverybody: () => void (rights.roles = []),
    /** Pushes an event as the issuer does, and gives the status of the answer. */
    async push(subject: object, events: object): Promise<number> {
      const claims = { aud: AUDIENCE, sub: undefined, exp: undefined, sub_id: subject, events };
      const body = await signer.token(claims, { typ: "secevent+jwt" });
      const headers = { "content-type": "application/secevent+jwt" };
      return (await ask(port, { method: "POST", path: "/", headers, body })).status;
    },
  };
}

describe.each([
  ["with tenants", "tid"],
  ["without tenants", undefined],
] as const)("a hub %s", (_where, tenantClaim) => {
  const cases = rows.map(([what, subject, inTenants, elsewhere]) => ({
    what,
    subject,
    about: tenantClaim === undefined ? elsewhere : inTenants,
  }));

  test.each(cases)("an event that revokes ends $what before it is acknowledged", async ({ subject, about }) => {
    const { hub, tokens, connections, ended, carried, push } = await setUp(tenantClaim);
    expect(await push(subject, REVOKED)).toBe(202);
    expect(carried).toEqual([about.length]);
    // The server's sockets are gone; whoever is about to hear of it still has to.
    const told = await ended.take(about.length);
    expect(new Set(told.map(([name]) => name))).toEqual(new Set(about));
    for (const [, reason] of told) expect(reason).toContain("session_revoked;action=relogin");
    for (const name of about) expect((await hub.getMe(tokens[name])).status).toBe(401);
    for (const name of everybody.filter((each) => !about.includes(each))) {
      expect(await connections[name].invoke("WhoAmI")).toBe(`${people[name].sub}: nurse`);
      expect((await hub.getMe(tokens[name])).status).toBe(200);
    }
    expect(ended.items).toHaveLength(about.length);
  });

  test.each(cases)("an event that changes claims has $what judged again", async ({ subject, about }) => {
    const { connections, ended, carried, dismissEverybody, push } = await setUp(tenantClaim);
    dismissEverybody();
    expect(await push(subject, CHANGED)).toBe(202);
    expect(carried).toEqual([about.length]);
    const told = await ended.take(about.length);
    expect(new Set(told.map(([name]) => name))).toEqual(new Set(about));
    for (const [, reason] of told) expect(reason).toContain("forbidden");
    for (const name of everybody.filter((each) => !about.includes(each))) {
      expect(await connections[name].invoke("WhoAmI"), "nobody asked about them").toBe(`${people[name].sub}: nurse`);
    }
    expect(ended.items).toHaveLength(about.length);
  });

  test("who was signed out by session signs in again at once, with another session", async () => {
    const { hub, push, signer, tokens } = await setUp(tenantClaim);
    expect(await push(complex({ session: { format: "opaque", id: "s-1" } }), REVOKED)).toBe(202);
    expect((await hub.getMe(tokens["ada of acme"])).status).toBe(401);
    const { sub, tid } = people["ada of acme"];
    expect((await hub.getMe(await signer.token({ sub, tid, sid: "s-9" }))).status).toBe(200);
  });
});
