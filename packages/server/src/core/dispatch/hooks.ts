/** What an application does when a connection has come, and when it has gone. */

import type { ReasonName } from "@hubward/wire";
import type { Authentication } from "../auth/authentication.js";
import type { ConnectionId } from "../ids.js";
import type { Call, Sender } from "./call.js";

/** Who has gone. It speaks as the application does, within the connection's tenant and hub. */
export interface Departure<P, Events = unknown> extends Sender<P, Events> {
  /** The principal as it was when the connection ended. */
  readonly principal: P;
  readonly authentication: Authentication;
  readonly connectionId: ConnectionId;
  readonly reason: ReasonName;
}

export interface HubHooks<P> {
  /**
   * The handshake is done. Until it has settled no call is handled and no event leaves, so that groups joined here
   * miss nothing, and clients cannot be asked for results. A failure ends the connection: `internal_error`, or the
   * reason of the HubwardError it threw; so does taking longer than `handshakeTimeoutMs`: `upstream_timeout`.
   * `call.signal` aborts when the connection ends meanwhile.
   */
  readonly connected: ((call: Call<P>) => unknown) | undefined;
  /** The connection is gone. Runs once, after `connected` has succeeded, however late, and never where it failed. */
  readonly disconnected: ((departure: Departure<P>) => unknown) | undefined;
}
