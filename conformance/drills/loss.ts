/** Drill 4: a person loses a role, or their whole tenant is suspended, in mid-session. */

import { expect } from "vitest";
import { until } from "../../tests/support/until.js";
import { ISSUER } from "../../tests/support/tokens.js";
import { createWard, type Visitor, type Ward } from "../support/ward.js";
import { CLOSE_PREFIX } from "../support/world.js";
import { expectOneEffect, monitor } from "./acts.js";
import type { Drill } from "./drill.js";

const FORBIDDEN = "forbidden";
const SUSPENDED = "tenant_suspended";
const HOURS = { lifetime: 300 };
const ada = { subject: "ada", issuer: ISSUER };

/** What is lost is refused, and nothing of it arrives; what is left is as it was. */
async function expectWithoutTheRole(ward: Ward, visitor: Visitor, reading: number): Promise<void> {
  const before = [...visitor.vitals.items];
  ward.tell(reading);
  expect(await visitor.try("Order", "without the role")).toContain(FORBIDDEN);
  expect(await visitor.try("Watch", "icu")).toContain(FORBIDDEN);
  expect(await monitor(visitor).end).toContain(FORBIDDEN);
  expect(await visitor.try("Roles")).toEqual(["clerk"]);
  expect(visitor.vitals.items).toEqual(before);
  expect(ward.effects).not.toContain("without the role");
}

/** How a role goes, and how it comes back: by the directory, or by the next token. */
const ways: Readonly<Record<string, (ward: Ward, visitor: Visitor, role: "clerk" | "ward-icu") => Promise<unknown>>> = {
  "in the directory": async (ward, _visitor, role) => {
    ward.directory.set("ada", [role]);
    expect(await ward.app.recheck(ada)).toEqual({
      matched: 1,
      lost: role === "clerk" ? 1 : 0,
      ended: 0,
      unavailable: 0,
    });
  },
  "with the next token": async (ward, visitor, role) => {
    const lifetime = role === "clerk" ? 400 : 500;
    const renewal = await visitor.reauthenticate(ward.token({ roles: [role], lifetime }));
    expect(renewal).toMatchObject({ expiresInSeconds: expect.any(Number) as number });
  },
};

const roleLost: readonly Drill[] = Object.entries(ways).map(([way, change]) => ({
  name: `4. a role lost ${way}: membership, stream and running call end, the connection stays, and gets it back`,
  async run(client, times) {
    const ward = await createWard(times);
    const visitor = await ward.admit(client, HOURS);
    const neighbour = await ward.admit(client, HOURS);
    neighbour.present = () => ward.token(HOURS, "bob");
    await neighbour.connection.stop();
    await neighbour.connection.start();
    await neighbour.connection.invoke("Watch", "icu");
    expect(await visitor.try("hubward.notices")).toBeNull();
    ward.tell(1);
    await visitor.vitals.first();
    expect(await visitor.try("Order", "first")).toBe("ordered first");
    const watched = monitor(visitor);
    await ward.made.take(5);
    const slow = visitor.try("OrderSlowly", "slow");
    await until(() => ward.effects.includes("slow"));

    const changing = change(ward, visitor, "clerk");
    expect(await watched.end).toContain(FORBIDDEN);
    await changing;
    // It took effect, and its answer is not for who may not ask.
    ward.open("slow");
    expect(await slow).toContain(FORBIDDEN);
    const told = await visitor.notices.first(({ kind }) => kind === "memberships-changed");
    expect(told).toEqual({ kind: "memberships-changed", gained: [], lost: ["ward/icu"] });
    const seen = watched.items.length;
    await expectWithoutTheRole(ward, visitor, 2);
    expect(watched.items).toHaveLength(seen);
    expect(await neighbour.vitals.first((reading) => reading === 2)).toBe(2);

    await change(ward, visitor, "ward-icu");
    await visitor.connection.invoke("Watch", "icu");
    ward.tell(3);
    await visitor.vitals.first((reading) => reading === 3);
    // What was said meanwhile is lost with the membership.
    expect(visitor.vitals.items).toEqual([1, 3]);
    expect(await visitor.try("OrderSlowly", "slow")).toBe("ordered slow");
    await expectOneEffect(ward, visitor, "first");
    expect(ward.effects).toEqual(["first", "slow"]);
    expect([visitor.reconnecting.items, visitor.closed.items]).toEqual([[], []]);
  },
}));

export const loss: readonly Drill[] = [
  ...roleLost,
  {
    name: "4. the last role lost: the connection ends as forbidden and stays away until there is one again",
    async run(client, times) {
      const ward = await createWard(times);
      const visitor = await ward.admit(client, HOURS);
      expect(await visitor.try("Order", "first")).toBe("ordered first");
      const watched = monitor(visitor);
      await ward.made.take(5);
      ward.directory.set("ada", []);
      const rechecked = ward.app.recheck(ada);
      expect((await visitor.closed.first())?.message).toBe(CLOSE_PREFIX + FORBIDDEN);
      expect(await rechecked).toMatchObject({ matched: 1, ended: 1 });
      expect(await watched.end).toContain(FORBIDDEN);
      ward.tell(1);
      await expect(visitor.connection.start()).rejects.toThrow(FORBIDDEN);
      expect([ward.opened(), visitor.reconnecting.items]).toEqual([1, []]);

      ward.directory.delete("ada");
      await visitor.connection.start();
      await visitor.connection.invoke("Watch", "icu");
      ward.tell(2);
      await visitor.vitals.first();
      expect(visitor.vitals.items).toEqual([2]);
      await expectOneEffect(ward, visitor, "first");
    },
  },
  {
    name: "4. the tenant suspended: everybody of it ends at once and stays away until it is lifted; others go on",
    async run(client, times) {
      const ward = await createWard(times, {}, { tenant: "general" });
      const visitor = await ward.admit(client, HOURS);
      const elsewhere = await ward.admit(client, { ...HOURS, claims: { tid: "annex" } });
      expect(await visitor.try("Order", "first")).toBe("ordered first");
      const slow = visitor.try("OrderSlowly", "slow");
      await until(() => ward.effects.includes("slow"));
      const receipt = ward.app.revoke({ tenant: "general" });
      ward.tell(1);
      expect((await visitor.closed.first())?.message).toBe(CLOSE_PREFIX + SUSPENDED);
      expect(await receipt).toMatchObject({ matched: 1, stillClosing: 0 });
      expect(await slow).toContain(SUSPENDED);
      ward.open("slow");
      // A token from before, and one that the provider issues now.
      await expect(visitor.connection.start()).rejects.toThrow(SUSPENDED);
      expect([ward.opened(), visitor.reconnecting.items, visitor.vitals.items]).toEqual([2, [], []]);
      expect(await elsewhere.try("Order", "in the annex")).toBe("ordered in the annex");

      await ward.app.lift({ tenant: "general" });
      await visitor.connection.start();
      await visitor.connection.invoke("Watch", "icu");
      ward.tell(2);
      await visitor.vitals.first();
      expect(visitor.vitals.items).toEqual([2]);
      expect(await visitor.try("OrderSlowly", "slow")).toBe("ordered slow");
      await expectOneEffect(ward, visitor, "first");
      expect(ward.effects).toEqual(["first", "slow", "in the annex"]);
      expect([ward.opened(), elsewhere.closed.items, elsewhere.reconnecting.items]).toEqual([3, [], []]);
    },
  },
];
