/** Peers that do not read what they are sent. */

import { describe, expect, test } from "vitest";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { opcodes } from "../support/raw-web-socket.js";
import { until } from "../support/until.js";
import { underAttack, type Target } from "./target.js";

const chunk = "x".repeat(8_000);

type Said = readonly [{ readonly number: number }];

/** Says so much to the room, one turn of the event loop after another. */
async function flood({ tellRoom }: Target, times: number): Promise<void> {
  for (let index = 0; index < times; index++) {
    tellRoom({ number: index, chunk });
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const closedReasons = ({ telemetry }: Target): readonly unknown[] =>
  telemetry.items.flatMap((event) => (event.event === "connection.closed" ? [event.reason] : []));

describe("a peer that does not read", () => {
  test(
    "is cut off once it is too far behind, and a neighbour in the same group misses nothing",
    underAttack(
      async (target) => {
        const { enter, heard, telemetry } = target;
        const stalled = await enter();
        await stalled.invoke("1", "Join");
        stalled.socket.pause();
        await flood(target, 200);
        const [ended] = await telemetry.take(1, ({ event }) => event === "connection.closed");
        expect(ended).toMatchObject({ reason: "slow_consumer" });
        expect(await heard.take(200)).toHaveLength(200);
        stalled.socket.resume();
        await stalled.closed;
        // Reset, not closed in good order: what was written to it is at most what the cap allows.
        expect(stalled.frames.items.some(({ opcode }) => opcode === opcodes.close)).toBe(false);
        expect(stalled.socket.bytesRead).toBeLessThan(200 * chunk.length);
      },
      { outbox: { maxBytes: 256 * 1024 } },
    ),
  );

  test(
    "has no more handed to its kernel than 256 KiB that it has not confirmed",
    underAttack(
      async (target) => {
        const { enter } = target;
        const stalled = await enter();
        await stalled.invoke("1", "Join");
        const before = stalled.socket.bytesRead;
        stalled.socket.pause();
        await flood(target, 100);
        // It reads everything the kernels hold, but still answers no ping.
        stalled.socket.resume();
        await until(() => stalled.frames.items.some(({ opcode }) => opcode === opcodes.ping));
        await stalled.messages.take(1, ({ type }) => type === 1);
        await flood(target, 10);
        expect(stalled.socket.bytesRead - before).toBeLessThanOrEqual(256 * 1024 + 64 * 1024 + 1_000);
        expect(closedReasons(target)).toEqual([]);
        stalled.socket.destroy();
      },
      { outbox: { maxBytes: 4 * 1024 * 1024 } },
    ),
  );

  test(
    "that answers no ping is cut off for its lag, however little it was sent",
    underAttack(async (target) => {
      const { enter, clock, telemetry } = target;
      const silent = await enter();
      await silent.invoke("1", "Join");
      target.tellRoom("one little thing");
      await silent.messages.first(({ type }) => type === 1);
      // It keeps calling, so that it does not count as silent; the canary answers pings by itself.
      for (let second = 0; second < 33; second++) {
        clock.advance(1_000);
        if (closedReasons(target).length > 0) break;
        silent.sendJson({ type: 6 });
        await target.canary.invoke("Echo", second);
      }
      expect(await telemetry.first(({ event }) => event === "connection.closed")).toMatchObject({
        reason: "slow_consumer",
      });
      expect(silent.frames.items.some(({ opcode }) => opcode === opcodes.ping)).toBe(true);
      await silent.closed;
    }),
  );

  test(
    "in great numbers harms no stock client beside them",
    underAttack(
      async (target) => {
        const { enter, heard, port, issuer } = target;
        const stalled = await Promise.all(Array.from({ length: 50 }, () => enter()));
        for (const socket of stalled) {
          await socket.invoke("1", "Join");
          socket.socket.pause();
        }
        const other = new HubConnectionBuilder()
          .configureLogging(LogLevel.None)
          .withUrl(`http://127.0.0.1:${port}/hub`, { accessTokenFactory: () => issuer.token("other") })
          .build();
        await other.start();
        await flood(target, 100);
        expect(await heard.take(100)).toHaveLength(100);
        expect(await other.invoke("Echo", "fine")).toBe("fine");
        await until(() => closedReasons(target).length === 50);
        expect(new Set(closedReasons(target))).toEqual(new Set(["slow_consumer"]));
        await other.stop();
      },
      { outbox: { maxBytes: 128 * 1024 } },
    ),
  );
});

describe("a peer that reads slowly", () => {
  test(
    "gets everything, in order, as long as it confirms",
    underAttack(
      async (target) => {
        const { enter } = target;
        const slow = await enter();
        await slow.invoke("1", "Join");
        slow.answersPings = true;
        await flood(target, 300);
        await slow.messages.take(300, ({ type }) => type === 1);
        const said = slow.messages.items.filter(({ type }) => type === 1);
        expect(said.map((message) => (message["arguments"] as Said)[0].number)).toEqual(
          Array.from({ length: 300 }, (_, index) => index),
        );
        expect(closedReasons(target)).toEqual([]);
      },
      { outbox: { maxBytes: 4 * 1024 * 1024 } },
    ),
  );
});

describe("a peer whose calls are held back", () => {
  test(
    "sends faster than they are handled: it is paused, and every one is answered in order",
    underAttack(
      async ({ enter, entered }) => {
        const socket = await enter();
        for (let index = 0; index < 3_000; index++) {
          socket.sendJson({ type: 1, invocationId: String(index), target: "Later", arguments: [index] });
        }
        const answers = await socket.messages.take(3_000, ({ type }) => type === 3);
        expect(answers.map(({ result }) => result)).toEqual(Array.from({ length: 3_000 }, (_, index) => index));
        expect(entered).toHaveLength(3_000);
      },
      { limits: false },
    ),
  );
});
