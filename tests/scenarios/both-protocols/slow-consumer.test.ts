/** A client that does not read: what is kept for it has a bound, and nobody else waits for it. */

import { describe, expect, test } from "vitest";
import type { Peer } from "./protocol.js";
import { protocols, runWard } from "./ward.js";

const said = ({ heard }: Peer): readonly unknown[] => heard.items.map(([, what]) => what);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(protocols)("$name", (protocol) => {
  test("more than may be kept for it ends it, and its neighbour gets everything", async () => {
    const ward = await runWard({ outbox: { maxBytes: 256 * 1024, maxLagMs: 3_600_000 } });
    const [slow, quick] = [await ward.enter(protocol, "slow"), await ward.enter(protocol, "quick")];
    for (const peer of [slow, quick]) await peer.join("icu");
    slow.pause();
    const filling = "x".repeat(16 * 1024);
    let told = 0;
    while (ward.app.connectionCount === 2 && told < 1_000) {
      ward.tell("icu", `${told++} ${filling}`);
      await turn();
      await turn();
    }
    expect(told).toBeLessThan(1_000);
    const closed = await ward.telemetry.first(({ event }) => event === "connection.closed");
    expect(closed).toMatchObject({ reason: "slow_consumer", subject: "slow" });
    await quick.heard.take(told);
    expect(said(quick).map((what) => Number.parseInt(String(what), 10))).toEqual(
      Array.from({ length: told }, (_, number) => number),
    );
    slow.resume();
    // Reset: a reason would stand behind everything that it does not read.
    expect((await slow.ended).code).toBe(1006);
  });

  test("one that has not read for too long ends, however little waits for it", async () => {
    const ward = await runWard({ outbox: { maxLagMs: 30_000 } });
    const [slow, quick] = [await ward.enter(protocol, "slow"), await ward.enter(protocol, "quick")];
    for (const peer of [slow, quick]) await peer.join("icu");
    slow.pause();
    for (let second = 0; second < 40; second++) {
      ward.tell("icu", `${second} ${"x".repeat(32 * 1024)}`);
      await ward.pass(1);
    }
    const closed = await ward.telemetry.first(({ event }) => event === "connection.closed");
    expect(closed).toMatchObject({ reason: "slow_consumer", subject: "slow" });
    expect(ward.app.connectionCount).toBe(1);
    await quick.heard.take(40);
  });
});
