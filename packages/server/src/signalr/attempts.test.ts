import { createFakeClock, createSeededRandom } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { admissionOf, type Staff } from "../../test/connection-fixture.js";
import { createTickets } from "../core/auth/tickets.js";
import type { ConnectionId } from "../core/ids.js";
import { createAttempts, type AttemptOptions, type Holder } from "./attempts.js";

const HUB = "/hubs/ward";

function createFixture(options: AttemptOptions = {}) {
  const clock = createFakeClock();
  const attempts = createAttempts<Staff>(clock, options);
  const add = (connectionToken: string, hub = HUB): string =>
    attempts.add({
      connectionToken,
      connectionId: `id of ${connectionToken}` as ConnectionId,
      hub,
      holder: { kind: "admitted", admission: admissionOf() },
      ticket: undefined,
    });
  const find = (connectionToken: string, hub = HUB) => attempts.find(connectionToken, hub);
  return { clock, attempts, add, find };
}

describe("connect attempts", () => {
  it("are found by token and hub, by nothing else", () => {
    const { add, find } = createFixture();
    add("a");
    expect(find("a")).toMatchObject({ connectionToken: "a", connectionId: "id of a", isAttached: false });
    for (const token of ["A", "id of a", "", "__proto__", "constructor"]) expect(find(token)).toBeUndefined();
    expect(find("a", "/hubs/other")).toBeUndefined();
  });

  it("are claimed by one transport", () => {
    const { add, attempts, find } = createFixture();
    add("a");
    const attempt = find("a");
    if (attempt === undefined) throw new RangeError("not found");
    expect([
      attempts.attach({ ...attempt }, "WebSockets"),
      attempts.attach(attempt, "WebSockets"),
      attempts.attach(attempt, "WebSockets"),
    ]).toEqual([false, true, false]);
    expect(find("a")).toMatchObject({ isAttached: true });
    attempts.end("a");
    expect([find("a"), attempts.attach(attempt, "WebSockets"), attempts.size]).toEqual([undefined, false, 0]);
  });

  it("wait for a transport for 30 s, and keep it for as long as it lasts", () => {
    const { clock, add, attempts, find } = createFixture();
    add("taken");
    add("late");
    const taken = find("taken");
    const late = find("late");
    if (taken === undefined || late === undefined) throw new RangeError("not found");
    attempts.attach(taken, "WebSockets");
    clock.advance(29_999);
    expect(find("late")).toBe(late);
    clock.advance(1);
    expect([find("late"), attempts.attach(late, "WebSockets")]).toEqual([undefined, false]);
    clock.advance(86_400_000);
    expect(find("taken")).toBe(taken);
  });

  it("of one ticket run out together, whenever they were added", () => {
    const { clock, attempts, find } = createFixture();
    const ports = { clock, random: createSeededRandom(1), digest: (secret: string) => secret };
    const holder = { kind: "admitted", admission: admissionOf() } as const;
    const ticket = createTickets<Holder<Staff>>(ports).issue(HUB, holder)?.ticket;
    if (ticket === undefined) throw new RangeError("no room");
    const add = (connectionToken: string) =>
      attempts.add({ connectionToken, connectionId: connectionToken as ConnectionId, hub: HUB, holder, ticket });
    add("first");
    clock.advance(29_000);
    expect(add("second")).toBe("added");
    clock.advance(999);
    expect([find("first"), find("second")]).toMatchObject([{ ticket }, { ticket }]);
    clock.advance(1);
    expect([find("first"), find("second")]).toEqual([undefined, undefined]);
  });

  it("are limited while they wait; claimed ones and late ones make room", () => {
    const { clock, add, attempts, find } = createFixture({ maxWaiting: 2, attachMs: 1_000 });
    expect([add("a"), add("b"), add("c")]).toEqual(["added", "added", "full"]);
    const a = find("a");
    if (a === undefined) throw new RangeError("not found");
    attempts.attach(a, "WebSockets");
    expect([add("c"), add("d"), attempts.waiting, attempts.size]).toEqual(["added", "full", 2, 3]);
    clock.advance(1_000);
    expect([add("d"), attempts.waiting, attempts.size]).toEqual(["added", 1, 2]);
  });

  it("are limited per identity, so that one cannot use up what all need", () => {
    const { add, attempts, find } = createFixture({ maxWaitingPerIdentity: 2 });
    expect([add("a"), add("b"), add("c")]).toEqual(["added", "added", "over-share"]);
    attempts.end("a");
    expect([add("c"), add("d")]).toEqual(["added", "over-share"]);
    const b = find("b");
    if (b === undefined) throw new RangeError("not found");
    attempts.attach(b, "WebSockets");
    expect([add("d"), add("e")]).toEqual(["added", "over-share"]);
  });

  it("that wait again do not outlive their time behind younger ones", () => {
    const { clock, add, attempts, find } = createFixture({ attachMs: 1_000 });
    add("a");
    const a = find("a");
    if (a === undefined) throw new RangeError("not found");
    attempts.attach(a, "WebSockets");
    clock.advance(400);
    add("younger");
    attempts.detach("a");
    clock.advance(599);
    expect(find("a")).toBe(a);
    clock.advance(1);
    expect([find("a"), find("younger")?.connectionToken]).toEqual([undefined, "younger"]);
  });

  it("may be claimed again when their transport was refused, but no longer than before", () => {
    const { clock, add, attempts, find } = createFixture({ attachMs: 1_000 });
    add("a");
    const a = find("a");
    if (a === undefined) throw new RangeError("not found");
    expect([attempts.attach(a, "WebSockets"), attempts.attach(a, "WebSockets")]).toEqual([true, false]);
    attempts.detach("a");
    expect([attempts.attach(a, "WebSockets"), attempts.attach(a, "WebSockets")]).toEqual([true, false]);
    attempts.detach("a");
    clock.advance(1_000);
    expect([find("a"), attempts.attach(a, "WebSockets")]).toEqual([undefined, false]);
  });
});
