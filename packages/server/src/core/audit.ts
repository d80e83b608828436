/**
 * The audit: who came, was refused, changed and went, and why, as numbered records. A view of telemetry that adds to each
 * event about a connection whose it is. What an application's own code throws is no part of it: nobody knows what an
 * error holds.
 */

import type { ReasonName } from "@hubward/wire";
import type { Admission } from "./auth/policy.js";
import type { PrincipalBase } from "./auth/principal.js";
import type { RevocationKind, RevocationTarget } from "./auth/revocation.js";
import type { Clock, EpochMs } from "./clock.js";
import type { ConnectionId } from "./ids.js";
import type { Random } from "./random.js";
import { principalFields, type PrincipalFields, type Telemetry, type TelemetryEvent } from "./telemetry.js";

type AuditedEvent = Exclude<TelemetryEvent, { readonly event: "application.failed" }>;

/** Ids, names and reasons. Subjects and tenants are peer data: a sink escapes them (JSON does). */
export interface AuditRecord {
  /** From 1, each one more than the last of this run. One that is missing was lost. */
  readonly sequence: number;
  /** Which application this is, since it was created: another one begins at 1 again. */
  readonly run: string;
  readonly at: EpochMs;
  readonly event: AuditedEvent["event"];
  readonly connectionId: ConnectionId | undefined;
  readonly hub: string | undefined;
  /**
   * Who the connection was at that moment, or whose credential it was that verified. Undefined where nobody's did, and
   * of a connection that is gone already: its earlier records say.
   */
  readonly principal: PrincipalFields | undefined;
  /** Where its request came from, or its first transport. */
  readonly remoteAddress: string | undefined;
  readonly reason: ReasonName | undefined;
  /** Which policy said no. */
  readonly policy: string | undefined;
  /** As declared. */
  readonly method: string | undefined;
  /** As a person reads them, `ward/icu`, within the principal's tenant. */
  readonly groups: readonly string[] | undefined;
  /** What a membership came of; what a recheck went by; or who asked for a revocation, in the application's words. */
  readonly by: string | undefined;
  /** When the credential ends that was taken. */
  readonly expiresAt: number | undefined;
  /** Of a revocation, and whom it is about. */
  readonly kind: RevocationKind | undefined;
  readonly target: RevocationTarget | undefined;
  /** Live connections that a revocation or a recheck was about. */
  readonly matched: number | undefined;
  /** How many refused calls this stands for. */
  readonly count: number | undefined;
}

/** Port. */
export interface Audit {
  /** Called synchronously from the message path, in the order of the numbers: must not throw and must not block. */
  record(record: AuditRecord): void;
}

/** A connection, as far as it is in records. */
export interface AuditedConnection {
  readonly admission: Admission<PrincipalBase>;
  readonly remoteAddress: string | undefined;
}

/** Finds a connection until it is released. */
export type FindConnection = (id: ConnectionId) => AuditedConnection | undefined;

export interface AuditTrail {
  /** Telemetry that is recorded on its way to `telemetry`. */
  follow(telemetry: Telemetry, find: FindConnection): Telemetry;
}

export interface AuditTrailPorts {
  readonly audit: Audit;
  readonly clock: Pick<Clock, "now">;
  readonly random: Pick<Random, "secret">;
}

/** Bytes of a run's name. */
const RUN_BYTES = 9;

/** One trail for all scopes of an application: they share its numbers. */
export function createAuditTrail({ audit, clock, random }: AuditTrailPorts): AuditTrail {
  const run = random.secret(RUN_BYTES);
  let sequence = 0;

  return {
    follow: (telemetry, find) => (event) => {
      if (event.event !== "application.failed") {
        try {
          audit.record({ sequence: ++sequence, run, at: clock.now(), ...describe(event, find) });
        } catch (error) {
          telemetry({ event: "application.failed", where: "audit", connectionId: undefined, error });
        }
      }
      telemetry(event);
    },
  };
}

function describe(event: AuditedEvent, find: FindConnection): Omit<AuditRecord, "sequence" | "run" | "at"> {
  const connectionId = "connectionId" in event ? event.connectionId : undefined;
  const connection = connectionId === undefined ? undefined : find(connectionId);
  return {
    event: event.event,
    connectionId,
    hub: "hub" in event ? event.hub : undefined,
    principal: "principal" in event ? event.principal : connection && principalOf(connection),
    remoteAddress: "remoteAddress" in event ? event.remoteAddress : connection?.remoteAddress,
    reason: "reason" in event ? event.reason : undefined,
    policy: "policy" in event ? event.policy : undefined,
    method: "method" in event ? event.method : undefined,
    groups: "groups" in event ? event.groups : "group" in event ? [event.group] : undefined,
    by: "by" in event ? event.by : undefined,
    expiresAt: "expiresAt" in event ? event.expiresAt : undefined,
    kind: "kind" in event ? event.kind : undefined,
    target: "target" in event ? event.target : undefined,
    matched: "matched" in event ? event.matched : undefined,
    count: "count" in event ? event.count : undefined,
  };
}

function principalOf({ admission: { authentication, principal } }: AuditedConnection): PrincipalFields {
  return principalFields(authentication, principal.roles);
}
