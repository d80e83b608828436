/** What is run with which client: the whole list with the newest, parts of it with the others, less what one has no means for. */

import { describe, test } from "vitest";
import { calling } from "../scenarios/calling.js";
import { clientResults } from "../scenarios/client-results.js";
import { comingBack } from "../scenarios/coming-back.js";
import { connecting } from "../scenarios/connecting.js";
import { ending } from "../scenarios/ending.js";
import { events } from "../scenarios/events.js";
import { hooks } from "../scenarios/hooks.js";
import { refusals } from "../scenarios/refusals.js";
import type { Scenario } from "../scenarios/scenario.js";
import { streaming } from "../scenarios/streaming.js";
import { streamsInShort } from "../scenarios/streams-in-short.js";
import { uploading } from "../scenarios/uploading.js";
import { everyStockClient, type Capability, type StockClient } from "./stock-clients.js";

/** Streams in both directions, calls of the server, hooks: with more clients than the newest. */
const extensive: readonly Scenario[] = [...streaming, ...uploading, ...clientResults, ...hooks];

export const scenarios: readonly Scenario[] = [
  ...connecting,
  ...calling,
  ...events,
  ...ending,
  ...refusals,
  ...comingBack,
  ...streamsInShort,
  ...extensive,
];

/**
 * What is run with a client each time: all with the newest, the core with the others, and more with 8 and 6 over
 * WebSockets.
 */
export function listFor({ version, transport }: Pick<StockClient, "version" | "transport">): readonly Scenario[] {
  if (version === 10) return scenarios;
  const isExtensive = transport === "WebSockets" && (version === 8 || version === 6);
  return scenarios.filter((scenario) => scenario.isCore || (isExtensive && extensive.includes(scenario)));
}

export interface Play {
  readonly client: StockClient;
  readonly run: readonly Scenario[];
  /** What the client cannot do, and how many scenarios of the list that leaves out. */
  readonly without: ReadonlyMap<Capability, number>;
}

/** What is run with a client: a list, less what it has no means for. */
export function playOf(client: StockClient, list: readonly Scenario[] = listFor(client)): Play {
  const without = new Map<Capability, number>();
  const run = list.filter(({ needs = [] }) => {
    const missing = needs.find((capability) => !client.can(capability));
    if (missing !== undefined) without.set(missing, (without.get(missing) ?? 0) + 1);
    return missing === undefined;
  });
  return { client, run, without };
}

/** Versions that one test file runs; files run side by side. */
export const shares = {
  "10 and 9": [10, 9],
  "8 and 7": [8, 7],
  "6 and 5": [6, 5],
  "3 and 1": [3, 1],
} as const satisfies Readonly<Record<string, readonly StockClient["version"][]>>;

/** Declares the tests of some versions. With `HUBWARD_CONFORMANCE=whole` all there are, for every client. */
export function playShare(share: keyof typeof shares): void {
  const versions: readonly number[] = shares[share];
  const isWhole = process.env["HUBWARD_CONFORMANCE"] === "whole";
  for (const client of everyStockClient.filter(({ version }) => versions.includes(version))) {
    describe(client.name, () => {
      for (const { name, run } of playOf(client, isWhole ? scenarios : listFor(client)).run)
        test(name, () => run(client));
    });
  }
}
