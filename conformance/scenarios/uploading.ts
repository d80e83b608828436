/** Streams from the client, and from both sides at once. */

import { expect } from "vitest";
import { connect, createStreams, listen } from "../support/streams.js";
import { failure } from "../support/world.js";
import type { StockClient } from "../support/stock-clients.js";
import type { Scenario } from "./scenario.js";

/** Without a WebSocket each item is a request of its own: fewer, and still far more than the buffer of ten. */
function itemsFor({ transport }: StockClient, count: number): number {
  return transport === "WebSockets" ? count : count / 10;
}

export const uploading: readonly Scenario[] = [
  {
    name: "uploads a stream",
    needs: ["uploads"],
    async run(client) {
      const streams = await createStreams();
      const party = await connect(streams, client);
      const numbers = client.createSubject<number>();
      const sum = party.connection.invoke("Sum", numbers);
      const last = itemsFor(client, 500);
      for (let count = 1; count <= last; count++) numbers.next(count);
      numbers.complete();
      expect(await sum).toBe((last * (last + 1)) / 2);
    },
  },
  {
    name: "uploads several streams beside an argument",
    needs: ["uploads"],
    async run(client) {
      const streams = await createStreams();
      const party = await connect(streams, client);
      const [words, numbers] = [client.createSubject<string>(), client.createSubject<number>()];
      // Not side by side: every version so far overlooks the second of two neighbours when it takes streams out of
      // the arguments (HubConnection.ts, _replaceStreamingParams).
      const zipped = party.connection.invoke("Zip", words, "both", numbers);
      for (const number of [1, 2, 3]) {
        numbers.next(number);
        words.next(String.fromCharCode(96 + number));
      }
      numbers.complete();
      words.complete();
      expect(await zipped).toBe("both: abc 123");
    },
  },
  {
    name: "uploads a stream that fails, and one whose items do not fit",
    needs: ["uploads"],
    async run(client) {
      const streams = await createStreams();
      const party = await connect(streams, client);
      const said = "An unexpected error occurred invoking 'Sum' on the server. HubException:";
      const broken = client.createSubject<number>();
      const sum = failure(party.connection.invoke("Sum", broken));
      broken.next(1);
      broken.error(new Error("out of numbers"));
      expect((await sum).message).toMatch(new RegExp(`^${said.replaceAll(".", "\\.")} .*out of numbers$`));
      const wrong = client.createSubject<unknown>();
      const misfit = failure(party.connection.invoke("Sum", wrong));
      wrong.next("one");
      expect((await misfit).message).toBe(`${said} Failed to bind Stream message.`);
      wrong.complete();
      const none = await failure(party.connection.invoke("Sum"));
      expect(none.message).toBe(`${said} Client sent 0 stream(s), Hub method expects 1.`);
      expect(await party.connection.invoke("Echo", "still here")).toBe("still here");
    },
  },
  {
    name: "goes on when a method has read enough of a stream that does not end",
    needs: ["uploads"],
    async run(client) {
      const streams = await createStreams();
      const party = await connect(streams, client);
      const endless = client.createSubject<number>();
      const first = party.connection.invoke("First", endless);
      for (let count = 1; count <= itemsFor(client, 1_000); count++) endless.next(count);
      expect(await first).toBe(1);
      expect(await party.connection.invoke("Echo", "still here")).toBe("still here");
    },
  },
  {
    name: "gets a stream made of the one it uploads, also where both are large",
    needs: ["uploads"],
    async run(client) {
      const streams = await createStreams();
      const party = await connect(streams, client);
      const words = client.createSubject<string>();
      const upper = listen(party, "Upper", words);
      const long = "x".repeat(30_000);
      for (let count = 0; count < 100; count++) words.next(`${count}${long}`);
      words.complete();
      expect(await upper.end).toBeUndefined();
      expect(upper.items.items.map((item) => Number.parseInt(String(item), 10))).toEqual(
        Array.from({ length: 100 }, (_, index) => index),
      );
      expect(upper.items.items[99]).toBe(`99${"X".repeat(30_000)}`);
    },
  },
];
