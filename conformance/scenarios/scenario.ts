/** One thing that must hold for every stock client in every encoding over every transport. */

import type { Capability, StockClient } from "../support/stock-clients.js";

export interface Scenario {
  /** A sentence. */
  readonly name: string;
  /** Run with every version; the others with the newest only. */
  readonly isCore?: true;
  /** What a client must be able to do for it. Those that cannot are not run, and the table of compatibility says so. */
  readonly needs?: readonly Capability[];
  readonly run: (client: StockClient) => Promise<void>;
}
