/** A hub of streams, down, up and both at once, and how a stock client reads them. */

import { hasRole, HubError, type App, type Principal } from "@hubward/server";
import { Recorder } from "../../tests/support/recorder.js";
import { anything, text, wholeNumber } from "../../tests/support/schemas.js";
import type { StockClient } from "./stock-clients.js";
import { createWorld, type Party, type World } from "./world.js";

interface Seen {
  /** Generators that were entered and have not been left. */
  open: number;
  aborted: number;
  readonly given: Recorder<number>;
}

export interface Streams {
  readonly world: World;
  readonly seen: Seen;
  readonly url: string;
}

/** A hub of streams beside the usual one. */
export async function createStreams(options: Parameters<typeof createWorld>[0] = {}): Promise<Streams> {
  const world = await createWorld(options);
  const seen: Seen = { open: 0, aborted: 0, given: new Recorder() };
  mount(world.app, seen);
  return { world, seen, url: `http://127.0.0.1:${world.port}/hubs/streams` };
}

function mount(app: App<Principal>, seen: Seen): void {
  const doctors = app.policy("StreamDoctors", hasRole("doctor"));
  app
    .hub("/hubs/streams")
    .allow(app.policy("StreamAnyone", () => true))
    .methods((m) => ({
      Echo: m.args(anything).handle((_call, value) => value),
      Count: m.args(wholeNumber).stream(async function* (_call, to) {
        for (let count = 1; count <= to; count++) {
          await Promise.resolve();
          yield count;
        }
      }),
      List: m.stream(() => ["a", null, { b: 1 }]),
      ForEver: m.stream(async function* (call) {
        seen.open++;
        call.signal.addEventListener("abort", () => seen.aborted++);
        try {
          for (let count = 0; ; count++) {
            // One in each turn: the client lives in the same process and must not fall behind.
            await new Promise((resolve) => setImmediate(resolve));
            seen.given.push(count);
            yield count;
          }
        } finally {
          seen.open--;
        }
      }),
      UntilCancelled: m.stream(async function* (call) {
        seen.open++;
        try {
          yield 0;
          await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
        } finally {
          seen.open--;
        }
      }),
      FailAfter: m.args(wholeNumber, text).stream(function* (_call, after, words) {
        for (let count = 0; count < after; count++) yield count;
        throw words === "" ? new Error("a secret of the server") : new HubError(words);
      }),
      FailBefore: m.stream((): number[] => {
        throw new HubError("no stream today");
      }),
      Doctors: m.allow(doctors).stream(() => [1]),
      Sum: m.uploads(wholeNumber).handle(async (_call, numbers) => {
        let sum = 0;
        for await (const number of numbers) sum += number;
        return sum;
      }),
      Zip: m
        .args(text)
        .uploads(text, wholeNumber)
        .handle(async (_call, prefix, words, numbers) => {
          const [all, counts]: [string[], number[]] = [[], []];
          for await (const word of words) all.push(word);
          for await (const number of numbers) counts.push(number);
          return `${prefix}: ${all.join("")} ${counts.join("")}`;
        }),
      First: m.uploads(anything).handle(async (_call, items) => {
        for await (const item of items) return item;
        return null;
      }),
      Upper: m.uploads(text).stream(async function* (_call, words) {
        for await (const word of words) yield word.toUpperCase();
      }),
    }));
}

export interface Heard {
  readonly items: Recorder<unknown>;
  readonly end: Promise<unknown>;
  dispose(): void;
}

/** Reads a stream to its end: `undefined` when it completed, the error when it failed. */
export function listen({ connection }: Party, method: string, ...args: unknown[]): Heard {
  const items = new Recorder<unknown>();
  let subscription: { dispose(): void } | undefined;
  const end = new Promise((resolve) => {
    subscription = connection
      .stream(method, ...args)
      .subscribe({ next: items.push, complete: () => resolve(undefined), error: resolve });
  });
  return { items, end, dispose: () => subscription?.dispose() };
}

export function connect({ world, url }: Streams, client: StockClient): Promise<Party> {
  return world.connect(client, { roles: [] }, {}, url);
}
