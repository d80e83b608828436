/** What the transports that are made of plain HTTP requests have in common. */

import type { Clock } from "../../core/clock.js";
import type { Socket } from "../../core/connection/socket.js";
import type { Beating, Heartbeat } from "../../core/supervision/heartbeat.js";
import type { KnownCredentials } from "./credentials.js";
import type { Inbox } from "./inbox.js";

export interface RequestSocketSetup {
  readonly clock: Clock;
  readonly heartbeat: Heartbeat<Beating>;
  /** Of one POST. */
  readonly maxBodyBytes: number;
  readonly credentials: KnownCredentials;
}

export interface RequestSocket extends Socket {
  /** What the client sends. */
  readonly inbox: Inbox;
  /** What names this connection in each further request. */
  readonly credentials: KnownCredentials;
}
