import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { admissionOf, createFixture, type Fixture, type Peer, type Staff } from "../../../test/connection-fixture.js";
import {
  allowAll,
  deferred,
  denyAll,
  groupOf,
  policy,
  requirement,
  template,
  type Deferred,
} from "../../../test/hub-fixture.js";
import { Publication } from "../publication.js";
import { assigned, groupKey } from "./group.js";
import { createGroups } from "./groups.js";
import { patientWatch } from "../../../test/policy-watch.js";

const ward = template("ward/{ward}", allowAll);
const icu = groupOf(ward, { ward: "icu" });
const er = groupOf(ward, { ward: "er" });

function members({ groups }: Fixture, tenant?: string, reference = icu): unknown[] {
  return [...(groups.members(groupKey(tenant, reference))?.keys() ?? [])].map(({ id }) => id);
}

function say({ fanout }: Fixture, event: string, reference = icu): void {
  const key = groupKey(undefined, reference);
  fanout(new Publication(event, [], key), { to: "group", key, hub: undefined });
}

/** Puts another principal in the connection's place, as a refresh will. */
function replacePrincipal({ connection }: Peer): void {
  connection.replace(connection.admission, "rechecked");
}

describe("joining a group", () => {
  it("asks the group's rule about the connection's principal and the group's values, and remembers who let it in", async () => {
    const fixture = createFixture();
    const asked: unknown[] = [];
    const own = policy<string>("OwnWard", ({ principal }, name) => {
      asked.push([principal.subject, name]);
      return principal.department === name;
    });
    const guarded = template(
      "ward/{ward}",
      requirement(own, (values: { ward: string }) => values.ward),
    );
    const { connection } = fixture.connect({ subject: "ann", department: "icu" });
    const mine = groupOf(guarded, { ward: "icu" });
    await fixture.groups.join(connection, mine);
    await expect(fixture.groups.join(connection, groupOf(guarded, { ward: "er" }))).rejects.toMatchObject({
      reason: "forbidden",
      policy: "OwnWard",
    });
    expect(asked).toEqual([
      ["ann", "icu"],
      ["ann", "er"],
    ]);
    const membership = fixture.groups.members(groupKey(undefined, mine))?.get(connection);
    expect(membership).toMatchObject({ connection, reference: mine, judgedVersion: connection.version });
    expect([fixture.groups.size, connection.memberships.size]).toEqual([1, 1]);
  });

  it("twice is joining once", async () => {
    const fixture = createFixture();
    const { connection, said } = fixture.connect();
    await fixture.groups.join(connection, icu);
    await fixture.groups.join(connection, groupOf(ward, { ward: "icu" }));
    say(fixture, "vitals");
    fixture.clock.endTurn();
    expect([said(), connection.memberships.size]).toEqual(["vitals([])\n", 1]);
  });

  it.each([
    ["a policy says no", denyAll, "forbidden"],
    ["a policy throws", requirement(policy("Broken", () => Promise.reject(new Error("down")))), "auth_unavailable"],
  ])("is refused when %s", async (_, rule, reason) => {
    const fixture = createFixture();
    const { connection } = fixture.connect();
    await expect(fixture.groups.join(connection, groupOf(template("x", allowAll, rule)))).rejects.toMatchObject({
      reason,
    });
    expect([fixture.groups.size, connection.memberships.size]).toEqual([0, 0]);
    expect(fixture.failures.map(([where]) => where)).toEqual(reason === "forbidden" ? [] : ["Broken"]);
  });

  it("puts each connection into its own tenant's group", async () => {
    const fixture = createFixture();
    const [general, annex] = [fixture.connect({ tenant: "general" }), fixture.connect({ tenant: "annex" })];
    for (const { connection } of [general, annex]) await fixture.groups.join(connection, icu);
    expect([members(fixture, "general"), members(fixture, "annex"), members(fixture)]).toEqual([["c1"], ["c2"], []]);
  });

  it("is limited per connection; joining again and leaving do not count", async () => {
    const fixture = createFixture({ maxGroups: 2 });
    const { connection } = fixture.connect();
    const third = groupOf(ward, { ward: "third" });
    for (const group of [icu, er, icu]) await fixture.groups.join(connection, group);
    await expect(fixture.groups.join(connection, third)).rejects.toMatchObject({ reason: "room_limit" });
    fixture.groups.leave(connection, er);
    await fixture.groups.join(connection, third);
    expect(connection.memberships.size).toBe(2);
  });

  it("cannot get past the limit by joining many at once", async () => {
    const fixture = createFixture({ maxGroups: 3 });
    const { connection } = fixture.connect();
    const slow = template("slow/{n}", requirement(policy("Slow", () => Promise.resolve(true))));
    const joins = Array.from({ length: 10 }, (_, n) => fixture.groups.join(connection, groupOf(slow, { n: `${n}` })));
    const outcomes = await Promise.allSettled(joins);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    expect(connection.memberships.size).toBe(3);
  });

  it("names no group by hostile values", async () => {
    const fixture = createFixture();
    const { connection } = fixture.connect();
    await expect(fixture.groups.join(connection, groupOf(ward, { ward: "r\ud800" }))).rejects.toThrow(TypeError);
  });

  it.each<[string, (peer: Peer, fixture: Fixture) => void, string]>([
    ["has not finished its handshake", () => undefined, "handshake_required"],
    ["was closed", ({ connection }) => connection.apply({ type: "drained" }), "going_away"],
    ["outlived its credential unnoticed", (_, { clock }) => clock.block(60_000), "token_expired"],
  ])("is not for a connection that %s", async (_, arrange, reason) => {
    const fixture = createFixture();
    const peer = fixture.connect({ livesMs: 60_000, isOpen: reason !== "handshake_required" });
    arrange(peer, fixture);
    await expect(fixture.groups.join(peer.connection, icu)).rejects.toMatchObject({ reason });
    expect(fixture.groups.size).toBe(0);
  });

  it.each<[string, (peer: Peer, fixture: Fixture) => void, string]>([
    ["closes", ({ connection }) => connection.apply({ type: "drained" }), "going_away"],
    ["is left by its peer", ({ socket }) => socket.end(), "normal"],
    [
      "sees its credential end by a timer",
      ({ connection }) => connection.apply({ type: "expiry-due" }),
      "token_expired",
    ],
    ["outlives its credential unnoticed", (_, { clock }) => clock.block(60_000), "token_expired"],
  ])(
    "comes to nothing when the connection %s while the rule is asked, also if the rule says yes",
    async (_, happen, reason) => {
      for (const answer of [true, false]) {
        const fixture = createFixture();
        const peer = fixture.connect({ livesMs: 60_000 });
        const asked = deferred<boolean>();
        const slow = template("slow", requirement(policy("Slow", () => asked.promise)));
        const joining = fixture.groups.join(peer.connection, groupOf(slow));
        happen(peer, fixture);
        asked.resolve(answer);
        await expect(joining).rejects.toMatchObject({ reason });
        expect([fixture.groups.size, peer.connection.memberships.size]).toEqual([0, 0]);
      }
    },
  );

  it("throws a late verdict about an older principal away and asks again", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const answers = [true, false];
    let asked = 0;
    const rule = policy("Changing", async () => {
      const answer = answers[asked++] ?? false;
      if (asked === 1) replacePrincipal(peer);
      return answer;
    });
    await expect(fixture.groups.join(peer.connection, groupOf(template("x", requirement(rule))))).rejects.toMatchObject(
      {
        reason: "forbidden",
      },
    );
    expect([asked, fixture.groups.size]).toEqual([2, 0]);
  });

  it("gives up when every verdict is overtaken by a new principal", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    let asked = 0;
    const rule = policy("Overtaken", async () => {
      asked++;
      replacePrincipal(peer);
      return true;
    });
    const joining = fixture.groups.join(peer.connection, groupOf(template("x", requirement(rule))));
    await expect(joining).rejects.toMatchObject({ reason: "auth_unavailable", retryAfterSeconds: 1 });
    expect([asked, fixture.groups.size]).toEqual([3, 0]);
  });

  it("again under a new principal says what waited for that, and lets the group's frames pass again", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    await fixture.groups.join(peer.connection, icu);
    replacePrincipal(peer);
    say(fixture, "meanwhile");
    fixture.clock.endTurn();
    expect(peer.said()).toBe("");
    await fixture.groups.join(peer.connection, icu);
    say(fixture, "afterwards");
    fixture.clock.endTurn();
    expect(peer.said()).toBe("meanwhile([])\nafterwards([])\n");
  });
});

describe("a group", () => {
  it("without any rule lets nobody in", async () => {
    const fixture = createFixture();
    const { connection } = fixture.connect();
    await expect(fixture.groups.join(connection, groupOf(template("open")))).rejects.toMatchObject({
      reason: "forbidden",
    });
    expect(fixture.groups.size).toBe(0);
  });

  it("of other connections than these is a mistake, whatever its rule says", async () => {
    const { connection } = createFixture().connect();
    const groups = createGroups<Staff>(10, patientWatch(), (declared) => declared === ward);
    await groups.join(connection, icu);
    await expect(groups.join(connection, groupOf(template("ward/{ward}", allowAll), { ward: "er" }))).rejects.toThrow(
      TypeError,
    );
    expect([groups.size, connection.memberships.size]).toEqual([1, 1]);
  });

  it("whose members are assigned lets in whom the application joins, as whoever they become", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const shift = groupOf(template("shift", requirement(assigned)));
    await fixture.groups.join(peer.connection, shift);
    replacePrincipal(peer);
    await fixture.groups.join(peer.connection, shift);
    say(fixture, "hello", shift);
    fixture.clock.endTurn();
    expect(peer.said()).toBe("hello([])\n");
  });
});

/** Groups in which every join waits until its connection's principal is of now. */
function createRenewing() {
  const fixture = createFixture();
  const asked: number[] = [];
  const own = policy("Own", ({ principal }) => {
    asked.push(principal.roles.length);
    return principal.hasRole("nurse");
  });
  const reference = groupOf(template("ward", requirement(own)));
  const renewals: Deferred<void>[] = [];
  let isOutdated = true;
  const groups = createGroups<Staff>(10, patientWatch(), undefined, undefined, () => {
    if (!isOutdated) return undefined;
    const renewal = deferred<void>();
    renewals.push(renewal);
    return renewal.promise;
  });
  const { connection } = fixture.connect({ roles: ["nurse"] });
  const renew = (roles: readonly string[]): void => {
    connection.replace(admissionOf({ roles }), "rechecked");
    isOutdated = false;
    for (const renewal of renewals.splice(0)) renewal.resolve();
  };
  return { asked, connection, groups, reference, renew, renewals };
}

describe("a join whose principal may be out of date", () => {
  it("asks the rule about none but the one that took its place", async () => {
    const { asked, connection, groups, reference, renew } = createRenewing();
    const joining = groups.join(connection, reference);
    expect([asked, Array.from(groups.placesOf(connection)).length]).toEqual([[], 1]);
    renew([]);
    await expect(joining).rejects.toMatchObject({ reason: "forbidden" });
    expect([asked, connection.memberships.size, Array.from(groups.placesOf(connection))]).toEqual([[0], 0, []]);
  });

  it("joins who still may, and comes to nothing for who leaves meanwhile", async () => {
    const { asked, connection, groups, reference, renew } = createRenewing();
    const left = groups.join(connection, reference);
    expect(groups.leave(connection, reference)).toBe(true);
    const joining = groups.join(connection, reference);
    renew(["nurse"]);
    await expect(left).rejects.toMatchObject({ reason: "superseded" });
    await joining;
    expect([asked, connection.memberships.size]).toEqual([[1], 1]);
  });

  it("gives up, to be tried again, where nothing newer comes of it", async () => {
    const { asked, connection, reference } = createRenewing();
    const groups = createGroups<Staff>(10, patientWatch(), undefined, undefined, () => Promise.resolve());
    await expect(groups.join(connection, reference)).rejects.toMatchObject({
      reason: "auth_unavailable",
      retryAfterSeconds: 1,
    });
    expect([asked, connection.memberships.size, Array.from(groups.placesOf(connection))]).toEqual([[], 0, []]);
  });

  it("says why its connection has ended meanwhile", async () => {
    const { asked, connection, groups, reference, renewals } = createRenewing();
    const joining = groups.join(connection, reference);
    connection.apply({ type: "revoked", reason: "forbidden" });
    renewals.shift()?.resolve();
    await expect(joining).rejects.toMatchObject({ reason: "forbidden" });
    expect(asked).toEqual([]);
  });
});

/** Joins and leaves in the order they are decided; `yes` and `no` settle the rule's oldest open question. */
type Move = "join" | "leave" | "yes" | "no" | "renew" | "end";

interface Race {
  readonly moves: readonly Move[];
  /** What the joins came to, in their order. */
  readonly joins: readonly string[];
  readonly leaves?: readonly boolean[];
  readonly isIn: boolean;
}

describe("joins and leaves that overtake each other: the later decision wins", () => {
  it.each<[string, Race]>([
    [
      "a leave withdraws a join",
      { moves: ["join", "leave", "yes"], joins: ["superseded"], leaves: [true], isIn: false },
    ],
    [
      "a leave withdraws a join that would have been refused",
      { moves: ["join", "leave", "no"], joins: ["superseded"], leaves: [true], isIn: false },
    ],
    [
      "a leave withdraws all joins before it",
      {
        moves: ["join", "join", "leave", "yes", "yes"],
        joins: ["superseded", "superseded"],
        leaves: [true],
        isIn: false,
      },
    ],
    [
      "a join after the leave counts, though it is answered first",
      { moves: ["join", "leave", "join", "yes", "yes"], joins: ["superseded", "joined"], leaves: [true], isIn: true },
    ],
    [
      "a join after the leave still asks the rule",
      {
        moves: ["join", "leave", "join", "yes", "no"],
        joins: ["superseded", "forbidden"],
        leaves: [true],
        isIn: false,
      },
    ],
    [
      "a leave takes the membership and the join again",
      { moves: ["join", "yes", "join", "leave", "yes"], joins: ["joined", "superseded"], leaves: [true], isIn: false },
    ],
    [
      "a second leave has nothing left to take, and a withdrawn join is still being asked about",
      { moves: ["join", "yes", "leave", "leave"], joins: ["joined"], leaves: [true, false], isIn: false },
    ],
    [
      "a leave before the join is none of its business",
      { moves: ["leave", "join", "yes"], joins: ["joined"], leaves: [false], isIn: true },
    ],
    [
      "a join refused after one that was allowed takes nothing away",
      { moves: ["join", "join", "yes", "no"], joins: ["joined", "forbidden"], isIn: true },
    ],
    [
      "a leave while the rule is asked again for a new principal counts, too",
      { moves: ["join", "renew", "yes", "leave", "yes"], joins: ["superseded"], leaves: [true], isIn: false },
    ],
    [
      "a new principal is asked about anew, and the answer for the old one is nothing",
      { moves: ["join", "renew", "no", "yes"], joins: ["joined"], isIn: true },
    ],
    [
      "the end of the connection says why, also to a withdrawn join",
      {
        moves: ["join", "leave", "join", "end", "yes", "yes"],
        joins: ["going_away", "going_away"],
        leaves: [true],
        isIn: false,
      },
    ],
  ])("%s", async (_, { moves, joins, leaves = [], isIn }) => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const questions: Deferred<boolean>[] = [];
    const rule = policy("Slow", () => {
      const question = deferred<boolean>();
      questions.push(question);
      return question.promise;
    });
    const slow = groupOf(template("slow", requirement(rule)));
    const joining: Promise<string>[] = [];
    const left: boolean[] = [];
    for (const move of moves) {
      if (move === "join") {
        joining.push(
          fixture.groups.join(peer.connection, slow).then(
            () => "joined",
            (error: HubwardError) => error.reason,
          ),
        );
      } else if (move === "leave") left.push(fixture.groups.leave(peer.connection, slow));
      else if (move === "renew") replacePrincipal(peer);
      else if (move === "end") peer.connection.apply({ type: "drained" });
      else questions.shift()?.resolve(move === "yes");
      await settle();
    }
    expect([await Promise.all(joining), left]).toEqual([joins, leaves]);
    expect(members(fixture, undefined, slow)).toEqual(isIn ? ["c1"] : []);
    expect(peer.connection.memberships.size).toBe(isIn ? 1 : 0);
  });

  it("a leave of one group withdraws no join of another, and of one connection none of another's", async () => {
    const fixture = createFixture();
    const [peer, other] = [fixture.connect(), fixture.connect()];
    const asked = deferred<boolean>();
    const slow = template("slow/{ward}", requirement(policy("Slow", () => asked.promise)));
    const [one, two] = [groupOf(slow, { ward: "icu" }), groupOf(slow, { ward: "er" })];
    const joins = [fixture.groups.join(peer.connection, two), fixture.groups.join(other.connection, one)];
    expect(fixture.groups.leave(peer.connection, one)).toBe(false);
    asked.resolve(true);
    await Promise.all(joins);
    expect([members(fixture, undefined, one), members(fixture, undefined, two)]).toEqual([["c2"], ["c1"]]);
  });
});

/** Lets everything that promises have to do be done. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("leaving a group", () => {
  it("takes its frames out of what is not handed over yet, and only its", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const other = fixture.connect();
    for (const { connection } of [peer, other]) {
      await fixture.groups.join(connection, icu);
      await fixture.groups.join(connection, er);
    }
    for (const [event, group] of [
      ["a", icu],
      ["b", er],
      ["c", icu],
    ] as const)
      say(fixture, event, group);
    expect(fixture.groups.leave(peer.connection, icu)).toBe(true);
    say(fixture, "d", icu);
    fixture.clock.endTurn();
    expect([peer.said(), other.said()]).toEqual(["b([])\n", "a([])\nb([])\nc([])\nd([])\n"]);
    expect(fixture.groups.leave(peer.connection, icu)).toBe(false);
  });

  it("forgets a group with its last member", async () => {
    const fixture = createFixture();
    const { connection } = fixture.connect();
    await fixture.groups.join(connection, icu);
    fixture.groups.leave(connection, icu);
    expect([fixture.groups.size, members(fixture)]).toEqual([0, []]);
  });

  it("happens by itself, from all groups, when standing is lost", async () => {
    const fixture = createFixture();
    const [peer, other] = [fixture.connect(), fixture.connect()];
    for (const group of [icu, er]) await fixture.groups.join(peer.connection, group);
    await fixture.groups.join(other.connection, icu);
    peer.connection.apply({ type: "expiry-due" });
    expect([members(fixture), members(fixture, undefined, er), peer.connection.memberships.size]).toEqual([
      ["c2"],
      [],
      0,
    ]);
    expect(fixture.groups.leave(peer.connection, icu)).toBe(false);
    expect(() => peer.connection.assertActive()).toThrow(HubwardError);
  });
});
