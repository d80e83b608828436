/** Streams that never end, are never read, or were over before they began. The peer is connected. */

import { describe, expect, test } from "vitest";
import { until } from "../support/until.js";
import { underAttack } from "./target.js";

const call = (id: string, target: string, streamIds: readonly string[]): object => ({
  type: 1,
  invocationId: id,
  target,
  arguments: [],
  streamIds,
});
const item = (id: string, value: unknown): object => ({ type: 2, invocationId: id, item: value });

describe("uploads", () => {
  test(
    "that never complete are so many and no more, harm nobody, and end with their connection",
    underAttack(async ({ enter, app, clock }) => {
      const before = clock.pending.length;
      const socket = await enter();
      for (let id = 0; id < 200; id++) socket.sendJson(call(`c${id}`, "Count", [`u${id}`]), item(`u${id}`, 1));
      const refused = await socket.messages.take(200 - 16, ({ type }) => type === 3);
      expect(new Set(refused.map(({ error }) => String(error)))).toEqual(new Set(["stream_limit"]));
      expect(await socket.invoke("still", "Echo", "here")).toMatchObject({ result: "here" });
      socket.socket.resetAndDestroy();
      await until(() => app.connectionCount === 1);
      expect(clock.pending.length).toBe(before);
    }),
  );

  test(
    "that nobody reads hold back their peer and nobody else, and what they kept is gone with it",
    underAttack(async ({ enter, entered, app, clock, canary }) => {
      const socket = await enter();
      socket.sendJson(call("1", "Hoard", ["u"]));
      await until(() => entered.some(({ method }) => method === "Hoard"));
      const large = "x".repeat(30_000);
      // Far more than any buffer on the way holds: the kernel has to push back.
      let accepted = 0;
      const flood = new Promise<void>((resolve) => {
        const write = (): void => {
          while (accepted < 2_000) {
            accepted++;
            socket.sendJson(item("u", large));
            if (socket.socket.writableNeedDrain) return void socket.socket.once("drain", write);
          }
          resolve();
        };
        write();
      });
      expect(await Promise.race([flood.then(() => "taken"), canary.invoke("Echo", "canary")])).toBe("canary");
      for (let round = 0; round < 50; round++) await canary.invoke("Echo", round);
      expect(accepted).toBeLessThan(2_000);
      socket.socket.resetAndDestroy();
      // Nobody reads its socket, so nobody hears of the reset before the next ping is written.
      clock.advance(15_000);
      await until(() => app.connectionCount === 1);
    }),
  );

  test(
    "under ids of Object's own members are streams like any other",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      for (const id of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
        socket.sendJson(call(`c ${id}`, "Count", [id]), item(id, 1), { type: 3, invocationId: id });
        expect(await socket.messages.first(({ invocationId }) => invocationId === `c ${id}`)).toMatchObject({
          result: 1,
        });
      }
    }),
  );
});

describe("streams", () => {
  test(
    "that are cancelled in the payload that asks for them, a thousand times, send nothing and leave nothing",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      for (let id = 0; id < 1_000; id++) {
        const invocationId = `s${id}`;
        socket.sendJson({ type: 4, invocationId, target: "ForEver", arguments: [] }, { type: 5, invocationId });
      }
      const ended = await socket.messages.take(1_000, ({ type }) => type === 3);
      // A slot is taken until its method has let go, so most of those in one read find none.
      expect(new Set(ended.map(({ error }) => error))).toEqual(new Set([undefined, "stream_limit"]));
      expect(new Set(ended.map(({ invocationId }) => invocationId)).size).toBe(1_000);
      expect(socket.messages.items.filter(({ type }) => type === 2)).toEqual([]);
      expect(await socket.invoke("still", "Echo", "here")).toMatchObject({ result: "here" });
    }),
  );

  test(
    "that are never cancelled end with a peer that resets",
    underAttack(async ({ enter, app }) => {
      const socket = await enter();
      for (let id = 0; id < 16; id++) {
        socket.sendJson({ type: 4, invocationId: `s${id}`, target: "ForEver", arguments: [] });
      }
      await socket.messages.take(100, ({ type }) => type === 2);
      socket.socket.resetAndDestroy();
      await until(() => app.connectionCount === 1);
    }),
  );
});
