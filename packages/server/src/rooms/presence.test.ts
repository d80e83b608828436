/** Bounds of who is told of, and what an application's own words may do to it. */

import { describe, expect, it } from "vitest";
import {
  admissionOf,
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
  /** What the rule says of who may see who is there, asked again; the first time is another's to ask. */
  rule: boolean | Promise<boolean>;
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
  const mayLook = {
    policy: { name: "MayLook", message: undefined, check: () => world.rule },
    resource: undefined,
  };
  const room = {
    template: lobby,
    isAssigned: () => false,
    reference: () => reference,
    publications: new Map(),
    presence: { requirements: [mayLook], describe },
  };
  const named = { room, reference };
  const dialect = dialectOf({ name: "rooms-json" });
  const world: World = {
    ...fixture,
    rule: true,
    presence,
    named,
    async enter(subject) {
      const peer = fixture.connect({ subject, id: `${subject}-${++entered}` });
      await fixture.groups.join(peer.connection, reference);
      return peer;
    },
    look({ connection }, follow) {
      const frame = presence.look({ ...named, connection, dialect, id: 1, follow });
      const text = Buffer.from(frame?.bytes ?? []).toString("utf8");
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
  return world;
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

  it("takes an answer back that has not left when its reader loses the room", async () => {
    const world = createWorld();
    const { connection, said } = await world.enter("viewer");
    await world.enter("chidi");
    connection.hold();
    const frame = world.presence.look({
      ...world.named,
      connection,
      dialect: dialectOf({ name: "rooms-json" }),
      id: 1,
      follow: false,
    });
    if (frame === undefined) throw new TypeError("nothing to say");
    connection.answer(frame);
    world.groups.leave(connection, world.named.reference);
    connection.release();
    while (world.clock.pendingTurn > 0) world.clock.endTurn();
    expect(said()).not.toContain("chidi");
  });

  describe("of which something waits to be written when the rule is asked again", () => {
    const DENIED = '{"type":"error","request":"who","room":"lobby","reason":"forbidden"}';
    const later = (verdict: boolean): Promise<boolean> => Promise.resolve(verdict);

    /** In the outbox, or held since the credential ended; followed, or asked for once. */
    async function waiting(where: "outbox" | "lapse", follow: boolean): Promise<World & { readonly peer: Peer }> {
      const world = createWorld();
      const peer = await world.enter("viewer");
      peer.connection.subscribe();
      peer.connection.hold();
      if (follow) {
        world.look(peer, true);
        await world.enter("chidi");
        world.clock.advance(1_000);
      } else {
        await world.enter("chidi");
        const dialect = dialectOf({ name: "rooms-json" });
        const frame = world.presence.look({ ...world.named, connection: peer.connection, dialect, id: 1, follow });
        peer.connection.answer(frame ?? { bytes: new Uint8Array(0), group: undefined });
      }
      if (where === "lapse") peer.connection.apply({ type: "expiry-due" });
      return Object.assign(world, { peer });
    }

    /** Another credential of the same person, as its handler and whoever keeps its groups take it. */
    async function renew({ presence, groups, peer: { connection } }: World & { readonly peer: Peer }): Promise<void> {
      const expiresAt = connection.authentication.expiresAt + 60_000;
      expect(connection.replace(admissionOf({ subject: "viewer", expiresAt }), "reauthenticated")).toBe(true);
      const seeing = presence.judgeAgain(connection);
      await groups.judgeAgain(connection);
      await seeing;
    }

    function saidBy({ clock, peer }: World & { readonly peer: Peer }): string {
      peer.connection.release();
      while (clock.pendingTurn > 0) clock.endTurn();
      return peer.said();
    }

    const cases = (["outbox", "lapse"] as const).flatMap((where) =>
      [true, false].flatMap((follow) => [
        { where, follow, when: "at once", ask: (verdict: boolean): boolean | Promise<boolean> => verdict },
        { where, follow, when: "later", ask: (verdict: boolean): boolean | Promise<boolean> => later(verdict) },
      ]),
    );

    it.each(cases)("takes it back where the rule says no $when (in the $where, following: $follow)", async (each) => {
      const world = await waiting(each.where, each.follow);
      world.rule = each.ask(false);
      await renew(world);
      const said = saidBy(world);
      expect([said.includes("chidi"), said.includes(DENIED)]).toEqual([false, true]);
      expect([...world.peer.connection.views]).toEqual([]);
      // Still in the room: only who is there is hidden.
      expect(world.peer.connection.memberships.size).toBe(1);
    });

    it.each(cases)("says it where the rule says yes $when (in the $where, following: $follow)", async (each) => {
      const world = await waiting(each.where, each.follow);
      world.rule = each.ask(true);
      await renew(world);
      const said = saidBy(world);
      expect([said.includes("chidi"), said.includes(DENIED)]).toEqual([true, false]);
    });

    it("holds it back until both rules have answered, whichever is first", async () => {
      const world = await waiting("lapse", true);
      let answer: (verdict: boolean) => void = () => undefined;
      world.rule = new Promise((resolve) => (answer = resolve));
      const renewed = renew(world);
      expect(saidBy(world)).not.toContain("chidi");
      answer(true);
      await renewed;
      expect(saidBy(world)).toContain("chidi");
    });

    it("drops it with the room", async () => {
      const world = await waiting("lapse", true);
      world.groups.leave(world.peer.connection, world.named.reference);
      await renew(world);
      expect(saidBy(world)).not.toContain("chidi");
      expect([...world.peer.connection.views]).toEqual([]);
    });
  });

  it("says nothing to whom nothing is taken back: who asked once, long ago, and may not any more", async () => {
    const world = createWorld();
    const peer = await world.enter("viewer");
    world.look(peer, false);
    world.rule = false;
    peer.connection.replace(admissionOf({ subject: "viewer" }), "rechecked");
    expect(world.presence.judgeAgain(peer.connection)).toBeUndefined();
    while (world.clock.pendingTurn > 0) world.clock.endTurn();
    expect(peer.said()).toBe("");
  });

  it("survives what cannot be told of somebody whose credential is replaced, and goes on telling of others", async () => {
    const world = createWorld(({ subject }) => {
      if (subject !== "knot") return { subject };
      const told: Record<string, unknown> = { subject };
      return (told["self"] = told);
    });
    const viewer = await world.enter("viewer");
    world.look(viewer, true);
    const { connection } = await world.enter("knot");
    world.clock.advance(1_000);
    const expiresAt = connection.authentication.expiresAt + 1_000;
    expect(connection.replace(admissionOf({ subject: "knot", expiresAt }), "reauthenticated")).toBe(true);
    await world.groups.judgeAgain(connection);
    await world.enter("chidi");
    world.clock.advance(1_000);
    expect(world.failures.map(([, error]) => (error as Error).name)).toContain("RangeError");
    expect(world.news(viewer)).toEqual([[1, 0]]);
    await world.enter("dana");
    world.clock.advance(1_000);
    expect(world.news(viewer)).toEqual([
      [1, 0],
      [1, 0],
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
