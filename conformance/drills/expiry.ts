/** Drills 1 and 2: the credential ends while its connection is idle, and while it is busy. */

import { expect } from "vitest";
import type { StockClient } from "../support/stock-clients.js";
import { createWard, TOKEN_EXPIRED, type Visitor, type Ward, type WardTimes } from "../support/ward.js";
import { CLOSE_PREFIX } from "../support/world.js";
import { expectOneEffect, monitor } from "./acts.js";
import type { Drill } from "./drill.js";

/** What a lapsed connection gets: nothing it is not to see, and the reason for what it asks. */
async function expectStopped(ward: Ward, visitor: Visitor, reading: number): Promise<void> {
  const before = [...visitor.vitals.items];
  ward.tell(reading);
  expect(await visitor.try("Who")).toBe(TOKEN_EXPIRED);
  expect(await visitor.try("Order", "while-lapsed")).toBe(TOKEN_EXPIRED);
  expect(await visitor.try("NoSuchMethod")).toBe(TOKEN_EXPIRED);
  expect(visitor.vitals.items).toEqual(before);
  expect(ward.effects).not.toContain("while-lapsed");
}

async function startIdle(client: StockClient, times: WardTimes): Promise<{ ward: Ward; visitor: Visitor }> {
  const ward = await createWard(times);
  const visitor = await ward.admit(client);
  expect(await visitor.try("Order", "first")).toBe("ordered first");
  return { ward, visitor };
}

/** Until the notices of both have come. */
async function lapse(ward: Ward, visitor: Visitor): Promise<void> {
  await ward.pass(visitor, 17);
  const expiring = await visitor.notices.first(({ kind }) => kind === "expiring");
  expect(expiring).toMatchObject({ kind: "expiring", expiresInSeconds: expect.any(Number) as number });
  await ward.pass(visitor, 3);
  const expired = await visitor.notices.first(({ kind }) => kind === "expired");
  expect(expired).toMatchObject({ reason: TOKEN_EXPIRED, graceSeconds: expect.any(Number) as number });
}

export const idle: readonly Drill[] = [
  {
    name: "1. idle: a client that refreshes in place is warned, stopped at the end and goes on where it was",
    async run(client, times) {
      const { ward, visitor } = await startIdle(client, times);
      expect(await visitor.try("hubward.notices")).toBeNull();
      await lapse(ward, visitor);
      await expectStopped(ward, visitor, 1);
      const renewal = await visitor.reauthenticate(ward.token({ lifetime: 300 }));
      expect(renewal).toEqual({ expiresInSeconds: expect.any(Number) as number });
      await visitor.notices.first(({ kind }) => kind === "reauthenticated");
      ward.tell(2);
      // What was held back comes first.
      expect(await visitor.vitals.take(2)).toEqual([1, 2]);
      await expectOneEffect(ward, visitor, "first");
      expect([ward.opened(), visitor.reconnecting.items, visitor.closed.items]).toEqual([1, [], []]);
    },
  },
  {
    name: "1. idle: a client that refreshes before the end notices nothing of it",
    async run(client, times) {
      const { ward, visitor } = await startIdle(client, times);
      expect(await visitor.try("hubward.notices")).toBeNull();
      await ward.pass(visitor, 17);
      await visitor.notices.first(({ kind }) => kind === "expiring");
      await visitor.reauthenticate(ward.token({ lifetime: 300 }));
      await ward.pass(visitor, 10);
      ward.tell(1);
      expect(await visitor.vitals.first()).toBe(1);
      await expectOneEffect(ward, visitor, "first");
      expect(visitor.notices.items.map(({ kind }) => kind)).toEqual(["expiring", "reauthenticated"]);
      expect([ward.opened(), visitor.reconnecting.items]).toEqual([1, []]);
    },
  },
  {
    name: "1. idle: a client that knows nothing of it is told why and comes back with a new token",
    async run(client, times) {
      const { ward, visitor } = await startIdle(client, times);
      visitor.present = () => ward.token({ lifetime: 300 });
      await ward.pass(visitor, 20);
      expect((await visitor.reconnecting.first())?.message).toBe(CLOSE_PREFIX + TOKEN_EXPIRED);
      ward.tell(1);
      await visitor.reconnected.first();
      // What was said meanwhile is not for a connection that did not exist.
      expect(visitor.vitals.items).toEqual([]);
      expect(await visitor.try("Watch", "icu")).not.toBe(TOKEN_EXPIRED);
      ward.tell(2);
      expect(await visitor.vitals.first()).toBe(2);
      await expectOneEffect(ward, visitor, "first");
      expect([ward.opened(), visitor.closed.items]).toEqual([2, []]);
    },
  },
  {
    name: "1. idle: refused refreshes change nothing, and the end of the grace ends the connection with the reason",
    async run(client, times) {
      const { ward, visitor } = await startIdle(client, times);
      expect(await visitor.try("hubward.notices")).toBeNull();
      await lapse(ward, visitor);
      expect(await visitor.reauthenticate(ward.token({ lifetime: 300 }, "eve"))).toBe(
        "principal_mismatch;action=relogin",
      );
      expect(await visitor.reauthenticate(ward.token({ lifetime: -1, age: 60 }))).toBe(TOKEN_EXPIRED);
      expect(await visitor.reauthenticate("no.jwt.atall")).toBe("invalid_token;action=relogin");
      expect(ward.refusals()).toEqual(["principal_mismatch", "token_expired", "invalid_token"]);
      await expectStopped(ward, visitor, 1);
      visitor.present = () => ward.token({ lifetime: 300 });
      await ward.pass(visitor, 10);
      expect((await visitor.reconnecting.first())?.message).toBe(CLOSE_PREFIX + TOKEN_EXPIRED);
      await visitor.reconnected.first();
      expect(visitor.vitals.items).toEqual([]);
      await expectOneEffect(ward, visitor, "first");
      expect(await visitor.try("Who")).toBe("ada");
      expect(ward.opened()).toBe(2);
    },
  },
];

export const busy: readonly Drill[] = [
  {
    name: "2. busy: what runs at the end is refused, nothing arrives after it, and what is repeated has one effect",
    async run(client, times) {
      const ward = await createWard(times);
      const visitor = await ward.admit(client);
      expect(await visitor.try("hubward.notices")).toBeNull();
      let said = 0;
      ward.tell(++said);
      await visitor.vitals.first();
      const slow = visitor.try("OrderSlowly", "slow");
      const { items, end } = monitor(visitor);
      await ward.made.take(5);
      await lapse(ward, visitor);
      expect(await end).toBe(TOKEN_EXPIRED);
      const seen = items.length;
      await expectStopped(ward, visitor, ++said);
      // The order took effect, and its answer is not for a credential that has ended.
      ward.open("slow");
      expect(await slow).toBe(TOKEN_EXPIRED);
      ward.tell(++said);
      expect(items).toHaveLength(seen);

      await visitor.reauthenticate(ward.token({ lifetime: 300 }));
      ward.tell(++said);
      expect(await visitor.vitals.take(4)).toEqual([1, 2, 3, 4]);
      expect(await visitor.try("OrderSlowly", "slow")).toBe("ordered slow");
      expect(ward.effects).toEqual(["slow"]);
      expect([ward.opened(), visitor.reconnecting.items]).toEqual([1, []]);
    },
  },
  {
    name: "2. busy: a client that knows nothing of it comes back and repeats what it lost sight of, to one effect",
    async run(client, times) {
      const ward = await createWard(times);
      const visitor = await ward.admit(client);
      visitor.present = () => ward.token({ lifetime: 300 });
      const slow = visitor.try("OrderSlowly", "slow");
      const { end } = monitor(visitor);
      await ward.made.take(5);
      await ward.pass(visitor, 20);
      expect((await visitor.reconnecting.first())?.message).toBe(CLOSE_PREFIX + TOKEN_EXPIRED);
      expect(String(await slow)).toContain(TOKEN_EXPIRED);
      expect(await end).toContain(TOKEN_EXPIRED);
      ward.open("slow");
      await visitor.reconnected.first();
      expect(await visitor.try("OrderSlowly", "slow")).toBe("ordered slow");
      expect(ward.effects).toEqual(["slow"]);
      expect(ward.opened()).toBe(2);
    },
  },
];
