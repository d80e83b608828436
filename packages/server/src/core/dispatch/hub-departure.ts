/** A connection that has gone, as its hub's `disconnected` hook sees it. */

import type { ReasonName } from "@hubward/wire";
import type { Authentication } from "../auth/authentication.js";
import type { Connection } from "../connection/connection.js";
import type { ConnectionId } from "../ids.js";
import type { Departure } from "./hooks.js";
import { ScopedSender, type SenderPorts } from "./sender.js";

export class HubDeparture<P, Events> extends ScopedSender<P, Events> implements Departure<P, Events> {
  readonly principal: P;
  readonly authentication: Authentication;
  readonly connectionId: ConnectionId;
  readonly reason: ReasonName;

  constructor(connection: Connection<P>, reason: ReasonName, ports: SenderPorts) {
    const { admission, authentication, hub, id, tenant } = connection;
    super(ports, { tenant, hub, issuer: authentication.issuer });
    this.principal = admission.principal;
    this.authentication = authentication;
    this.connectionId = id;
    this.reason = reason;
  }
}
