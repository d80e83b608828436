import { recordingTelemetry } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { admissionOf, createFixture, type Peer, type Staff } from "../../../test/connection-fixture.js";
import { groupOf, policy, requirement, template } from "../../../test/hub-fixture.js";
import { groupKey } from "../groups/group.js";
import { Publication } from "../publication.js";
import { createReassessment } from "./reassessment.js";

type Answer = "yes" | "no" | "nobody knows" | "never";

async function createBench() {
  const fixture = createFixture({ ruleTimeoutMs: 5_000 });
  const { clock, groups } = fixture;
  const { telemetry, of } = recordingTelemetry();
  const reassess = createReassessment<Staff>({ clock, groups, telemetry });
  let answer: Answer = "yes";
  let asked = 0;
  const rule = policy("Moody", () => {
    asked++;
    if (answer === "never") return new Promise<boolean>(() => undefined);
    if (answer === "nobody knows") return Promise.reject(new Error("no directory"));
    return Promise.resolve(answer === "yes");
  });
  const moody = groupOf(template("moody", requirement(rule)));
  const peer = fixture.connect();
  peer.connection.subscribe();
  await groups.join(peer.connection, moody);
  asked = 0;
  return {
    ...fixture,
    of,
    peer,
    reassess,
    become(next: Answer) {
      answer = next;
      peer.connection.replace(admissionOf(), "reauthenticated");
      return reassess(peer.connection).then(({ lost }) => lost);
    },
    answers(next: Answer) {
      answer = next;
    },
    asked: () => asked,
    isIn: () => groups.members(groupKey(undefined, moody))?.has(peer.connection) === true,
    say(event: string) {
      const key = groupKey(undefined, moody);
      fixture.fanout(new Publication(event, [], key), { to: "group", key, hub: undefined });
    },
    heard(): string {
      while (clock.pendingTurn > 0) clock.endTurn();
      return peer.said();
    },
    /** Lets time pass, and promises do what they have to. */
    async pass(ms: number) {
      clock.advance(ms);
      await settle();
    },
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("what a connection is left with", () => {
  it("is told to it and to the log, by the groups' names, and arms nothing", async () => {
    const { become, heard, of, clock, isIn, peer } = await createBench();
    const lost = await become("no");
    expect([lost.length, isIn(), clock.pending]).toEqual([1, false, 0]);
    expect(heard()).toContain(`notice ${JSON.stringify({ kind: "memberships-changed", gained: [], lost: ["moody"] })}`);
    expect(of("membership.lost")).toEqual([
      {
        event: "membership.lost",
        connectionId: peer.connection.id,
        hub: "/hubs/ward",
        subject: "nurse-7",
        groups: ["moody"],
      },
    ]);
  });

  it("is nothing to tell where everything holds", async () => {
    const { become, heard, of, clock, isIn } = await createBench();
    expect([await become("yes"), isIn(), of("membership.lost"), clock.pending]).toEqual([[], true, [], 0]);
    expect(heard()).not.toContain("memberships-changed");
  });

  it("is asked about again, less and less often, until somebody can say: what it was told waits", async () => {
    const { become, answers, asked, pass, say, heard, clock } = await createBench();
    expect(await become("nobody knows")).toEqual([]);
    say("held");
    let expected = 1;
    for (const delayMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      await pass(delayMs - 1);
      expect(asked()).toBe(expected);
      await pass(1);
      expect([asked(), clock.pending]).toEqual([++expected, 1]);
    }
    expect(heard()).not.toContain("held");
    answers("yes");
    await pass(30_000);
    expect([heard().includes("held"), clock.pending]).toEqual([true, 0]);
  });

  it("is not told as lost where it is in again before every rule has answered", async () => {
    const { become, groups, peer, pass, heard } = await createBench();
    let isOpen = true;
    const quick = groupOf(template("quick", requirement(policy("Open", () => isOpen))));
    await groups.join(peer.connection, quick);
    isOpen = false;
    const reassessed = become("never");
    isOpen = true;
    await groups.join(peer.connection, quick);
    await pass(5_000);
    expect(await reassessed).toEqual([quick]);
    expect(groups.members(groupKey(undefined, quick))?.has(peer.connection)).toBe(true);
    expect(heard()).not.toContain("memberships-changed");
  });

  it("may turn out to be less at the second try", async () => {
    const { become, answers, pass, isIn, heard, of } = await createBench();
    await become("nobody knows");
    answers("no");
    await pass(1_000);
    expect([isIn(), of("membership.lost").length]).toEqual([false, 1]);
    expect(heard()).toContain("memberships-changed");
  });

  it("is not waited for longer than a rule may take: one that does not answer is asked again", async () => {
    const { become, answers, asked, pass, isIn, clock, failures } = await createBench();
    let isDone = false;
    const judging = become("never").then((lost) => (isDone = lost.length === 0));
    await pass(4_999);
    expect(isDone).toBe(false);
    await pass(1);
    await judging;
    expect([isDone, isIn(), asked(), clock.pending]).toEqual([true, true, 1, 1]);
    expect(failures.map(([where]) => where)).toEqual(["Moody"]);
    answers("no");
    await pass(1_000);
    expect([asked(), isIn(), clock.pending]).toEqual([2, false, 0]);
  });

  it("is somebody else's business once the principal is replaced again", async () => {
    const { become, asked, pass, clock } = await createBench();
    await become("nobody knows");
    await become("yes");
    expect(asked()).toBe(2);
    await pass(60_000);
    expect([asked(), clock.pending]).toEqual([2, 0]);
  });

  it("is not judged by one that was overtaken while its rule was asked", async () => {
    const { become, asked, pass, isIn, clock } = await createBench();
    const first = become("nobody knows");
    const second = become("yes");
    expect([await first, await second]).toEqual([[], []]);
    await pass(60_000);
    expect([asked(), isIn(), clock.pending]).toEqual([2, true, 0]);
  });

  it.each<[string, (peer: Peer) => void]>([
    ["is told to go", ({ connection }) => connection.apply({ type: "revoked", reason: "session_revoked" })],
    ["lost its socket", ({ socket }) => socket.end()],
  ])("is nothing for a connection that %s: nobody is asked, no timer stays", async (_, end) => {
    const { become, asked, pass, peer, clock } = await createBench();
    await become("nobody knows");
    end(peer);
    await pass(1_000);
    expect([asked(), clock.pending]).toEqual([1, 0]);
    const other = await createBench();
    const judging = other.become("nobody knows");
    end(other.peer);
    expect(await judging).toEqual([]);
    expect([other.asked(), other.clock.pending]).toEqual([1, 0]);
  });

  it("goes on to be asked about while the connection has lapsed", async () => {
    const { become, answers, asked, pass, say, heard, peer, clock } = await createBench();
    await become("nobody knows");
    say("held");
    peer.connection.apply({ type: "claims-changed" });
    answers("yes");
    await pass(1_000);
    expect([asked(), heard().includes("held"), clock.pending]).toEqual([2, false, 0]);
  });
});
