/** Open connections as values: what an administrator may know of each, without a way to reach into one. */

import type { PrincipalBase } from "../auth/principal.js";
import type { Clock } from "../clock.js";
import { groupName, type GroupReference } from "../groups/group.js";
import type { ConnectionId } from "../ids.js";
import type { Connection } from "./connection.js";
import type { LapseReason } from "./lifecycle.js";

/** One connection as it was when it was asked about. */
export interface LiveConnection {
  readonly connectionId: ConnectionId;
  readonly hub: string;
  /** SignalR's name of the transport: `WebSockets`, `ServerSentEvents`, `LongPolling`. */
  readonly transport: string;
  readonly tenant: string | undefined;
  readonly issuer: string;
  readonly subject: string;
  readonly roles: readonly string[];
  /** Login session (`sid`). */
  readonly sessionId: string | undefined;
  /** The credential's own id (`jti`). */
  readonly tokenId: string | undefined;
  /** `lapsed`: waits for a new credential. `detached`: waits for its client to come back. */
  readonly standing: "active" | "lapsed" | "detached";
  /** Why it has lapsed, while it has. */
  readonly lapsedFor: LapseReason | undefined;
  /** When its credential ends. Milliseconds since 1970. */
  readonly expiresAt: number;
  /** When its transport was accepted. Milliseconds since 1970. */
  readonly since: number;
  readonly remoteAddress: string | undefined;
  /** Its groups as a person reads them, in the order of joining: `ward/icu`. */
  readonly groups: readonly string[];
}

export interface ListingPorts<P> {
  readonly registry: { all(): Iterable<Connection<P>> };
  readonly clock: Pick<Clock, "now" | "monotonic">;
  readonly groups: { of(connection: Connection<P>): Iterable<GroupReference<P>> };
  readonly transportOf: (connection: Connection<P>) => string | undefined;
}

/** Lists open connections one at a time, as they are when they are asked for. Frozen values. */
export type ListConnections = (isWanted: (tenant: string | undefined) => boolean) => Iterable<LiveConnection>;

export function createListing<P extends PrincipalBase>({
  registry,
  clock,
  groups,
  transportOf,
}: ListingPorts<P>): ListConnections {
  function describe(connection: Connection<P>): LiveConnection {
    const { admission, authentication, lapse } = connection;
    const { tenant, issuer, subject, sessionId, tokenId, expiresAt } = authentication;
    return Object.freeze({
      connectionId: connection.id,
      hub: connection.hub,
      transport: transportOf(connection) ?? "unknown",
      tenant,
      issuer,
      subject,
      roles: admission.principal.roles,
      sessionId,
      tokenId,
      standing: lapse !== undefined ? "lapsed" : connection.isDetached ? "detached" : "active",
      lapsedFor: lapse,
      expiresAt,
      since: Math.round(clock.now() - connection.ageMs(clock.monotonic())),
      remoteAddress: connection.remoteAddress,
      groups: Object.freeze(Array.from(groups.of(connection), groupName)),
    });
  }

  return function* list(isWanted) {
    for (const connection of registry.all()) if (isWanted(connection.tenant)) yield describe(connection);
  };
}
