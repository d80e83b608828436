/** The same scenario list where WebSockets cannot be had: over Server-Sent Events and over long polling. */

import { describe, test } from "vitest";
import { calling } from "./scenarios/calling.js";
import { connecting } from "./scenarios/connecting.js";
import { ending } from "./scenarios/ending.js";
import { events } from "./scenarios/events.js";
import { refusals } from "./scenarios/refusals.js";
import { stockClientsOver } from "./support/stock-clients.js";

for (const transport of ["ServerSentEvents", "LongPolling"] as const) {
  for (const client of stockClientsOver(transport)) {
    describe(client.name, () => {
      for (const { name, run } of [...connecting, ...calling, ...events, ...ending, ...refusals]) {
        test(name, () => run(client));
      }
    });
  }
}
