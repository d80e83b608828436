/** One thing that must hold for every stock client in every encoding. */

import type { StockClient } from "../support/stock-clients.js";

export interface Scenario {
  /** A sentence. */
  readonly name: string;
  readonly run: (client: StockClient) => Promise<void>;
}
