import { HubwardError } from "@hubward/wire";
import { createFakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createApp, type AppFixture } from "../../test/app-fixture.js";
import type { EventTarget, SecurityAction } from "../core/auth/security-action.js";
import { createMemoryRevocationLog } from "../memory/revocation-log.js";
import { systemRandom } from "../platform/system-crypto.js";
import type { HubwardOptions } from "./options.js";

const issuer = "https://issuer.example";
const HUB = "/hubs/ward";

/** People of two issuers, some of one name, in two tenants and in none. */
const people = {
  "ann in north": { subject: "ann", tenant: "north", sessionId: "s-1" },
  "ann in south": { subject: "ann", tenant: "south", sessionId: "s-2" },
  "ann of no tenant": { subject: "ann", tenant: undefined, sessionId: "s-3" },
  "bob in north": { subject: "bob", tenant: "north", sessionId: "s-4" },
  "another issuer's ann in north": {
    subject: "ann",
    tenant: "north",
    sessionId: "s-1",
    issuer: "https://other.example",
  },
} as const;
type Name = keyof typeof people;

const targets = {
  session: { type: "session", issuer, sessionId: "s-1" },
  subject: { type: "subject", issuer, subject: "ann" },
  "subject of a tenant": { type: "identity", tenant: "south", issuer, subject: "ann" },
  tenant: { type: "tenant", tenant: "north", issuer },
  nobody: { type: "subject", issuer, subject: "zoe" },
} as const satisfies Record<string, EventTarget>;

interface Crowd extends AppFixture {
  /** Who is there. */
  present(): readonly string[];
  /** Whom the directory was asked about since it was last asked for: who was judged again. */
  judged(): readonly string[];
  tokens: Readonly<Record<Name, string>>;
}

async function gather(options: Partial<HubwardOptions<never>> = {}): Promise<Crowd> {
  const asked: string[] = [];
  const nameOf = (who: { readonly tenant: string | undefined; readonly issuer: string; readonly subject: string }) =>
    Object.entries(people).find(
      ([, each]) =>
        each.tenant === who.tenant &&
        each.subject === who.subject &&
        ("issuer" in each ? each.issuer : issuer) === who.issuer,
    )?.[0] ?? "a stranger";
  const fixture = createApp({
    principal: (authentication) => {
      asked.push(nameOf(authentication));
      return { department: null, roles: [] };
    },
    ...(options as object),
  });
  await fixture.app.ready();
  const anyone = fixture.app.policy("Anyone", () => true);
  fixture.app
    .hub(HUB)
    .allow(anyone)
    .methods(() => ({}));
  const tokens = {} as Record<Name, string>;
  for (const [name, person] of Object.entries(people)) {
    tokens[name as Name] = fixture.tokenOf(person);
    const { socket } = await fixture.connect(tokens[name as Name]);
    // As a peer does: an end that it is told of is the end.
    const close = socket.close.bind(socket);
    socket.close = (...args) => {
      close(...args);
      queueMicrotask(() => socket.end());
    };
  }
  asked.length = 0;
  return {
    ...fixture,
    tokens,
    present: () => Array.from(fixture.app.everyTenant().connections(), nameOf),
    judged: () => asked.splice(0).sort(),
  };
}

const everybody = Object.keys(people) as readonly Name[];
const without = (...gone: readonly Name[]): readonly Name[] => everybody.filter((name) => !gone.includes(name));

describe("an issuer's word that something is over", () => {
  it.each<[keyof typeof targets, readonly Name[]]>([
    ["session", ["ann in north"]],
    ["subject", ["ann in north", "ann in south", "ann of no tenant"]],
    ["subject of a tenant", ["ann in south", "ann of no tenant"]],
    ["tenant", ["ann in north", "bob in north"]],
    ["nobody", []],
  ])("about a %s ends whom it is about, live and at the doors, and nobody else", async (name, gone) => {
    const { app, clock, negotiate, of, present, tokenOf, tokens } = await gather();
    const carried = await app.carryOut({ kind: "revoke", target: targets[name] });
    expect(carried).toEqual({ matched: gone.length });
    expect(present()).toEqual(without(...gone));
    expect(new Set(of("revocation.applied").map(({ by }) => by))).toEqual(new Set([issuer]));
    for (const each of everybody)
      expect([each, (await negotiate(tokens[each], { headers: {} })).status]).toEqual([
        each,
        gone.includes(each) ? 401 : 200,
      ]);
    // Who signs in again is welcome, but with the session that is over.
    clock.advance(120_000);
    for (const each of gone) {
      const again = tokenOf({ ...people[each], sessionId: "s-new" });
      expect((await negotiate(again, { headers: {} })).status).toBe(200);
    }
  });

  it("ends people of issuers whose tokens name no tenant, though the event names one", async () => {
    const { app, of, present } = await gather();
    const target = { type: "identity", tenant: "as the issuer calls it", issuer, subject: "ann" } as const;
    expect(await app.carryOut({ kind: "revoke", target }, { by: "a transmitter" })).toEqual({ matched: 1 });
    expect(present()).toEqual(without("ann of no tenant"));
    expect(of("revocation.applied").map(({ by, matched }) => [by, matched])).toEqual([
      ["a transmitter", 0],
      ["a transmitter", 1],
    ]);
  });

  it("rejects when no log has it, and everybody it is about is shut all the same", async () => {
    const log = createMemoryRevocationLog({ clock: createFakeClock(), random: systemRandom });
    const append = () => Promise.reject(new HubwardError("not_durable", { retryAfterSeconds: 1 }));
    const { app, negotiate, present, tokens } = await gather({ revocations: { ...log, append } });
    const carrying = app.carryOut({ kind: "revoke", target: targets["subject of a tenant"] });
    await expect(carrying).rejects.toMatchObject({ reason: "not_durable" });
    expect(present()).toEqual(without("ann in south", "ann of no tenant"));
    expect((await negotiate(tokens["ann in south"], { headers: {} })).status).toBe(401);
  });
});

describe("an issuer's word that something may have changed", () => {
  it.each<[keyof typeof targets, readonly Name[]]>([
    // Of another issuer's, too: who is judged again and in his right loses nothing.
    ["session", ["ann in north", "another issuer's ann in north"]],
    ["subject", ["ann in north", "ann in south", "ann of no tenant"]],
    ["subject of a tenant", ["ann in south", "ann of no tenant"]],
    ["tenant", ["ann in north", "another issuer's ann in north", "bob in north"]],
    ["nobody", []],
  ])("about a %s has whom it is about judged again, and nobody else", async (name, whom) => {
    const { app, judged, present } = await gather();
    expect(await app.carryOut({ kind: "recheck", target: targets[name] })).toEqual({ matched: whom.length });
    expect(judged()).toEqual([...whom].sort());
    expect(present()).toEqual(everybody);
  });
});

it("an action that names nobody does nothing, and one that is none is a mistake", async () => {
  const { app, judged, present } = await gather();
  expect(await app.carryOut({ kind: "none" })).toEqual({ matched: 0 });
  const wrong = [
    { kind: "revoke", target: { type: "all" } },
    { kind: "recheck", target: { type: "all" } },
    { kind: "end" },
  ];
  for (const action of wrong) await expect(app.carryOut(action as SecurityAction)).rejects.toThrow(TypeError);
  expect([present(), judged()]).toEqual([everybody, []]);
});
