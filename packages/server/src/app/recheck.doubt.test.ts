/** Rechecks that are asked for while nobody can say who was revoked. */

import { describe, expect, it } from "vitest";
import { createFakeClock } from "@hubward/testing";
import { createApp } from "../../test/app-fixture.js";
import type { RevocationListener, RevocationLog } from "../core/auth/revocation-log.js";
import { createMemoryRevocationLog } from "../memory/revocation-log.js";
import { systemRandom } from "../platform/system-crypto.js";

async function settle(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A log that cannot be read while it is away. */
function createMovableLog() {
  const inner = createMemoryRevocationLog({ clock: createFakeClock(), random: systemRandom });
  const listeners = new Set<RevocationListener>();
  let isAway = false;
  const log: RevocationLog = {
    ...inner,
    read: (after) => (isAway ? Promise.reject(new Error("the log is away")) : inner.read(after)),
    subscribe(listener) {
      listeners.add(listener);
      return inner.subscribe(listener);
    },
  };
  return {
    log,
    goAway() {
      isAway = true;
      for (const listener of listeners) listener.interrupted(new Error("the log went away"));
    },
    comeBack: () => void (isAway = false),
  };
}

async function createDoubt() {
  const disk = createMovableLog();
  const asked: string[] = [];
  const fixture = createApp({ revocations: disk.log, graceMs: 60_000 });
  const { app, clock, tokenOf } = fixture;
  const doctors = app.policy("Doctors", ({ principal }) => principal.hasRole("doctor"));
  app
    .hub("/hubs/ward")
    .allow(app.policy("Anyone", () => true))
    .methods((m) => ({
      Order: m.allow(doctors).handle(({ principal }) => void asked.push(principal.subject)),
      Hi: m.handle(({ principal }) => principal.roles),
    }));
  await app.ready();
  const peer = await fixture.connect(tokenOf({ subject: "ann", roles: ["doctor"] }));
  /** Every live connection lapses. */
  async function fence(): Promise<void> {
    disk.goAway();
    await settle();
    clock.advance(5_000);
    await settle();
  }
  async function mend(): Promise<void> {
    disk.comeBack();
    // In short steps: the log is there again before anything is tried again by itself.
    for (let step = 0; step < 100; step++) {
      clock.advance(100);
      await settle();
    }
  }
  return { ...fixture, asked, peer, fence, mend };
}

describe("a recheck while nobody can say who was revoked", () => {
  it("is done before its connection goes on: nobody is back as who they were", async () => {
    const { app, asked, fence, mend, peer, tokenOf } = await createDoubt();
    await fence();
    tokenOf({ subject: "ann", roles: ["nurse"] });
    expect(await app.recheck({ subject: "ann" })).toMatchObject({ matched: 1, unavailable: 1 });
    await mend();
    expect(await peer.call("Order")).toMatchObject({ outcome: { kind: "error", error: "forbidden" } });
    expect(asked).toEqual([]);
    expect(await peer.call("Hi")).toMatchObject({ outcome: { value: ["nurse"] } });
  });

  it("that did not come leaves everybody who they were, and asks nobody's mapping", async () => {
    const { fence, mend, peer, tokenOf } = await createDoubt();
    await fence();
    expect(await peer.call("Hi")).toMatchObject({ outcome: { kind: "error" } });
    tokenOf({ subject: "ann", roles: ["nurse"] });
    await mend();
    expect(await peer.call("Hi")).toMatchObject({ outcome: { value: ["doctor"] } });
  });
});
