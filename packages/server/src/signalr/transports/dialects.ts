/** Every transport's dialects, one object for each: publications are rendered once per dialect. */

import type { TransportName } from "@hubward/wire";
import { dialects as webSocketDialects, type Dialects } from "../dialect.js";
import { longPollingDialects } from "./long-polling.js";
import { serverSentEventDialects } from "./server-sent-events.js";

export const transportDialects: Readonly<Record<TransportName, Dialects>> = {
  WebSockets: webSocketDialects,
  ServerSentEvents: serverSentEventDialects,
  LongPolling: longPollingDialects,
};
