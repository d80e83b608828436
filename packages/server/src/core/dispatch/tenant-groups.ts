/** Groups from outside any call: the application puts connections in, takes them out, and asks who is in. */

import { HubwardError, type ReasonName } from "@hubward/wire";
import type { Connection } from "../connection/connection.js";
import type { Registry } from "../connection/registry.js";
import { groupKey, type GroupReference } from "../groups/group.js";
import type { Groups } from "../groups/groups.js";
import { principalAddress, type ConnectionId } from "../ids.js";
import type { PrincipalReference } from "./call.js";

/** Whose connections: one by its id, or all that a principal has on this node at this moment. */
export type GroupTarget =
  | { readonly connection: ConnectionId; readonly subject?: never; readonly issuer?: never }
  | (PrincipalReference & { readonly connection?: never });

export interface GroupRefusal {
  readonly connectionId: ConnectionId;
  /** `forbidden` by the group's rule, `auth_unavailable`, `room_limit`, `superseded` by a removal, or why it ended. */
  readonly reason: ReasonName;
  readonly retryAfterSeconds: number | undefined;
}

export interface GroupAddition {
  /** Connections that are in the group now, also those that were before. 0 when the target has no connection here. */
  readonly joined: number;
  readonly refused: readonly GroupRefusal[];
}

export interface GroupRemoval {
  /** Connections that were in the group, or whose joining was withdrawn. */
  readonly removed: number;
}

export interface GroupMember {
  readonly connectionId: ConnectionId;
  /** Path of the hub it is connected to. */
  readonly hub: string;
  readonly tenant: string | undefined;
  readonly issuer: string;
  readonly subject: string;
  readonly principalId: string;
}

export interface GroupSummary {
  /** As declared: `ward/{ward}`. */
  readonly pattern: string;
  readonly values: Readonly<Record<string, string>>;
  readonly tenant: string | undefined;
  /** Connections in it. */
  readonly size: number;
}

/** The groups of one tenant. What is counted and listed is what this node knows. */
export interface TenantGroups<P> {
  /**
   * Joins after the group's rule allowed each connection for its own principal as it is now; an assigned group's rule
   * allows all. A connection that opens later is not in it.
   */
  add(target: GroupTarget, group: GroupReference<P>): Promise<GroupAddition>;
  /**
   * Takes connections out before it returns, whatever rule let them in: what was said to the group and is still queued
   * for them is dropped, and joins whose rule is being asked come to nothing. Once it has resolved no frame of the
   * group leaves for them any more; that waits for sockets that are busy, at most until such a peer counts as slow.
   */
  remove(target: GroupTarget, group: GroupReference<P>): Promise<GroupRemoval>;
  count(group: GroupReference<P>): number;
  members(group: GroupReference<P>): readonly GroupMember[];
  /** Every group that has a member. */
  list(): readonly GroupSummary[];
}

export interface TenantGroupsPorts<P> {
  readonly groups: Groups<P>;
  readonly registry: Pick<Registry<P>, "get" | "of">;
}

export interface TenantGroupsScope {
  readonly tenant: string | undefined;
  /** What a subject without an issuer means. */
  readonly issuer: string | undefined;
}

export function createTenantGroups<P>(
  { groups, registry }: TenantGroupsPorts<P>,
  { tenant, issuer: onlyIssuer }: TenantGroupsScope,
): TenantGroups<P> {
  function find(target: GroupTarget): readonly Connection<P>[] {
    const { connection: id, subject, issuer = onlyIssuer } = target;
    if ((id === undefined) === (subject === undefined)) throw new TypeError("groups: a connection or a subject");
    if (id !== undefined) {
      const connection = registry.get(id);
      return connection === undefined || connection.tenant !== tenant ? [] : [connection];
    }
    if (issuer === undefined) throw new TypeError("groups: name the issuer, the application trusts several");
    return Array.from(registry.of(principalAddress({ tenant, issuer, principalId: subject as string })));
  }

  async function join(connection: Connection<P>, group: GroupReference<P>): Promise<GroupRefusal | undefined> {
    try {
      await groups.join(connection, group, "application");
      return undefined;
    } catch (error) {
      if (!(error instanceof HubwardError)) throw error;
      const { reason, retryAfterSeconds } = error;
      return { connectionId: connection.id, reason, retryAfterSeconds };
    }
  }

  const membersOf = (group: GroupReference<P>) => groups.members(groupKey(tenant, group));

  return {
    async add(target, group) {
      // A name that is none is a mistake, also where nobody is there to join.
      groupKey(tenant, group);
      const connections = find(target);
      const outcomes = await Promise.all(connections.map((connection) => join(connection, group)));
      const refused = outcomes.filter((outcome) => outcome !== undefined);
      return { joined: connections.length - refused.length, refused };
    },

    async remove(target, group) {
      groupKey(tenant, group);
      const removed = find(target).filter((connection) => groups.leave(connection, group, "application"));
      // A busy socket may still hold a batch with the group's frames, which nobody can take back.
      await Promise.all(removed.map(async ({ outbox }) => outbox.handedOver()));
      return { removed: removed.length };
    },

    count: (group) => membersOf(group)?.size ?? 0,

    members(group) {
      const connections = Array.from(membersOf(group)?.keys() ?? []);
      return connections.map(({ id, hub, authentication, admission }) => ({
        connectionId: id,
        hub,
        tenant: authentication.tenant,
        issuer: authentication.issuer,
        subject: authentication.subject,
        principalId: admission.principalId,
      }));
    },

    list() {
      const found: GroupSummary[] = [];
      for (const members of groups.all()) {
        const [first] = members.values();
        if (first === undefined || first.connection.tenant !== tenant) continue;
        const { template, values } = first.reference;
        found.push({ pattern: template.pattern, values: { ...values }, tenant, size: members.size });
      }
      return found;
    },
  };
}
