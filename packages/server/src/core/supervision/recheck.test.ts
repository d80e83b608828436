import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { admissionOf, type Peer, type Staff } from "../../../test/connection-fixture.js";
import { groupOf, policy, requirement, template } from "../../../test/hub-fixture.js";
import { createRecheckBench, settle, type Answer, type RecheckBench } from "../../../test/recheck-fixture.js";
import { readInstant } from "../clock.js";
import { groupKey } from "../groups/group.js";
import { Publication } from "../publication.js";
import { MAX_PARALLEL_RECHECKS } from "./recheck.js";

const nurses = requirement(policy("Nurses", ({ principal }) => principal.hasRole("nurse")));
const ward = groupOf(template("ward", nurses));
const wardKey = groupKey(undefined, ward);

function publish({ fanout }: RecheckBench, event: string): void {
  fanout(new Publication(event, [], wardKey), { to: "group", key: wardKey, hub: undefined });
}

function endingOf({ socket }: Peer): string | undefined {
  return socket.closed?.reason ?? (socket.isReset ? "reset" : undefined);
}

/** What an unfinished promise has come to. */
async function watchOf<T>(promise: Promise<T>): Promise<{ readonly value: T | undefined }> {
  const watch: { value: T | undefined } = { value: undefined };
  void promise.then((value) => (watch.value = value));
  await settle();
  return watch;
}

describe("a recheck", () => {
  it("changes nothing about who still may do what they do", async () => {
    const bench = createRecheckBench();
    const peer = bench.join("nurse-7");
    await bench.groups.join(peer.connection, ward);
    expect(await bench.recheck.run(peer.connection)).toEqual({ result: "holds", lost: 0 });
    publish(bench, "vitals");
    bench.clock.endTurn();
    expect([peer.said(), peer.connection.version, peer.connection.standing]).toEqual(["vitals([])\n", 2, 0]);
  });

  it("takes a membership away with all that is queued for it, and leaves the rest", async () => {
    const bench = createRecheckBench();
    const peer = bench.join("nurse-7");
    await bench.groups.join(peer.connection, ward);
    bench.directory.set("nurse-7", { roles: ["doctor"] });
    bench.isSlow = true;
    const rechecking = bench.recheck.run(peer.connection);
    await settle();
    publish(bench, "secret");
    peer.connection.deliver(new Publication("hello", [], undefined), undefined);
    bench.waiting.shift()?.();
    expect(await rechecking).toEqual({ result: "holds", lost: 1 });
    publish(bench, "later");
    bench.clock.endTurn();
    expect(peer.said()).toBe("hello([])\n");
    expect(peer.connection.admission.principal.roles).toEqual(["doctor"]);
    expect(bench.of("membership.lost")).toMatchObject([{ groups: ["ward"] }]);
  });

  it("resolves only when what a busy socket holds has left", async () => {
    const bench = createRecheckBench();
    const peer = bench.join("nurse-7");
    await bench.groups.join(peer.connection, ward);
    peer.socket.stall();
    publish(bench, "under way");
    bench.clock.endTurn();
    bench.directory.set("nurse-7", { roles: [] });
    const watch = await watchOf(bench.recheck.run(peer.connection));
    expect([watch.value, bench.groups.members(wardKey)]).toEqual([undefined, undefined]);
    peer.socket.unstall();
    await settle();
    expect(watch.value).toEqual({ result: "holds", lost: 1 });
  });

  const verdicts: readonly (readonly [string, Answer, string, string | undefined])[] = [
    ["knows nobody of that name", null, "ended", "forbidden"],
    ["says that the account is closed", new HubwardError("account_disabled"), "ended", "account_disabled"],
    ["wants a new credential", new HubwardError("reauth_required"), "ended", "reauth_required;action=refresh"],
    [
      "addresses them otherwise",
      { roles: ["nurse"], principalId: "badge-1" },
      "ended",
      "reauth_required;action=refresh",
    ],
    ["fails", new Error("down"), "unavailable", undefined],
    ["says it is not there", new HubwardError("auth_unavailable"), "unavailable", undefined],
    ["says it is busy", new HubwardError("rate_limited"), "unavailable", undefined],
  ];

  it.each(verdicts)("by a mapping that %s", async (_, answer, result, reason) => {
    const bench = createRecheckBench();
    const peer = bench.join("nurse-7");
    bench.directory.set("nurse-7", answer);
    expect(await bench.recheck.run(peer.connection)).toEqual({ result, lost: 0 });
    expect(endingOf(peer)).toBe(reason);
    expect(peer.connection.lapse).toBe(result === "unavailable" ? "auth_unavailable" : undefined);
    expect(bench.unexpected).toEqual([]);
  });

  it.each([
    ["refuses", () => false, "ended", undefined],
    ["throws", () => Promise.reject(new Error("no engine")), "unavailable", "auth_unavailable"],
  ])("by a policy of the hub that %s", async (_, check, result, lapse) => {
    const bench = createRecheckBench({ requirements: [requirement(policy("Hub", check))] });
    const peer = bench.join("nurse-7");
    expect(await bench.recheck.run(peer.connection)).toEqual({ result, lost: 0 });
    expect([peer.connection.lapse, endingOf(peer)]).toEqual([lapse, lapse ? undefined : "forbidden"]);
  });

  it("that nobody can answer holds everything back, and is asked again until somebody can", async () => {
    const bench = createRecheckBench();
    const peer = bench.join("nurse-7");
    await bench.groups.join(peer.connection, ward);
    bench.directory.set("nurse-7", new Error("down"));
    publish(bench, "queued");
    expect(await bench.recheck.run(peer.connection)).toEqual({ result: "unavailable", lost: 0 });
    publish(bench, "held");
    expect(peer.connection.refusal()?.reason).toBe("auth_unavailable");
    bench.clock.advance(1_000);
    await settle();
    bench.clock.endTurn();
    expect(peer.said()).toMatch(/^notice .*auth_unavailable.*\n$/);
    expect(bench.lookUps.length).toBe(2);
    bench.directory.set("nurse-7", { roles: ["nurse"] });
    bench.clock.advance(1_999);
    await settle();
    expect(bench.lookUps.length).toBe(2);
    bench.clock.advance(1);
    await settle();
    bench.clock.endTurn();
    expect(peer.said()).toMatch(/queued\(\[\]\)\nheld\(\[\]\)\n$/);
    expect([peer.connection.lapse, bench.clock.pending, bench.reports.slice(1)]).toEqual([
      undefined,
      0,
      ["lapsed c1 auth_unavailable", "restored c1"],
    ]);
  });

  it("that nobody can answer for the whole grace ends the connection, and is not asked any more", async () => {
    const bench = createRecheckBench();
    const peer = bench.join("nurse-7");
    bench.directory.set("nurse-7", new Error("down"));
    await bench.recheck.run(peer.connection);
    for (let second = 0; second < 10; second++) {
      bench.clock.advance(1_000);
      await settle();
      peer.connection.beat(readInstant(bench.clock));
    }
    expect([endingOf(peer), bench.lookUps.length]).toEqual(["auth_unavailable;action=retry-after", 4]);
    bench.clock.advance(60_000);
    await settle();
    expect([bench.clock.pending, bench.lookUps.length]).toEqual([0, 4]);
  });

  it("whose mapping never answers is unavailable at the deadline, and a late yes or failure changes nothing", async () => {
    const bench = createRecheckBench({ timeoutMs: 1_000 });
    const peers = [bench.join("nurse-7"), bench.join("nurse-8")];
    bench.directory.set("nurse-8", new Error("too late"));
    bench.isSlow = true;
    const rechecks = peers.map(({ connection }) => bench.recheck.run(connection));
    await settle();
    bench.clock.advance(1_000);
    expect((await Promise.all(rechecks)).map(({ result }) => result)).toEqual(["unavailable", "unavailable"]);
    for (const answer of bench.waiting.splice(0)) answer();
    await settle();
    expect(peers.map(({ connection }) => [connection.lapse, connection.version])).toEqual([
      ["auth_unavailable", 1],
      ["auth_unavailable", 1],
    ]);
    expect(bench.failures.map(([where, error]) => [where, String(error)])).toEqual([
      ["principal", "Error: no answer within 1000 ms"],
      ["principal", "Error: no answer within 1000 ms"],
    ]);
  });

  it("of a membership that nobody can judge leaves it waiting", async () => {
    let isDown = false;
    const moody = groupOf(
      template(
        "moody",
        requirement(policy("Moody", () => (isDown ? Promise.reject(new Error("down")) : Promise.resolve(true)))),
      ),
    );
    const bench = createRecheckBench();
    const peer = bench.join("nurse-7");
    await bench.groups.join(peer.connection, moody);
    isDown = true;
    expect(await bench.recheck.run(peer.connection)).toEqual({ result: "unavailable", lost: 0 });
    const key = groupKey(undefined, moody);
    bench.fanout(new Publication("waits", [], key), { to: "group", key, hub: undefined });
    bench.clock.endTurn();
    expect([peer.said(), peer.connection.isActive]).toEqual(["", true]);
    isDown = false;
    bench.clock.advance(1_000);
    await settle();
    bench.clock.endTurn();
    expect(peer.said()).toBe("waits([])\n");
  });
});

describe("rechecks of one connection", () => {
  it("are one at a time: who asks meanwhile gets one more, together", async () => {
    const bench = createRecheckBench();
    const { connection } = bench.join("nurse-7");
    bench.isSlow = true;
    const first = await watchOf(bench.recheck.run(connection));
    bench.directory.set("nurse-7", null);
    const others = await watchOf(
      Promise.all([bench.recheck.run(connection), bench.recheck.run(connection), bench.recheck.run(connection)]),
    );
    expect(bench.lookUps.length).toBe(1);
    bench.waiting.shift()?.();
    await settle();
    // What was asked first knew nothing of the change; who asked behind it waits for what does.
    expect([first.value?.result, others.value, bench.lookUps.length]).toEqual(["holds", undefined, 2]);
    bench.waiting.shift()?.();
    await settle();
    expect(others.value).toEqual([
      { result: "ended", lost: 0 },
      { result: "ended", lost: 0 },
      { result: "ended", lost: 0 },
    ]);
    expect([bench.lookUps.length, bench.recheck.isRunning(connection)]).toEqual([2, false]);
  });

  it.each([
    ["before", "holds", undefined],
    ["behind", "gone", "normal"],
  ] as const)("and an end of its own that comes %s it", async (when, result, reason) => {
    const bench = createRecheckBench();
    const { connection } = bench.join("nurse-7");
    bench.isSlow = true;
    const rechecking = bench.recheck.run(connection);
    await settle();
    if (when === "behind") connection.apply({ type: "socket-closed" });
    bench.waiting.shift()?.();
    expect(await rechecking).toEqual({ result, lost: 0 });
    expect(connection.refusal()?.reason).toBe(reason);
  });
});

describe("a recheck and a re-authentication", () => {
  const later = (bench: RecheckBench, roles: readonly string[], askedAt?: number) =>
    Object.freeze({ ...admissionOf({ subject: "nurse-7", roles, expiresAt: bench.clock.now() + 9_000_000 }), askedAt });

  it("the newer credential stands where it was mapped since", async () => {
    const bench = createRecheckBench();
    const { connection } = bench.join("nurse-7");
    bench.isSlow = true;
    const rechecking = bench.recheck.run(connection);
    await settle();
    const newer = later(bench, ["doctor"], bench.admitter.asked + 1);
    connection.replace(newer, "reauthenticated");
    bench.waiting.shift()?.();
    expect(await rechecking).toEqual({ result: "holds", lost: 0 });
    expect([connection.admission, bench.lookUps.length]).toEqual([newer, 1]);
  });

  it("the newer credential is asked about itself where it was mapped before", async () => {
    const bench = createRecheckBench();
    const { connection } = bench.join("nurse-7");
    bench.isSlow = true;
    const rechecking = bench.recheck.run(connection);
    await settle();
    const newer = later(bench, ["doctor"]);
    expect(bench.recheck.isOutdated(connection, newer)).toBe(true);
    connection.replace(newer, "reauthenticated");
    bench.waiting.shift()?.();
    await settle();
    bench.waiting.shift()?.();
    expect(await rechecking).toEqual({ result: "holds", lost: 0 });
    expect(connection.admission.principal.roles).toEqual(["nurse"]);
    expect(connection.authentication).toBe(newer.authentication);
  });

  it("end as a lapse where credentials come faster than answers", async () => {
    const bench = createRecheckBench();
    const { connection } = bench.join("nurse-7");
    bench.isSlow = true;
    const rechecking = bench.recheck.run(connection);
    for (let count = 0; count < 3; count++) {
      await settle();
      connection.replace(later(bench, ["nurse"]), "reauthenticated");
      bench.waiting.shift()?.();
    }
    expect(await rechecking).toEqual({ result: "unavailable", lost: 0 });
    expect(connection.lapse).toBe("auth_unavailable");
  });

  it("one that restored the connection ends the asking again", async () => {
    const bench = createRecheckBench();
    const { connection } = bench.join("nurse-7");
    bench.directory.set("nurse-7", new Error("down"));
    await bench.recheck.run(connection);
    connection.replace(later(bench, ["nurse"], bench.admitter.asked + 1), "reauthenticated");
    bench.clock.advance(60_000);
    await settle();
    expect([bench.lookUps.length, connection.isActive, bench.clock.pending]).toEqual([1, true, 0]);
  });

  it("waits for the verdicts about the principal that took its place meanwhile", async () => {
    const answers: ((allowed: boolean) => void)[] = [];
    const slow = groupOf(
      template(
        "slow",
        requirement(policy("Slow", () => new Promise<boolean>((resolve) => void answers.push(resolve)))),
      ),
    );
    const bench = createRecheckBench();
    const { connection } = bench.join("nurse-7");
    const joining = bench.groups.join(connection, slow);
    answers.shift()?.(true);
    await joining;
    const watch = await watchOf(bench.recheck.run(connection));
    connection.replace(later(bench, ["doctor"], bench.admitter.asked + 1), "reauthenticated");
    answers.shift()?.(true);
    await settle();
    expect([watch.value, connection.memberships.size]).toEqual([undefined, 1]);
    answers.shift()?.(false);
    await settle();
    expect([watch.value, connection.memberships.size]).toEqual([{ result: "holds", lost: 1 }, 0]);
  });
});

describe("rechecks of many connections", () => {
  it("ask a bounded number at a time, all of them in the end", async () => {
    const bench = createRecheckBench();
    const peers = Array.from({ length: 100 }, (_, index) => bench.join(`nurse-${index}`));
    bench.isSlow = true;
    const all = Promise.all(peers.map(({ connection }) => bench.recheck.run(connection)));
    await settle();
    let most = 0;
    while (bench.waiting.length > 0) {
      most = Math.max(most, bench.waiting.length);
      bench.waiting.shift()?.();
      await settle();
    }
    expect(most).toBe(MAX_PARALLEL_RECHECKS);
    expect(new Set(bench.lookUps).size).toBe(100);
    expect((await all).every(({ result }) => result === "holds")).toBe(true);
  });

  it("ask once for those that share a token, and for each token apart", async () => {
    const bench = createRecheckBench();
    const tokens = ["a", "a", "b", "a", undefined, undefined];
    const peers = tokens.map((tokenId) => bench.join("nurse-7", { tokenId }));
    await Promise.all(peers.map(({ connection }) => bench.recheck.run(connection)));
    expect(bench.lookUps.length).toBe(4);
    // The next recheck must not be told what this one was.
    await Promise.all(peers.slice(0, 2).map(({ connection }) => bench.recheck.run(connection)));
    expect(bench.lookUps.length).toBe(5);
  });

  it("do not give who asks later an answer to a question from before", async () => {
    const bench = createRecheckBench();
    const [one, two] = [bench.join("nurse-7", { tokenId: "a" }), bench.join("nurse-7", { tokenId: "a" })];
    bench.isSlow = true;
    const first = bench.recheck.run(one.connection);
    await settle();
    bench.directory.set("nurse-7", null);
    const second = bench.recheck.run(two.connection);
    await settle();
    for (const answer of bench.waiting.splice(0)) answer();
    expect([(await first).result, (await second).result]).toEqual(["holds", "ended"]);
  });

  it("do not wait for one slow reader before they ask about the others", async () => {
    const bench = createRecheckBench();
    const peers = Array.from({ length: MAX_PARALLEL_RECHECKS + 1 }, (_, index) => bench.join(`nurse-${index}`));
    for (const { connection, socket } of peers.slice(0, MAX_PARALLEL_RECHECKS)) {
      socket.stall();
      connection.deliver(new Publication("big", [], undefined), undefined);
    }
    bench.clock.endTurn();
    const rechecks = peers.map(({ connection }) => watchOf(bench.recheck.run(connection)));
    await settle();
    const values = (await Promise.all(rechecks)).map(({ value }) => value?.result);
    expect(values.filter((value) => value === "holds")).toEqual(["holds"]);
  });
});

it("an admission asked for before its connection's recheck is outdated, a later one is not", async () => {
  const bench = createRecheckBench();
  const { connection } = bench.join("nurse-7");
  const before = await bench.admitter.identify(connection.authentication);
  expect(bench.recheck.isOutdated(connection, before)).toBe(false);
  await bench.recheck.run(connection);
  const after = await bench.admitter.identify(connection.authentication);
  const outdated = [before, after].map((admission) => bench.recheck.isOutdated(connection, admission as never));
  expect(outdated).toEqual([true, false]);
  expect((connection.admission.principal satisfies Staff).subject).toBe("nurse-7");
});
