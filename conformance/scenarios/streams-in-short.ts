/** Streams in both directions and calls of the server, as far as each version has them: whether they work at all. */

import { expect } from "vitest";
import { text, wholeNumber } from "../../tests/support/schemas.js";
import { Recorder } from "../../tests/support/recorder.js";
import { until } from "../../tests/support/until.js";
import type { StockClient } from "../support/stock-clients.js";
import { createWorld, type Party } from "../support/world.js";
import type { Scenario } from "./scenario.js";

interface Streaming {
  readonly party: Party;
  /** Generators that were entered and have not been left. */
  readonly running: { count: number };
}

async function connect(client: StockClient): Promise<Streaming> {
  const world = await createWorld();
  const running = { count: 0 };
  world.app
    .hub("/hubs/short")
    .allow(world.app.policy("ShortAnyone", () => true))
    .methods((m) => ({
      Count: m.args(wholeNumber).stream(async function* (_call, to) {
        for (let count = 1; count <= to; count++) {
          await Promise.resolve();
          yield count;
        }
      }),
      Endless: m.stream(async function* () {
        running.count++;
        try {
          for (let count = 1; ; count++) {
            await new Promise((resolve) => setImmediate(resolve));
            yield count;
          }
        } finally {
          running.count--;
        }
      }),
      Sum: m.uploads(wholeNumber).handle(async (_call, numbers) => {
        let sum = 0;
        for await (const number of numbers) sum += number;
        return sum;
      }),
      Ask: m.args(text).handle((call, question) => call.toCaller().invoke("answer", [question], { result: text })),
      Add: m.args(wholeNumber, wholeNumber).handle((_call, a, b) => a + b),
    }));
  const url = world.url.replace("conformance", "short");
  return { party: await world.connect(client, {}, {}, url), running };
}

export const streamsInShort: readonly Scenario[] = [
  {
    name: "reads a stream to its end",
    isCore: true,
    async run(client) {
      const { party } = await connect(client);
      const items = new Recorder<unknown>();
      const end = await new Promise<unknown>((resolve) => {
        party.connection
          .stream("Count", 200)
          .subscribe({ next: items.push, complete: () => resolve("complete"), error: resolve });
      });
      expect(end).toBe("complete");
      expect(items.items).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
    },
  },
  {
    name: "cancels a stream that has no end, and stays connected",
    isCore: true,
    needs: ["cancelling"],
    async run(client) {
      const { party, running } = await connect(client);
      const items = new Recorder<unknown>();
      const subscription = party.connection
        .stream("Endless")
        .subscribe({ next: items.push, complete: () => undefined, error: () => undefined });
      await items.take(20);
      subscription.dispose();
      await until(() => running.count === 0);
      expect(await party.connection.invoke("Add", 20, 22)).toBe(42);
    },
  },
  {
    name: "uploads a stream",
    isCore: true,
    needs: ["uploads"],
    async run(client) {
      const { party } = await connect(client);
      const numbers = client.createSubject<number>();
      const sum = party.connection.invoke("Sum", numbers);
      for (let number = 1; number <= 100; number++) numbers.next(number);
      numbers.complete();
      expect(await sum).toBe(5_050);
    },
  },
  {
    name: "answers what the server asks",
    isCore: true,
    needs: ["client results"],
    async run(client) {
      const { party } = await connect(client);
      party.connection.on("answer", (question: string) => `to ${question}`);
      expect(await party.connection.invoke("Ask", "how many?")).toBe("to how many?");
    },
  },
];
