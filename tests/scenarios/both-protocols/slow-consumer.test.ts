/** A client that does not read: what is kept for it has a bound, and nobody else waits for it. */

import { describe, expect, test } from "vitest";
import type { Peer } from "./protocol.js";
import { runWard, variants } from "./ward.js";

const said = ({ heard }: Peer): readonly unknown[] => heard.items.map(([, what]) => what);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * What is said before the little that waits, and what the end of it is called.
 */
const LAG = {
  WebSockets: { before: 0, reason: "slow_consumer" },
  // Nothing but the kernels' word tells how far it has read, and they swallow megabytes without a word.
  ServerSentEvents: { before: 16 * 1024 * 1024, reason: "slow_consumer" },
  // Who does not read does not poll: what it has not come for is no lag, and who does not come for 15 s is gone.
  LongPolling: { before: 0, reason: "normal" },
} as const;

describe.each(variants)("$name", (protocol) => {
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
    const { before, reason } = LAG[protocol.transport];
    const ward = await runWard({ outbox: { maxLagMs: 30_000, maxBytes: 2 * before + 1024 * 1024 } });
    const [slow, quick] = [await ward.enter(protocol, "slow"), await ward.enter(protocol, "quick")];
    for (const peer of [slow, quick]) await peer.join("icu");
    slow.pause();
    const burst = before / (512 * 1024);
    for (let number = 0; number < burst; number++) {
      ward.tell("icu", `${number} ${"x".repeat(512 * 1024)}`);
      await turn();
    }
    for (let second = 0; second < 40; second++) {
      ward.tell("icu", `${second} ${"x".repeat(32 * 1024)}`);
      await ward.pass(1);
    }
    const closed = await ward.telemetry.first(({ event }) => event === "connection.closed");
    expect(closed).toMatchObject({ reason, subject: "slow" });
    expect(ward.app.connectionCount).toBe(1);
    await quick.heard.take(burst + 40);
  });
});
