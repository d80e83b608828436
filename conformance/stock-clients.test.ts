/** The whole scenario list, over every version of the stock client in both encodings. */

import { describe, test } from "vitest";
import { calling } from "./scenarios/calling.js";
import { connecting } from "./scenarios/connecting.js";
import { ending } from "./scenarios/ending.js";
import { events } from "./scenarios/events.js";
import { refusals } from "./scenarios/refusals.js";
import { stockClients } from "./support/stock-clients.js";

for (const client of stockClients) {
  describe(client.name, () => {
    for (const { name, run } of [...connecting, ...calling, ...events, ...ending, ...refusals]) {
      test(name, () => run(client));
    }
  });
}
