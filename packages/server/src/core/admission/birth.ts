/** The last word before somebody who was admitted becomes a connection. */

import type { HubwardError } from "@hubward/wire";
import type { Admission } from "../auth/policy.js";
import type { PrincipalBase } from "../auth/principal.js";
import { identityKey, type ConnectionId } from "../ids.js";
import { TooManyConnections, type PrincipalConnections } from "../limits/principal-connections.js";
import type { Telemetry } from "../telemetry.js";
import type { Admitter } from "./admission.js";
import type { FailedCredentials } from "./failed-credential.js";
import type { HoldBack } from "./hold-back.js";
import { refuse } from "./refused-attempt.js";

export interface BirthPorts<P> {
  readonly admitter: Pick<Admitter<P>, "refusal">;
  readonly places: PrincipalConnections;
  readonly holdBack: HoldBack;
  readonly telemetry: Telemetry;
  readonly failed: FailedCredentials;
}

export interface Birth {
  readonly connectionId: ConnectionId;
  /** What it would be connected to. */
  readonly path: string;
  readonly remoteAddress: string | undefined;
}

/**
 * Why there is to be no connection, or undefined: it was revoked since its door, or its principal has as many as it
 * may. Logged. To be asked in the turn in which the connection is made, once.
 */
export function refusalAtBirth<P extends PrincipalBase>(
  { authentication, principal }: Admission<P>,
  birth: Birth,
  ports: BirthPorts<P>,
): HubwardError | undefined {
  const { connectionId } = birth;
  const refusal =
    ports.admitter.refusal(authentication, connectionId) ?? ports.places.refusal(identityKey(authentication));
  if (refusal === undefined) return undefined;
  if (refusal instanceof TooManyConnections) ports.holdBack.ended(authentication, 0);
  refuse(birth, birth, ports, refusal, { authentication, roles: principal.roles, connectionId });
  return refusal;
}
