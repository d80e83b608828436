/** Drills 5 and 6: nobody can refresh for now, and a client whose clock is wrong. */

import { expect, onTestFinished, vi } from "vitest";
import { until } from "../../tests/support/until.js";
import { createWard, TOKEN_EXPIRED } from "../support/ward.js";
import { CLOSE_PREFIX } from "../support/world.js";
import type { Drill } from "./drill.js";

/** Nobody is called invalid for what the server could not look up. */
const UNAVAILABLE = "auth_unavailable;action=retry-after;retry_after=2";
const HOUR_MS = 3_600_000;

export const unavailable: readonly Drill[] = [
  {
    name: "5. unavailable: a refresh that cannot be had now is told apart, costs nothing, and succeeds when it can be",
    async run(client, times) {
      const ward = await createWard(times);
      const visitor = await ward.admit(client);
      expect(await visitor.try("hubward.notices")).toBeNull();
      ward.provider = "down";
      expect(await visitor.reauthenticate(ward.token({ lifetime: 300 }))).toBe(UNAVAILABLE);
      // Nothing has changed: what it has is as good as before.
      expect(await visitor.try("Order", "before")).toBe("ordered before");
      await ward.pass(visitor, 20);
      await visitor.notices.first(({ kind }) => kind === "expired");
      expect(await visitor.try("Who")).toBe(TOKEN_EXPIRED);
      ward.tell(1);
      expect(await visitor.reauthenticate(ward.token({ lifetime: 300 }))).toBe(UNAVAILABLE);
      expect(visitor.vitals.items).toEqual([]);
      ward.provider = "up";
      await visitor.reauthenticate(ward.token({ lifetime: 300 }));
      expect(await visitor.vitals.first()).toBe(1);
      expect(await visitor.try("Order", "before")).toBe("ordered before");
      expect(ward.effects).toEqual(["before"]);
      expect(ward.refusals()).toEqual(["auth_unavailable", "auth_unavailable"]);
      expect([ward.opened(), visitor.reconnecting.items]).toEqual([1, []]);
    },
  },
  {
    name: "5. unavailable: beyond the grace the client is ended for its token, keeps trying, and is back when it can be",
    async run(client, times) {
      const ward = await createWard(times);
      const visitor = await ward.admit(client);
      expect(await visitor.try("hubward.notices")).toBeNull();
      expect(await visitor.try("Order", "before")).toBe("ordered before");
      visitor.present = () => ward.token({ lifetime: 300 });
      ward.provider = "down";
      await ward.pass(visitor, 20);
      await visitor.notices.first(({ kind }) => kind === "expired");
      await ward.pass(visitor, 10);
      expect((await visitor.reconnecting.first())?.message).toBe(CLOSE_PREFIX + TOKEN_EXPIRED);
      const turnedAway = (): number =>
        ward.telemetry.items.filter((event) => event.event === "connection.refused").length;
      await until(() => turnedAway() >= 2);
      expect(visitor.closed.items).toEqual([]);
      ward.provider = "up";
      await visitor.reconnected.first();
      expect(await visitor.try("Order", "before")).toBe("ordered before");
      expect(ward.effects).toEqual(["before"]);
      expect(ward.opened()).toBe(2);
      const reasons = ward.telemetry.items.flatMap((event) =>
        event.event === "connection.refused" ? [event.reason] : [],
      );
      // Never "invalid", which would make it throw its credential away.
      expect(new Set(reasons)).toEqual(new Set(["auth_unavailable"]));
    },
  },
  {
    name: "5. unavailable: a client that has nothing newer to show is told what is left, not sent away",
    async run(client, times) {
      const ward = await createWard(times);
      const held = await ward.token({ lifetime: 300 });
      const visitor = await ward.admit(client);
      await visitor.reauthenticate(held);
      // The application's own endpoint is down: the token is the one from before.
      expect(await visitor.reauthenticate(held)).toEqual({ expiresInSeconds: expect.any(Number) as number });
      expect(await visitor.try("Who")).toBe("ada");
      expect([ward.opened(), ward.refusals()]).toEqual([1, []]);
    },
  },
];

const wrongBy = (offsetMs: number): Drill => ({
  name: `6. wrong clock: a client ${offsetMs < 0 ? "an hour behind" : "an hour ahead"} is warned, refreshed and ended by the server's`,
  async run(client, times) {
    const ward = await createWard(times);
    const visitor = await ward.admit(client);
    setClientClock(offsetMs);
    expect(await visitor.try("hubward.notices")).toBeNull();
    // What it holds looks as if it had long ended, or as if it would never end: it shows it, and is told what is left.
    const held = await ward.token({ lifetime: times.lifetime });
    const renewal = (await visitor.reauthenticate(held)) as { readonly expiresInSeconds: number };
    expect(renewal.expiresInSeconds).toBeLessThanOrEqual(times.lifetime);
    expect(await visitor.try("Order", "one")).toBe("ordered one");
    ward.tell(1);
    await visitor.vitals.first();
    expect(visitor.notices.items.every(({ kind }) => kind === "reauthenticated")).toBe(true);

    await ward.pass(visitor, 17);
    const expiring = await visitor.notices.first((notice) => notice.kind === "expiring");
    expect(expiring).toMatchObject({ kind: "expiring" });
    expect(expiring.kind === "expiring" && expiring.expiresInSeconds <= times.lifetime / 4).toBe(true);
    await ward.pass(visitor, 3);
    await visitor.notices.first(({ kind }) => kind === "expired");
    expect(await visitor.try("Who")).toBe(TOKEN_EXPIRED);
    await visitor.reauthenticate(ward.token({ lifetime: 300 }));
    expect(await visitor.try("Order", "one")).toBe("ordered one");
    expect(ward.effects).toEqual(["one"]);
    expect([ward.opened(), visitor.reconnecting.items, ward.refusals()]).toEqual([1, [], []]);
  },
});

export const behind: Drill = wrongBy(-HOUR_MS);
export const ahead: Drill = wrongBy(HOUR_MS);

/** The server of the drills never looks at this one: it is the client's alone. */
function setClientClock(offsetMs: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + offsetMs });
  onTestFinished(() => void vi.useRealTimers());
}
