import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFixture, type Fixture, type Peer } from "../../../test/connection-fixture.js";
import { allowAll, groupOf, template } from "../../../test/hub-fixture.js";
import { principalAddress, type ConnectionId } from "../ids.js";
import { Publication } from "../publication.js";
import { createFanout, type Address } from "./fanout.js";
import { groupKey } from "./group.js";

const ward = template("ward/{ward}", allowAll);
const ISSUER = "https://issuer.example";

interface Person {
  readonly tenant: string | undefined;
  readonly subject: string;
  readonly hub: string;
  readonly wards: readonly string[];
}

async function populate(fixture: Fixture, people: readonly Person[]): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const { wards, ...person } of people) {
    const peer = fixture.connect(person);
    peers.push(peer);
    for (const name of new Set(wards)) await fixture.groups.join(peer.connection, groupOf(ward, { ward: name }));
  }
  return peers;
}

const tenant = fc.constantFrom("general", "annex", undefined);
const subject = fc.constantFrom("ann", "bob");
const hub = fc.constantFrom("/hubs/ward", "/hubs/other");
const wardName = fc.constantFrom("icu", "er");
const person: fc.Arbitrary<Person> = fc.record({ tenant, subject, hub, wards: fc.array(wardName, { maxLength: 2 }) });

type Said = { readonly address: Address; readonly reaches: (person: Person, index: number) => boolean };
const anyHub = fc.option(hub, { nil: undefined });
const scope = fc.oneof(
  tenant.map((name) => ({ tenant: name })),
  fc.constant("every" as const),
);

/** An address beside its meaning in plain words. */
const said: fc.Arbitrary<Said> = fc.oneof(
  fc.record({ scope, hub: anyHub }).map(({ scope: of, hub: only }) => ({
    address: { to: "all" as const, scope: of, hub: only },
    reaches: (each: Person) => (of === "every" || each.tenant === of.tenant) && (only ?? each.hub) === each.hub,
  })),
  fc.record({ tenant, ward: wardName, hub: anyHub }).map(({ tenant: of, ward: name, hub: only }) => ({
    address: { to: "group" as const, key: groupKey(of, groupOf(ward, { ward: name })), hub: only },
    reaches: (each: Person) => each.tenant === of && each.wards.includes(name) && (only ?? each.hub) === each.hub,
  })),
  fc.record({ tenant, subject, hub: anyHub }).map(({ tenant: of, subject: who, hub: only }) => ({
    address: {
      to: "principal" as const,
      principal: principalAddress({ tenant: of, issuer: ISSUER, principalId: who }),
      hub: only,
    },
    reaches: (each: Person) => each.tenant === of && each.subject === who && (only ?? each.hub) === each.hub,
  })),
  fc.record({ scope, index: fc.nat(7), hub: anyHub }).map(({ scope: of, index: which, hub: only }) => ({
    address: { to: "connection" as const, id: `c${which + 1}` as ConnectionId, scope: of, hub: only },
    reaches: (each: Person, index: number) =>
      index === which && (of === "every" || each.tenant === of.tenant) && (only ?? each.hub) === each.hub,
  })),
);

describe("fan-out", () => {
  it("reaches exactly those an address means, each once, less the excepted, and never another tenant", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(person, { maxLength: 8 }),
        fc.array(fc.record({ said, except: fc.uniqueArray(fc.nat(7), { maxLength: 3 }) }), { maxLength: 8 }),
        async (people, sayings) => {
          const fixture = createFixture();
          const peers = await populate(fixture, people);
          const expected = people.map(() => "");
          for (const [count, { said: each, except }] of sayings.entries()) {
            const excepted = new Set(except.map((index) => `c${index + 1}` as ConnectionId));
            const group = each.address.to === "group" ? each.address.key : undefined;
            fixture.fanout(new Publication(`e${count}`, [], group), each.address, excepted);
            for (const [index, who] of people.entries()) {
              if (each.reaches(who, index) && !except.includes(index)) expected[index] += `e${count}([])\n`;
            }
          }
          fixture.clock.endTurn();
          expect(peers.map((peer) => peer.said())).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("does not reach a connection that has not opened or that has ended", async () => {
    const fixture = createFixture();
    const [opening, ended, open] = [fixture.connect({ isOpen: false }), fixture.connect(), fixture.connect()];
    ended.connection.apply({ type: "peer-closed" });
    for (const address of [
      { to: "all", scope: "every", hub: undefined },
      { to: "connection", id: opening.connection.id, scope: "every", hub: undefined },
      { to: "connection", id: ended.connection.id, scope: "every", hub: undefined },
      { to: "principal", principal: ended.connection.address, hub: undefined },
    ] satisfies Address[]) {
      fixture.fanout(new Publication("e", [], undefined), address);
    }
    fixture.clock.endTurn();
    expect(opening.said()).toBe("");
    expect(ended.said()).toBe("bye normal\n");
    expect(open.said()).toBe("e([])\n".repeat(2));
  });

  it("goes on past a slow consumer that it ends on the way", async () => {
    const fixture = createFixture({ outbox: { maxBytes: 20 } });
    const group = groupOf(ward, { ward: "icu" });
    const peers = [fixture.connect(), fixture.connect(), fixture.connect()];
    for (const { connection } of peers) await fixture.groups.join(connection, group);
    peers[0]?.connection.send({ bytes: new Uint8Array(20), group: undefined });
    const key = groupKey(undefined, group);
    fixture.fanout(new Publication("vitals", [], key), { to: "group", key, hub: undefined });
    fixture.clock.endTurn();
    expect(peers.map(({ socket }) => socket.isReset)).toEqual([true, false, false]);
    expect(peers.slice(1).map((peer) => peer.said())).toEqual(["vitals([])\n", "vitals([])\n"]);
    expect(fixture.groups.members(key)?.size).toBe(2);
  });

  it("tells everyone else an event that has no form for some or is too large for any, and reports it once", () => {
    const fixture = createFixture({ outbox: { maxBytes: 100 } });
    const failures: unknown[] = [];
    const fanout = createFanout(fixture.registry, fixture.groups, (event, error) => void failures.push([event, error]));
    const formless = new TypeError("no form");
    const broken = {
      name: "broken",
      renderEvent: (): Uint8Array => {
        throw formless;
      },
    };
    const peers = [fixture.connect({ dialect: broken }), fixture.connect(), fixture.connect({ dialect: broken })];
    const all = { to: "all", scope: "every", hub: undefined } as const;
    fanout(new Publication("odd", [1], undefined), all);
    fixture.clock.endTurn();
    expect([peers.map((peer) => peer.said()), failures]).toEqual([["", "odd([1])\n", ""], [["odd", formless]]]);
    fanout(new Publication("large", ["x".repeat(100)], undefined), all);
    fixture.clock.endTurn();
    expect(failures[1]).toEqual(["large", formless]);
    // The sender's mistake costs no peer its connection.
    expect(peers.map(({ connection }) => connection.isActive)).toEqual([true, true, true]);
    const plain = createFixture({ outbox: { maxBytes: 100 } });
    const reported: unknown[] = [];
    const peer = plain.connect();
    const only = createFanout(plain.registry, plain.groups, (_, error) => void reported.push(error));
    only(new Publication("large", ["x".repeat(100)], undefined), all);
    expect([reported, peer.connection.isActive]).toEqual([[expect.any(RangeError)], true]);
  });

  it("renders once for a thousand", () => {
    const fixture = createFixture();
    for (let count = 0; count < 1_000; count++) fixture.connect();
    fixture.fanout(new Publication("e", [], undefined), { to: "all", scope: "every", hub: undefined });
    fixture.clock.endTurn();
    expect(fixture.dialect.rendered).toBe(1);
  });

  it("refuses an address nobody declared", () => {
    const { fanout } = createFixture();
    expect(() => fanout(new Publication("e", [], undefined), { to: "mars" } as unknown as Address)).toThrow(TypeError);
  });
});
