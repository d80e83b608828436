/** Signs of life: who is there stays however little is said, and who is not is given up. */

import { describe, expect, test } from "vitest";
import { runWard, variants } from "./ward.js";

const times = { keepAliveMs: 15_000, clientTimeoutMs: 30_000 } as const;

/** Who shows no sign of life, and since when for how long at most: seconds. */
const SILENCE = {
  WebSockets: { reason: "heartbeat_timeout", kept: 29, given: 17 },
  ServerSentEvents: { reason: "heartbeat_timeout", kept: 29, given: 17 },
  // A client that polls is silent by nature: a poll waits 90 s for news, and for the next one there are 15 s. Who does
  // not come then has gone as one who closes a socket.
  LongPolling: { reason: "normal", kept: 89, given: 20 },
} as const;

describe.each(variants)("$name", (protocol) => {
  test("one that only listens stays, and is told when there is something to say", async () => {
    const ward = await runWard(times);
    const ada = await ward.enter(protocol);
    await ada.join("icu");
    for (let round = 0; round < 12; round++) {
      await ward.pass(10);
      ada.ping();
      await ward.pass(1);
    }
    ward.tell("icu", "still here?");
    expect(await ada.heard.first()).toEqual(["vitals", "still here?"]);
    // Nothing was said meanwhile that a client would take for news, but that its credential lasts no longer.
    expect(new Set(ada.frames().filter((kind) => kind !== "membership" && kind !== "answer"))).toEqual(
      new Set(["event"]),
    );
  });

  test("one that shows no sign of life is given up in time, and what it held is given back", async () => {
    const ward = await runWard(times);
    const ada = await ward.enter(protocol);
    await ada.join("icu");
    const { reason, kept, given } = SILENCE[protocol.transport];
    ada.pause();
    await ward.pass(kept);
    expect(ward.app.connectionCount).toBe(1);
    await ward.pass(given);
    const closed = await ward.telemetry.first(({ event }) => event === "connection.closed");
    expect(closed).toMatchObject({ reason, subject: "ada" });
    expect([ward.app.connectionCount, ward.app.groups.list()]).toEqual([0, []]);
    ada.resume();
    // Whoever does not answer reads no reason, either.
    expect((await ada.ended).code).toBe(1006);
  });

  test("a request that runs for long is a sign of life: its caller waits for the answer", async () => {
    const ward = await runWard(times);
    let open: () => void = () => undefined;
    ward.gate = new Promise((resolve) => (open = resolve));
    const ada = await ward.enter(protocol);
    await ada.join("icu");
    const ordering = ada.order("icu", "aspirin", "command-1");
    await ward.pass(100);
    open();
    expect(await ordering).toBe("ok");
  });
});
