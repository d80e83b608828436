import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFixture } from "../../../test/connection-fixture.js";
import { principalAddress } from "../ids.js";
import { Registry } from "./registry.js";

describe("the registry of connections", () => {
  it("finds by id and by principal exactly what was added and not removed", () => {
    const fixture = createFixture();
    const people = ["ann", "bob", "cy"];
    const peers = Array.from({ length: 9 }, (_, index) =>
      fixture.connect({ subject: people[index % 3], isOpen: false }),
    );
    fc.assert(
      fc.property(fc.array(fc.record({ index: fc.nat(8), isAdded: fc.boolean() }), { maxLength: 60 }), (changes) => {
        const registry = new Registry<unknown>();
        const model = new Set<number>();
        for (const { index, isAdded } of changes) {
          const { connection } = peers[index] as (typeof peers)[number];
          if (isAdded) registry.add(connection);
          else registry.remove(connection);
          if (isAdded) model.add(index);
          else model.delete(index);
        }
        const expected = [...model].map((index) => peers[index]?.connection);
        expect(new Set(registry.all())).toEqual(new Set(expected));
        expect(registry.size).toBe(model.size);
        for (const { connection } of peers) {
          expect(registry.get(connection.id)).toBe(expected.includes(connection) ? connection : undefined);
        }
        for (const subject of people) {
          const key = principalAddress({ tenant: undefined, issuer: "https://issuer.example", principalId: subject });
          expect(new Set(registry.of(key))).toEqual(
            new Set(expected.filter((connection) => connection?.authentication.subject === subject)),
          );
        }
      }),
    );
  });

  it("finds by what a principal is called, which several may share, and never by who it is", () => {
    const { registry, connect } = createFixture();
    const [ann, bob] = [
      connect({ subject: "ann", principalId: "bob" }),
      connect({ subject: "bob", principalId: "team" }),
    ];
    const cy = connect({ subject: "cy", principalId: "team" });
    const of = (principalId: string): unknown[] =>
      Array.from(
        registry.of(principalAddress({ tenant: undefined, issuer: "https://issuer.example", principalId })),
        ({ id }) => id,
      );
    expect([of("ann"), of("bob"), of("team"), of("cy")]).toEqual([
      [],
      [ann.connection.id],
      [bob.connection.id, cy.connection.id],
      [],
    ]);
    bob.connection.apply({ type: "peer-closed" });
    expect(of("team")).toEqual([cy.connection.id]);
  });

  it("finds one that has ended no more, be it that it is taken out later", () => {
    const fixture = createFixture();
    const [ann, bob] = [fixture.connect({ subject: "ann" }), fixture.connect({ subject: "ann" })];
    const registry = new Registry<unknown>();
    for (const { connection } of [ann, bob]) registry.add(connection);
    ann.connection.apply({ type: "peer-closed" });
    expect(registry.get(ann.connection.id)).toBeUndefined();
    expect(Array.from(registry.all())).toEqual([bob.connection]);
    expect(Array.from(registry.of(bob.connection.address))).toEqual([bob.connection]);
    expect(registry.size).toBe(2);
    registry.remove(ann.connection);
    expect(registry.size).toBe(1);
  });

  it("does not take a connection for another that has its id", () => {
    const fixture = createFixture();
    const [first, second] = [fixture.connect({ id: "same" }), fixture.connect({ id: "same", isOpen: false })];
    fixture.registry.remove(second.connection);
    expect(fixture.registry.get(first.connection.id)).toBe(first.connection);
  });
});
