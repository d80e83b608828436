/** Bounds of who is told of, and what an application's own words may do to it. */

import { describe, expect, it } from "vitest";
import {
  createFixture,
  type Fixture,
  type FixtureOptions,
  type Peer,
  type Staff,
} from "../../test/connection-fixture.js";
import { allowAll, groupOf, template } from "../../test/hub-fixture.js";
import { createPresence, MAX_PRESENT, type Presence } from "./presence.js";
import { dialectOf } from "./dialect.js";
import type { NamedRoom } from "./room.js";

interface World extends Fixture {
  readonly presence: Presence<Staff>;
  readonly named: NamedRoom<Staff>;
  enter(subject: string): Promise<Peer>;
  look(peer: Peer, follow?: boolean): { readonly members: readonly unknown[]; readonly more?: boolean };
  /** Each frame that a follower was told, as how many joined and how many left. */
  news(peer: Peer): readonly (readonly [number, number])[];
}

function createWorld(
  describe: (principal: Staff) => unknown = ({ subject }) => ({ subject }),
  options: FixtureOptions = {},
): World {
  const fixture = createFixture({
    ...options,
    onMembership: (membership, isHeld) => presence.changed(membership, isHeld),
  });
  const presence: Presence<Staff> = createPresence({
    clock: fixture.clock,
    groups: fixture.groups,
    watch: { failed: (where, error) => void fixture.failures.push([where, error]), deadline: (work) => work },
  });
  const lobby = template("lobby", allowAll);
  const reference = groupOf(lobby);
  const room = {
    template: lobby,
    isAssigned: () => false,
    reference: () => reference,
    publications: new Map(),
    presence: { requirements: [], describe },
  };
  const named = { room, reference };
  const dialect = dialectOf({ name: "rooms-json" });
  return {
    ...fixture,
    presence,
    named,
    async enter(subject) {
      const peer = fixture.connect({ subject, id: `${subject}-${++entered}` });
      await fixture.groups.join(peer.connection, reference);
      return peer;
    },
    look({ connection }, follow) {
      const bytes = presence.look({ ...named, connection, dialect, id: 1, follow });
      const text = Buffer.from(bytes ?? []).toString("utf8");
      return JSON.parse(text.slice(text.indexOf("{"))) as ReturnType<World["look"]>;
    },
    news(peer) {
      while (fixture.clock.pendingTurn > 0) fixture.clock.endTurn();
      return (peer.said().match(/\{"type":"presence".*?\]\}/g) ?? []).map((frame) => {
        const { joined, left } = JSON.parse(frame) as Readonly<Record<"joined" | "left", readonly unknown[]>>;
        return [joined.length, left.length] as const;
      });
    },
  };
}

let entered = 0;
const crowd = (world: World, size: number): Promise<Peer[]> =>
  Promise.all(Array.from({ length: size }, (_, index) => world.enter(`person-${index}`)));

describe("presence", () => {
  it("tells of so many people in one answer, and that there are more", async () => {
    const world = createWorld();
    const [first] = await crowd(world, MAX_PRESENT);
    if (first === undefined) throw new TypeError("nobody came");
    await world.enter("person-0");
    const all = world.look(first);
    expect([all.members.length, all.more]).toEqual([MAX_PRESENT, undefined]);
    await world.enter("one-more");
    const most = world.look(first);
    expect([most.members.length, most.more]).toEqual([MAX_PRESENT, true]);
  });

  it("tells of fewer where an answer would be larger than an outbox takes", async () => {
    const world = createWorld(({ subject }) => ({ subject, about: "x".repeat(1_000) }), {
      outbox: { maxBytes: 8_192 },
    });
    const [first] = await crowd(world, 20);
    if (first === undefined) throw new TypeError("nobody came");
    const { members, more } = world.look(first);
    expect([members.length, more]).toEqual([5, true]);
  });

  it("tells of so many changes in one frame, and of the others a second later", async () => {
    const world = createWorld();
    const viewer = await world.enter("viewer");
    world.look(viewer, true);
    const peers = await crowd(world, MAX_PRESENT + 10);
    world.clock.advance(1_000);
    expect(world.news(viewer)).toEqual([[MAX_PRESENT, 0]]);
    world.clock.advance(1_000);
    expect(world.news(viewer).slice(1)).toEqual([[10, 0]]);
    for (const { connection } of peers.slice(0, 3)) connection.apply({ type: "aborted", reason: "normal" });
    world.clock.advance(1_000);
    expect(world.news(viewer).slice(2)).toEqual([[0, 3]]);
  });

  it("does not tell of whom the application cannot describe, and says so to the application", async () => {
    const world = createWorld((principal) => {
      if (principal.subject === "broken") throw new Error("no such person");
      if (principal.subject === "slow") return Promise.resolve({});
      return { subject: principal.subject };
    });
    const viewer = await world.enter("viewer");
    await world.enter("broken");
    await world.enter("slow");
    expect(world.look(viewer, true).members).toEqual([{ subject: "viewer" }]);
    expect(world.failures.map(([where, error]) => [where, String(error)])).toEqual([
      ["room lobby presence", "Error: no such person"],
      ["room lobby presence", "TypeError: presence: what is told of somebody must be there at once"],
    ]);
    const peer = await world.enter("chidi");
    world.clock.advance(1_000);
    expect(world.news(viewer)).toEqual([[1, 0]]);
    peer.connection.apply({ type: "aborted", reason: "normal" });
    world.clock.advance(1_000);
    expect(world.news(viewer)).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it("keeps nothing of a room that nobody follows any more", async () => {
    const world = createWorld();
    const [one, other] = [await world.enter("one"), await world.enter("other")];
    world.look(one, true);
    world.look(other, true);
    await world.enter("third");
    expect(world.clock.pending).toBe(1);
    one.connection.apply({ type: "aborted", reason: "normal" });
    expect(world.clock.pending).toBe(1);
    world.groups.leave(other.connection, world.named.reference);
    expect(world.clock.pending).toBe(0);
    await world.groups.join(other.connection, world.named.reference);
    expect(world.clock.pending).toBe(0);
  });
});
