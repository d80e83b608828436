/**
 * Roles that flip, joins, leaves, publications, stalls and rechecks in any order: once a recheck has resolved, no frame
 * of a group that the directory's roles do not allow is written, until the group is allowed again.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { text, type Peer } from "../../../test/connection-fixture.js";
import { groupOf, policy, requirement, template } from "../../../test/hub-fixture.js";
import { createRecheckBench, settle, type RecheckBench } from "../../../test/recheck-fixture.js";
import { groupKey, type GroupKey } from "../groups/group.js";
import { Publication } from "../publication.js";

const NAMES = ["red", "blue"] as const;
type Name = (typeof NAMES)[number];

type Step =
  | { readonly do: "flip" | "join" | "leave" | "publish"; readonly name: Name }
  | { readonly do: "recheck" | "answer" | "rule" | "stall" | "unstall" | "turn" | "settle" | "confirm" };

const stepOf: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("flip", "join", "leave", "publish"), name: fc.constantFrom(...NAMES) }),
  fc.record({ do: fc.constantFrom("recheck", "answer", "rule", "stall", "unstall", "turn", "settle", "confirm") }),
);

/** What it leaves out of the promise, so that the checker can be seen to catch it. */
type Fault = "none" | "no eviction" | "resolves too early" | "the old principal stays";

/** Runs the steps; gives what was written against the promise. */
async function run(steps: readonly Step[], fault: Fault): Promise<readonly string[]> {
  const bench = createRecheckBench();
  const rules: (() => void)[] = [];
  const references = new Map(
    NAMES.map((name) => [
      name,
      groupOf(
        template(
          name,
          requirement(
            policy(`May ${name}`, async ({ principal }) => {
              const isAllowed = principal.hasRole(name);
              await new Promise<void>((resolve) => void rules.push(resolve));
              return isAllowed;
            }),
          ),
        ),
      ),
    ]),
  );
  const keys = new Map<Name, GroupKey>(NAMES.map((name) => [name, groupKey(undefined, reference(name))]));
  function reference(name: Name) {
    const found = references.get(name);
    if (found === undefined) throw new TypeError("no such group");
    return found;
  }
  let roles = new Set<Name>(NAMES);
  const tell = (): void => void bench.directory.set("ann", { roles: [...roles] });
  tell();
  const peer = bench.join("ann", { roles: [...NAMES] });
  if (fault === "no eviction") peer.connection.evict = () => false;
  if (fault === "the old principal stays") {
    const { identify } = bench.admitter;
    const first = identify(peer.connection.authentication);
    Object.assign(bench.admitter, { identify: () => first });
  }
  bench.isSlow = true;

  /** Groups a recheck that has resolved has said no to, and nobody yes since. */
  const barred = new Set<Name>();
  const violations: string[] = [];
  let allowedSince = 0;
  spyOnWrites(peer, (words) => {
    for (const name of barred) if (words.includes(`${name}(`)) violations.push(words);
  });
  const pending: Promise<unknown>[] = [];

  async function recheck(): Promise<void> {
    // What the directory says from now on, unless it says something else meanwhile.
    const before = new Set(roles);
    const flips = allowedSince;
    if (fault === "resolves too early") void bench.recheck.run(peer.connection);
    else await bench.recheck.run(peer.connection);
    if (flips !== allowedSince) return;
    for (const name of NAMES) if (!before.has(name)) barred.add(name);
  }

  async function take(step: Step): Promise<void> {
    switch (step.do) {
      case "flip":
        roles = new Set(roles);
        if (!roles.delete(step.name)) {
          roles.add(step.name);
          barred.delete(step.name);
        }
        allowedSince++;
        return tell();
      case "join":
        return void pending.push(bench.groups.join(peer.connection, reference(step.name)).catch(() => undefined));
      case "leave":
        return void bench.groups.leave(peer.connection, reference(step.name));
      case "publish":
        return publish(bench, step.name, keys.get(step.name) as GroupKey);
      case "recheck":
        return void pending.push(recheck());
      case "answer":
        bench.waiting.shift()?.();
        return settle();
      case "rule":
        rules.shift()?.();
        return settle();
      case "stall":
        return peer.socket.stall();
      case "unstall":
        return peer.socket.unstall();
      case "turn":
        return void bench.clock.endTurn();
      case "settle":
        return settle();
      case "confirm":
        return void peer.socket.confirm();
    }
  }

  for (const step of steps) await take(step);
  peer.socket.unstall();
  for (let round = 0; round < 20; round++) {
    for (const answer of [...bench.waiting.splice(0), ...rules.splice(0)]) answer();
    await settle();
    for (const name of NAMES) publish(bench, name, keys.get(name) as GroupKey);
    bench.clock.endTurn();
  }
  await Promise.all(pending);
  expect(bench.unexpected).toEqual([]);
  return violations;
}

function publish({ fanout }: RecheckBench, name: Name, key: GroupKey): void {
  fanout(new Publication(name, [], key), { to: "group", key, hub: undefined });
}

/** Hears every write when it happens. */
function spyOnWrites({ socket }: Peer, hear: (words: string) => void): void {
  const write = socket.write.bind(socket);
  socket.write = (bytes, confirm) => {
    hear(text(bytes));
    write(bytes, confirm);
  };
}

/** In every group, with something queued: where losing one can go wrong. */
const opening: readonly Step[] = [
  { do: "join", name: "red" },
  { do: "join", name: "blue" },
  { do: "rule" },
  { do: "rule" },
  { do: "settle" },
];

describe("after a recheck has resolved", () => {
  it("no frame of a lost group is written, whatever happened around it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepOf, { maxLength: 40 }), async (steps) => {
        expect(await run([...opening, ...steps], "none")).toEqual([]);
      }),
      { numRuns: 250 },
    );
  });

  it.each<Fault>(["no eviction", "resolves too early", "the old principal stays"])(
    "the checker catches %s",
    async (fault) => {
      const found = await fc.check(
        fc.asyncProperty(fc.array(stepOf, { maxLength: 40 }), async (steps) => {
          expect(await run([...opening, ...steps], fault)).toEqual([]);
        }),
        { numRuns: 1_000, seed: 7, endOnFailure: true },
      );
      expect(found.failed).toBe(true);
    },
  );
});
