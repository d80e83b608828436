/** Memberships, judged again for whoever the connection is by now. */

import { describe, expect, it, vi } from "vitest";
import { admissionOf, createFixture, type Fixture, type Peer, type Staff } from "../../../test/connection-fixture.js";
import {
  allowAll,
  deferred,
  groupOf,
  policy,
  requirement,
  template,
  type Deferred,
} from "../../../test/hub-fixture.js";
import type { Policy } from "../auth/policy.js";
import { Publication } from "../publication.js";
import { assigned, groupKey, groupName, type GroupReference } from "./group.js";
import type { Reassessment } from "./groups.js";

/** A group that its department is in, and the names it was asked for. */
const own = (names: string[] = []) =>
  template(
    "ward/{ward}",
    requirement(
      policy<string>("OwnWard", ({ principal }, name) => {
        names.push(name);
        return principal.department === "all" || principal.department === name;
      }),
      (values: { ward: string }) => values.ward,
    ),
  );

/** A group whose rule is asked by hand after the first join. */
function slowGroup(name = "slow"): { group: GroupReference<Staff>; questions: Deferred<boolean>[]; ask(): void } {
  const questions: Deferred<boolean>[] = [];
  let isAsking = false;
  const rule = policy("Slow", () => {
    if (!isAsking) return true;
    const question = deferred<boolean>();
    questions.push(question);
    return question.promise;
  });
  return { group: groupOf(template(name, requirement(rule))), questions, ask: () => (isAsking = true) };
}

function become({ connection }: Peer, department = "all"): void {
  connection.replace(admissionOf({ department }), "reauthenticated");
}

function say({ fanout }: Fixture, event: string, reference: GroupReference<Staff>): void {
  const key = groupKey(undefined, reference);
  fanout(new Publication(event, [], key), { to: "group", key, hub: undefined });
}

function heard({ clock }: Fixture, { said }: Peer): string {
  while (clock.pendingTurn > 0) clock.endTurn();
  return said().replaceAll("([])\n", " ").trim();
}

function isIn({ groups }: Fixture, { connection }: Peer, reference: GroupReference<Staff>): boolean {
  const inGroup = groups.members(groupKey(undefined, reference))?.has(connection) === true;
  expect(connection.memberships.has(groupKey(undefined, reference))).toBe(inGroup);
  return inGroup;
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const names = ({ lost, unanswered }: Reassessment<Staff>): unknown[] => [lost.map(groupName), unanswered];

describe("the observer of memberships", () => {
  it("hears of every one that begins, is asked about, was judged or has ended, behind the change", async () => {
    const heard: string[] = [];
    const fixture: Fixture = createFixture({
      onMembership({ connection, key, reference, judgedVersion }, isHeld) {
        expect(fixture.groups.members(key)?.has(connection) === true).toBe(isHeld);
        expect(connection.memberships.has(key)).toBe(isHeld);
        heard.push(
          `${groupName(reference)} ${isHeld ? (judgedVersion === connection.version ? "in" : "asked") : "out"}`,
        );
      },
    });
    const take = (): string[] => heard.splice(0);
    const peer = fixture.connect({ department: "all" });
    const ward = own();
    const [icu, er] = [groupOf(ward, { ward: "icu" }), groupOf(ward, { ward: "er" })];
    const { group: slow, questions, ask } = slowGroup();
    for (const group of [icu, er, slow]) await fixture.groups.join(peer.connection, group);
    expect(take()).toEqual(["ward/icu in", "ward/er in", "slow in"]);
    ask();
    become(peer, "icu");
    const judging = fixture.groups.judgeAgain(peer.connection);
    expect(take()).toEqual(["ward/icu in", "ward/er out", "slow asked"]);
    questions[0]?.reject(new Error("no directory"));
    await judging;
    expect(take()).toEqual(["slow asked"]);
    const again = fixture.groups.judgeAgain(peer.connection);
    questions[1]?.resolve(true);
    await again;
    expect(take()).toEqual(["slow asked", "slow in"]);
    fixture.groups.leave(peer.connection, icu);
    fixture.groups.leave(peer.connection, icu);
    expect(take()).toEqual(["ward/icu out"]);
    peer.connection.apply({ type: "aborted", reason: "normal" });
    expect(take()).toEqual(["slow out"]);
  });
});

describe("judging memberships again", () => {
  it("asks each group's rule about the new principal, at once, and leaves what it refuses with what it was told", async () => {
    const fixture = createFixture();
    const peer = fixture.connect({ department: "all" });
    const asked: string[] = [];
    const ward = own(asked);
    const [icu, er] = [groupOf(ward, { ward: "icu" }), groupOf(ward, { ward: "er" })];
    for (const group of [icu, er]) await fixture.groups.join(peer.connection, group);
    asked.length = 0;
    say(fixture, "before-er", er);
    say(fixture, "before-icu", icu);
    become(peer, "icu");
    say(fixture, "between-er", er);
    say(fixture, "between-icu", icu);
    const judged = fixture.groups.judgeAgain(peer.connection);
    if (judged instanceof Promise) throw new TypeError("it waited for nobody");
    expect([names(judged), asked]).toEqual([
      [["ward/er"], 0],
      ["icu", "er"],
    ]);
    say(fixture, "after-er", er);
    say(fixture, "after-icu", icu);
    expect(heard(fixture, peer)).toBe("before-icu between-icu after-icu");
    expect([isIn(fixture, peer, icu), isIn(fixture, peer, er)]).toEqual([true, false]);
  });

  it("asks nobody about what was judged for this principal already", async () => {
    const fixture = createFixture();
    const peer = fixture.connect({ department: "all" });
    const asked: string[] = [];
    await fixture.groups.join(peer.connection, groupOf(own(asked), { ward: "icu" }));
    become(peer);
    fixture.groups.judgeAgain(peer.connection);
    expect(fixture.groups.judgeAgain(peer.connection)).toEqual({ lost: [], unanswered: 0 });
    expect(asked).toEqual(["icu", "icu"]);
  });

  it("lets what it asks about wait, group by group, however many others have not answered", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const [one, other] = [slowGroup("one"), slowGroup("other")];
    for (const { group, ask } of [one, other]) {
      await fixture.groups.join(peer.connection, group);
      ask();
    }
    become(peer);
    const judging = fixture.groups.judgeAgain(peer.connection);
    say(fixture, "1", one.group);
    say(fixture, "2", other.group);
    expect(heard(fixture, peer)).toBe("");
    other.questions[0]?.resolve(false);
    one.questions[0]?.resolve(true);
    await settle();
    expect(heard(fixture, peer)).toBe("1");
    expect(names(await judging)).toEqual([["other"], 0]);
  });

  it("has taken a lost group's frames out of everything before it says so", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const { group, questions, ask } = slowGroup();
    await fixture.groups.join(peer.connection, group);
    ask();
    become(peer);
    say(fixture, "held", group);
    peer.socket.stall();
    peer.connection.send({ bytes: new Uint8Array([10]), group: undefined });
    fixture.clock.endTurn();
    const judging = fixture.groups.judgeAgain(peer.connection);
    questions[0]?.resolve(false);
    await judging;
    peer.socket.unstall();
    expect([heard(fixture, peer), isIn(fixture, peer, group)]).toEqual(["", false]);
  });

  it("keeps a membership nobody could judge waiting until somebody can, and what it was told, in order", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const { group, questions, ask } = slowGroup();
    const broken = policy("Broken", () => {
      if (isBroken) throw new Error("no directory");
      return true;
    });
    let isBroken = false;
    const other = groupOf(template("other", requirement(broken)));
    for (const each of [group, other]) await fixture.groups.join(peer.connection, each);
    ask();
    isBroken = true;
    become(peer);
    const judging = fixture.groups.judgeAgain(peer.connection);
    say(fixture, "1", group);
    say(fixture, "2", other);
    questions[0]?.reject(new Error("no directory"));
    expect(names(await judging)).toEqual([[], 2]);
    expect([heard(fixture, peer), isIn(fixture, peer, group), isIn(fixture, peer, other)]).toEqual(["", true, true]);
    isBroken = false;
    const again = fixture.groups.judgeAgain(peer.connection);
    questions[1]?.resolve(true);
    expect([names(await again), heard(fixture, peer)]).toEqual([[[], 0], "2 1"]);
  });

  it("waits no longer than a rule may take, and takes no answer afterwards", async () => {
    const fixture = createFixture({ ruleTimeoutMs: 5_000 });
    const peer = fixture.connect();
    const [silent, quick] = [slowGroup("silent"), slowGroup("quick")];
    for (const { group, ask } of [silent, quick]) {
      await fixture.groups.join(peer.connection, group);
      ask();
    }
    become(peer);
    const judging = fixture.groups.judgeAgain(peer.connection);
    quick.questions[0]?.resolve(false);
    await settle();
    fixture.clock.advance(5_000);
    expect([names(await judging), fixture.clock.pending]).toEqual([[["quick"], 1], 0]);
    silent.questions[0]?.resolve(true);
    await settle();
    say(fixture, "held", silent.group);
    expect([heard(fixture, peer), isIn(fixture, peer, silent.group)]).toEqual(["", true]);
  });

  it("arms no timer where every rule answers at once", async () => {
    const fixture = createFixture({ ruleTimeoutMs: 5_000 });
    const peer = fixture.connect();
    await fixture.groups.join(peer.connection, groupOf(template("open", allowAll)));
    become(peer);
    const arm = vi.spyOn(fixture.clock, "after");
    expect(fixture.groups.judgeAgain(peer.connection)).toEqual({ lost: [], unanswered: 0 });
    expect(arm).not.toHaveBeenCalled();
  });

  it.each<[string, readonly string[], { lost: unknown; isIn: boolean; heard: string }]>([
    [
      "of a principal that was replaced again counts for nothing",
      ["become", "no 0", "yes 1"],
      { lost: [[], []], isIn: true, heard: "a" },
    ],
    [
      "yes of before does not let the next one in either",
      ["become", "yes 0", "no 1"],
      { lost: [[], ["slow"]], isIn: false, heard: "" },
    ],
    ["finds it left", ["leave", "yes 0"], { lost: [[]], isIn: false, heard: "" }],
    ["that refuses finds it left, and nothing was lost", ["leave", "no 0"], { lost: [[]], isIn: false, heard: "" }],
    [
      "finds it left and joined again: that one was judged by itself",
      ["leave", "join", "yes 1", "no 0"],
      { lost: [[]], isIn: true, heard: "" },
    ],
    [
      "comes behind a join that was let in for the same principal",
      ["join", "yes 1", "yes 0"],
      { lost: [[]], isIn: true, heard: "a" },
    ],
    [
      "refuses what a join was let into meanwhile: the last word counts",
      ["join", "yes 1", "no 0"],
      { lost: [["slow"]], isIn: false, heard: "a" },
    ],
    ["finds the connection ended", ["end", "yes 0"], { lost: [[]], isIn: false, heard: "" }],
    ["that refuses finds the connection ended", ["end", "no 0"], { lost: [[]], isIn: false, heard: "" }],
    [
      "finds the connection lapsed: it holds for when it is back",
      ["lapse", "yes 0"],
      { lost: [[]], isIn: true, heard: "" },
    ],
    ["refuses while the connection has lapsed", ["lapse", "no 0"], { lost: [["slow"]], isIn: false, heard: "" }],
  ])("is overtaken: a verdict %s", async (_, moves, expected) => {
    const fixture = createFixture();
    const peer = fixture.connect();
    peer.connection.apply({ type: "refresh-shown" });
    const { group, questions, ask } = slowGroup();
    await fixture.groups.join(peer.connection, group);
    ask();
    const judging: (Reassessment<Staff> | Promise<Reassessment<Staff>>)[] = [];
    const again = (): void => {
      become(peer);
      judging.push(fixture.groups.judgeAgain(peer.connection));
    };
    again();
    say(fixture, "a", group);
    for (const move of moves) {
      const [answer, index] = move.split(" ");
      if (move === "become") again();
      else if (move === "leave") fixture.groups.leave(peer.connection, group);
      else if (move === "join") void fixture.groups.join(peer.connection, group);
      else if (move === "lapse") peer.connection.apply({ type: "expiry-due" });
      else if (move === "end") peer.connection.apply({ type: "peer-closed" });
      else questions[Number(index)]?.resolve(answer === "yes");
      await settle();
      while (fixture.clock.pendingTurn > 0) fixture.clock.endTurn();
    }
    const lost = (await Promise.all(judging)).map((each) => each.lost.map(groupName));
    expect([lost, isIn(fixture, peer, group)]).toEqual([expected.lost, expected.isIn]);
    const said = heard(fixture, peer)
      .split("\n")
      .filter((line) => /^a\b/.test(line));
    expect(said.join()).toBe(expected.heard);
  });

  it("judges a join that was under way for the next principal before it counts", async () => {
    const fixture = createFixture();
    const peer = fixture.connect({ department: "icu" });
    const { group, questions, ask } = slowGroup();
    ask();
    const joining = fixture.groups.join(peer.connection, group);
    become(peer, "er");
    expect(fixture.groups.judgeAgain(peer.connection)).toEqual({ lost: [], unanswered: 0 });
    questions[0]?.resolve(true);
    await settle();
    expect(isIn(fixture, peer, group)).toBe(false);
    questions[1]?.resolve(false);
    await expect(joining).rejects.toMatchObject({ reason: "forbidden" });
  });

  it("keeps what the application itself chose, whoever the connection becomes", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const chosen = groupOf(template("chosen", requirement(assigned as Policy<Staff>)));
    await fixture.groups.join(peer.connection, chosen);
    become(peer, "er");
    say(fixture, "a", chosen);
    expect(fixture.groups.judgeAgain(peer.connection)).toEqual({ lost: [], unanswered: 0 });
    expect([heard(fixture, peer), isIn(fixture, peer, chosen)]).toEqual(["a", true]);
  });

  it("gets through a hundred groups, half of them lost, half of those later", async () => {
    const fixture = createFixture();
    const peer = fixture.connect({ department: "all" });
    const rule = policy<string>("Numbered", ({ principal }, name) => {
      const isAllowed = principal.department === "all" || Number(name) % 2 === 0;
      return Number(name) % 4 < 2 ? isAllowed : Promise.resolve(isAllowed);
    });
    const numbered = template(
      "n/{n}",
      requirement(rule, (values: { n: string }) => values.n),
    );
    const groups = Array.from({ length: 100 }, (_, index) => groupOf(numbered, { n: String(index) }));
    for (const group of groups) await fixture.groups.join(peer.connection, group);
    become(peer, "some");
    for (const [index, group] of groups.entries()) say(fixture, String(index), group);
    const { lost, unanswered } = await fixture.groups.judgeAgain(peer.connection);
    expect([lost.length, unanswered, fixture.groups.size, peer.connection.memberships.size]).toEqual([50, 0, 50, 50]);
    const numbers = heard(fixture, peer).split(" ").map(Number);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => 2 * index));
  });

  it("stops where taking frames out ends the connection", async () => {
    const fixture = createFixture();
    const peer = fixture.connect({ department: "all" });
    const ward = own();
    const [icu, er] = [groupOf(ward, { ward: "icu" }), groupOf(ward, { ward: "er" })];
    for (const group of [icu, er]) await fixture.groups.join(peer.connection, group);
    become(peer, "none");
    peer.connection.evict = () => {
      peer.connection.apply({ type: "aborted", reason: "not_found" });
      return true;
    };
    expect(fixture.groups.judgeAgain(peer.connection)).toEqual({ lost: [icu], unanswered: 0 });
    expect([fixture.groups.size, peer.connection.isActive]).toEqual([0, false]);
  });
});

describe("what was queued before, where nobody can say in time who may see it", () => {
  async function createQueued(queued: number) {
    const fixture = createFixture();
    const peer = fixture.connect({ department: "all" });
    peer.connection.subscribe();
    const { group, questions, ask } = slowGroup();
    await fixture.groups.join(peer.connection, group);
    ask();
    for (let count = 0; count < queued; count++) say(fixture, "queued", group);
    become(peer);
    /** What the rule answers, undefined for nothing in time. */
    const judge = async (answer: boolean | undefined): Promise<unknown> => {
      const judging = fixture.groups.judgeAgain(peer.connection);
      if (answer === undefined) questions.at(-1)?.reject(new Error("no directory"));
      else questions.at(-1)?.resolve(answer);
      return names(await judging);
    };
    return { fixture, peer, group, judge };
  }

  it("is not said, and told how much that was", async () => {
    const { fixture, peer, group, judge } = await createQueued(2);
    expect(await judge(undefined)).toEqual([[], 1]);
    say(fixture, "later", group);
    const meanwhile = heard(fixture, peer);
    expect(meanwhile).toContain('{"kind":"gap","dropped":2,"groups":["slow"]}');
    expect(meanwhile).not.toMatch(/queued|later/);
    await judge(true);
    const said = heard(fixture, peer);
    expect(said).toContain("later");
    expect(said).not.toContain("queued");
  });

  it("is forgotten where somebody says no", async () => {
    const { fixture, peer, group, judge } = await createQueued(1);
    await judge(undefined);
    await judge(false);
    expect(isIn(fixture, peer, group)).toBe(false);
    expect(heard(fixture, peer)).not.toContain("queued");
  });
});
