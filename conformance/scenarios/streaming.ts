/** Streams from the server. */

import { expect } from "vitest";
import { until } from "../../tests/support/until.js";
import { connect, createStreams, listen } from "../support/streams.js";
import { failure } from "../support/world.js";
import type { Scenario } from "./scenario.js";

export const streaming: readonly Scenario[] = [
  {
    name: "reads a stream to its end, whatever it is made of",
    async run(client) {
      const streams = await createStreams();
      const party = await connect(streams, client);
      const counted = listen(party, "Count", 1_000);
      expect(await counted.end).toBeUndefined();
      expect(counted.items.items).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
      const listed = listen(party, "list");
      expect(await listed.end).toBeUndefined();
      expect(listed.items.items).toEqual(["a", null, { b: 1 }]);
      const empty = listen(party, "Count", 0);
      expect([await empty.end, empty.items.items]).toEqual([undefined, []]);
    },
  },
  {
    name: "cancels a stream that has no end, and the method hears of it",
    needs: ["cancelling"],
    async run(client) {
      const streams = await createStreams();
      const party = await connect(streams, client);
      const endless = listen(party, "ForEver");
      await endless.items.take(100);
      endless.dispose();
      await until(() => streams.seen.open === 0);
      expect(streams.seen.aborted).toBe(1);
      expect(await party.connection.invoke("Echo", "still here")).toBe("still here");
      expect(party.closed.items).toEqual([]);
    },
  },
  {
    name: "cancels a stream at once, before its first item",
    needs: ["cancelling"],
    async run(client) {
      const streams = await createStreams();
      const party = await connect(streams, client);
      for (let count = 0; count < 40; count++) listen(party, "ForEver").dispose();
      expect(await party.connection.invoke("Echo", "still here")).toBe("still here");
      await until(() => streams.seen.open === 0);
      const [whole] = [listen(party, "Count", 3)];
      expect(await whole.end).toBeUndefined();
    },
  },
  {
    name: "reads several streams and calls methods at the same time",
    needs: ["cancelling"],
    async run(client) {
      const streams = await createStreams();
      const party = await connect(streams, client);
      const endless = listen(party, "ForEver");
      // In Node a server-sent event takes 0.15 ms to read.
      const most = client.transport === "ServerSentEvents" ? 500 : 3_000;
      const counts = [10, 200, most].map((to) => ({ to, heard: listen(party, "Count", to) }));
      expect(await party.connection.invoke("Echo", "between")).toBe("between");
      for (const { to, heard } of counts) {
        expect(await heard.end).toBeUndefined();
        expect(heard.items.items).toHaveLength(to);
      }
      endless.dispose();
      await until(() => streams.seen.open === 0);
    },
  },
  {
    name: "has no more streams at a time than it may, and says so",
    needs: ["cancelling"],
    async run(client) {
      const streams = await createStreams({ maxStreams: 2 });
      const party = await connect(streams, client);
      // Both stay open and say no more: thousands of their items would only stand in the way of the answers.
      const running = [listen(party, "UntilCancelled"), listen(party, "UntilCancelled")];
      expect(textOf(await listen(party, "Count", 1).end)).toBe("stream_limit");
      running[0]?.dispose();
      await until(() => streams.seen.open === 1);
      expect(await listen(party, "Count", 1).end).toBeUndefined();
    },
  },
  {
    name: "hears how a stream failed, midway and before it began",
    async run(client) {
      const streams = await createStreams();
      const party = await connect(streams, client);
      const midway = "An error occurred on the server while streaming results.";
      const told = listen(party, "FailAfter", 2, "the sensor fell off");
      expect(textOf(await told.end)).toBe(`${midway} HubException: the sensor fell off`);
      expect(told.items.items).toEqual([0, 1]);
      expect(textOf(await listen(party, "FailAfter", 1, "").end)).toBe(midway);
      expect(textOf(await listen(party, "FailBefore").end)).toBe(
        "An unexpected error occurred invoking 'FailBefore' on the server. HubException: no stream today",
      );
      expect(textOf(await listen(party, "Doctors").end)).toBe("forbidden");
      expect((await failure(party.connection.invoke("Count", 1))).message).toBe(
        "The client attempted to invoke the streaming 'Count' method with a non-streaming invocation.",
      );
      expect(party.closed.items).toEqual([]);
    },
  },
  {
    name: "ends its streams when it goes away",
    async run(client) {
      const streams = await createStreams();
      const party = await connect(streams, client);
      const endless = listen(party, "ForEver");
      await endless.items.take(1);
      await party.connection.stop();
      await until(() => streams.seen.open === 0);
      expect(streams.seen.aborted).toBe(1);
    },
  },
  {
    name: "is sent nothing of a stream once its credential is over",
    async run(client) {
      const streams = await createStreams();
      const { world, url } = streams;
      const party = await world.connect(client, { lifetime: 60 }, {}, url);
      const endless = listen(party, "ForEver");
      await endless.items.take(1);
      // No timer has fired yet: the next item is what finds out.
      world.clock.jump(60_000);
      await party.closed.first();
      const closed = await world.telemetry.first(({ event }) => event === "connection.closed");
      expect(closed).toMatchObject({ reason: "token_expired" });
      await until(() => streams.seen.open === 0);
      expect(streams.seen.aborted).toBe(1);
    },
  },
];

function textOf(end: unknown): string {
  if (!(end instanceof Error)) throw new Error("the stream was expected to fail");
  return end.message;
}
