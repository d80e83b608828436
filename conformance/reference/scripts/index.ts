/** Every script, in the order of their files. */

import type { Script } from "../runner/script.js";
import { clientResults } from "./client-results.js";
import { closing } from "./close.js";
import { events } from "./events.js";
import { handshake } from "./handshake.js";
import { invocations } from "./invocations.js";
import { cors, negotiate } from "./negotiate.js";
import { resuming } from "./resuming.js";
import { streaming } from "./streams.js";
import { transports } from "./transports.js";
import { uploading } from "./uploads.js";

export const scripts: readonly Script[] = [
  negotiate,
  cors,
  handshake,
  invocations,
  events,
  closing,
  streaming,
  uploading,
  clientResults,
  transports,
  resuming,
];
