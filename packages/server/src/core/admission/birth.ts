/** The last word before somebody who was admitted becomes a connection of a hub. */

import type { HubwardError } from "@hubward/wire";
import type { Admission } from "../auth/policy.js";
import type { PrincipalBase } from "../auth/principal.js";
import { identityKey, type ConnectionId } from "../ids.js";
import type { PrincipalConnections } from "../limits/principal-connections.js";
import { principalFields, type Telemetry } from "../telemetry.js";
import type { Admitter } from "./admission.js";
import type { HoldBack } from "./hold-back.js";

export interface BirthPorts<P> {
  readonly admitter: Pick<Admitter<P>, "refusal">;
  readonly places: PrincipalConnections;
  readonly holdBack: HoldBack;
  readonly telemetry: Telemetry;
}

export interface Birth {
  readonly connectionId: ConnectionId;
  /** What it would be connected to. */
  readonly path: string;
  readonly remoteAddress: string | undefined;
}

/**
 * Why there is to be no connection, or undefined: it was revoked since its door, or its principal has as many as it
 * may. To be asked in the turn in which the connection is made.
 */
export function refusalAtBirth<P extends PrincipalBase>(
  { authentication, principal }: Admission<P>,
  { connectionId, path, remoteAddress }: Birth,
  { admitter, places, holdBack, telemetry }: BirthPorts<P>,
): HubwardError | undefined {
  const refusal = admitter.refusal(authentication, connectionId);
  if (refusal !== undefined) return refusal;
  const full = places.refusal(identityKey(authentication));
  if (full === undefined) return undefined;
  telemetry({
    event: "connection.refused",
    connectionId,
    hub: path,
    reason: full.reason,
    principal: principalFields(authentication, principal.roles),
    policy: undefined,
    remoteAddress,
    hint: undefined,
  });
  holdBack.ended(authentication, 0);
  return full;
}
