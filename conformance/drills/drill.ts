/** One rehearsal of a bad day, with any stock client that reconnects by itself, on either clock. */

import type { StockClient } from "../support/stock-clients.js";
import type { WardTimes } from "../support/ward.js";

export interface Drill {
  readonly name: string;
  run(client: StockClient, times: WardTimes): Promise<void>;
}
