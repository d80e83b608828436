/** The whole scenario list, over every version of the stock client in both encodings. */

import { describe, test } from "vitest";
import { calling } from "./scenarios/calling.js";
import { connecting } from "./scenarios/connecting.js";
import { ending } from "./scenarios/ending.js";
import { events } from "./scenarios/events.js";
import { clientResults } from "./scenarios/client-results.js";
import { hooks } from "./scenarios/hooks.js";
import { refusals } from "./scenarios/refusals.js";
import { streaming } from "./scenarios/streaming.js";
import { stockClients } from "./support/stock-clients.js";

for (const client of stockClients) {
  describe(client.name, () => {
    for (const { name, run } of [
      ...connecting,
      ...calling,
      ...events,
      ...ending,
      ...refusals,
      ...streaming,
      ...clientResults,
      ...hooks,
    ]) {
      test(name, () => run(client));
    }
  });
}
