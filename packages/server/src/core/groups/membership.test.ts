/** Whether somebody is in a group as whoever they are now, asked in the middle of whatever happens to them. */

import { describe, expect, it } from "vitest";
import { admissionOf, createFixture, type Fixture, type Peer, type Staff } from "../../../test/connection-fixture.js";
import { allowAll, deferred, groupOf, policy, requirement, template } from "../../../test/hub-fixture.js";
import type { Deferred } from "../../../test/hub-fixture.js";
import { patientWatch } from "../../../test/policy-watch.js";
import type { Verdict } from "../auth/policy.js";
import type { GroupReference } from "./group.js";
import { isMember, judgeMember } from "./membership.js";

interface World extends Fixture {
  readonly peer: Peer;
  readonly ward: GroupReference<Staff>;
  /** What the rule answers next. */
  answer: () => boolean | Promise<boolean>;
  asked: number;
  readonly failures: [where: string, error: unknown][];
  judge(): Verdict | Promise<Verdict>;
  /** Another principal, for whom nothing was judged yet. */
  become(department: string): void;
}

async function createWorld(): Promise<World> {
  const fixture = createFixture();
  const peer = fixture.connect();
  const rule = policy("Rule", () => {
    world.asked++;
    return world.answer();
  });
  const ward = groupOf(template("ward/{ward}", requirement(rule)), { ward: "icu" });
  const watch = patientWatch((where, error) => void fixture.failures.push([where, error]));
  const world: World = {
    ...fixture,
    peer,
    ward,
    answer: () => true,
    asked: 0,
    judge: () => judgeMember(peer.connection, ward, watch),
    become: (department) => void peer.connection.replace(admissionOf({ department }), "rechecked"),
  };
  await fixture.groups.join(peer.connection, ward);
  world.asked = 0;
  return world;
}

function question(world: World): Deferred<boolean> {
  const asked = deferred<boolean>();
  world.answer = () => asked.promise;
  return asked;
}

const reasonOf = (verdict: Verdict | Promise<Verdict>): string | undefined =>
  verdict instanceof Promise ? "a promise" : verdict?.reason;

describe("whether somebody is a member", () => {
  it("is known without a question while they are who was judged", async () => {
    const world = await createWorld();
    expect([reasonOf(world.judge()), isMember(world.peer.connection, world.ward), world.asked]).toEqual([
      undefined,
      true,
      0,
    ]);
  });

  it("is not_member, without a question, for who is in another group of the kind, or none", async () => {
    const world = await createWorld();
    const other = { ...world.ward, values: { ward: "er" } };
    expect(reasonOf(judgeMember(world.peer.connection, other, patientWatch()))).toBe("not_member");
    expect(reasonOf(judgeMember(world.connect().connection, world.ward, patientWatch()))).toBe("not_member");
    expect([isMember(world.peer.connection, other), world.asked]).toEqual([false, 0]);
  });

  it.each([
    ["yes", (): boolean => true, undefined],
    ["no", (): boolean => false, "not_member"],
    [
      "nothing, for it broke",
      (): boolean => {
        throw new Error("the directory is down");
      },
      "auth_unavailable",
    ],
  ] as const)("is what the rule says of a new principal: %s", async (_what, answer, reason) => {
    const world = await createWorld();
    world.become("er");
    world.answer = answer;
    expect([reasonOf(world.judge()), isMember(world.peer.connection, world.ward)]).toEqual([reason, false]);
    // An answer, and no judgement: the membership is as it was.
    expect(world.peer.connection.memberships.size).toBe(1);
    expect(world.failures).toHaveLength(reason === "auth_unavailable" ? 1 : 0);
    world.judge();
    expect(world.asked).toBe(2);
  });

  it("is not_member for who left while the rule was asked, whatever it says", async () => {
    const world = await createWorld();
    world.become("er");
    const asked = question(world);
    const verdict = world.judge();
    world.groups.leave(world.peer.connection, world.ward);
    asked.resolve(true);
    expect((await verdict)?.reason).toBe("not_member");
  });

  it("is not_member for who left and joined anew while the rule was asked: that was another membership", async () => {
    const world = await createWorld();
    world.become("er");
    const asked = question(world);
    const verdict = world.judge();
    world.groups.leave(world.peer.connection, world.ward);
    world.answer = () => true;
    await world.groups.join(world.peer.connection, world.ward);
    asked.resolve(true);
    expect((await verdict)?.reason).toBe("not_member");
    expect(world.judge()).toBeUndefined();
  });

  it("is asked anew where the principal was replaced again: a late yes about the one before does not count", async () => {
    const world = await createWorld();
    world.become("er");
    const first = question(world);
    const verdict = world.judge();
    world.become("none");
    const second = question(world);
    first.resolve(true);
    await Promise.resolve();
    second.resolve(false);
    expect([(await verdict)?.reason, world.asked]).toEqual(["not_member", 2]);
  });

  it("is known at once where somebody else judged the new principal meanwhile", async () => {
    const world = await createWorld();
    world.become("er");
    const first = question(world);
    const verdict = world.judge();
    world.become("icu");
    world.answer = () => true;
    await world.groups.judgeAgain(world.peer.connection);
    const { asked } = world;
    first.resolve(false);
    expect([await verdict, world.asked]).toEqual([undefined, asked]);
  });

  it("is a matter of the tenant: a group of the same name in another one is another", async () => {
    const world = createFixture();
    const lobby = groupOf(template("lobby", allowAll));
    const [north, south] = [world.connect({ tenant: "north" }), world.connect({ tenant: "south" })];
    await world.groups.join(north.connection, lobby);
    expect([isMember(north.connection, lobby), isMember(south.connection, lobby)]).toEqual([true, false]);
    expect(reasonOf(judgeMember(south.connection, lobby, patientWatch()))).toBe("not_member");
  });
});
