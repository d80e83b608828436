/** Who is in which group on this node. Joining asks the group's rule; every way in comes through here. */

import { HubwardError } from "@hubward/wire";
import { judge, type PolicyFailure } from "../auth/policy.js";
import type { Connection } from "../connection/connection.js";
import { groupKey, type GroupKey, type GroupReference } from "./group.js";
import type { Membership } from "./membership.js";

export interface Groups<P> {
  /**
   * Joins after the group's rule allowed the connection's current principal. Joining twice is joining once.
   * @throws HubwardError forbidden | auth_unavailable | room_limit, or the reason the connection lost its standing for.
   */
  join(connection: Connection<P>, reference: GroupReference<P>): Promise<void>;
  /** Leaves, taking the group's frames out of what is still to be written. False when it was no member. */
  leave(connection: Connection<P>, reference: GroupReference<P>): boolean;
  /** Gives back all memberships of a connection that ends. */
  release(connection: Connection<P>): void;
  members(key: GroupKey): ReadonlyMap<Connection<P>, Membership<P>> | undefined;
  /** Groups with at least one member. */
  readonly size: number;
}

/** How often a verdict may be overtaken by a new principal before the join gives up. */
const MAX_ATTEMPTS = 3;

export function createGroups<P>(maxPerConnection: number, onPolicyFailure: PolicyFailure): Groups<P> {
  const groups = new Map<GroupKey, Map<Connection<P>, Membership<P>>>();

  function remove(connection: Connection<P>, key: GroupKey): boolean {
    const members = groups.get(key);
    if (members === undefined || !members.delete(connection)) return false;
    if (members.size === 0) groups.delete(key);
    return true;
  }

  function add(connection: Connection<P>, key: GroupKey, reference: GroupReference<P>): void {
    let members = groups.get(key);
    if (members === undefined) groups.set(key, (members = new Map()));
    const membership = members.get(connection);
    if (membership !== undefined) {
      membership.judgedVersion = connection.version;
      return;
    }
    members.set(connection, { connection, key, reference, judgedVersion: connection.version });
    connection.memberships.add(key);
  }

  return {
    async join(connection, reference) {
      const key = groupKey(connection.tenant, reference);
      const args = [reference.values];
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        connection.assertActive();
        const { version } = connection;
        const verdict = judge(reference.template.requirements, connection.admission, args, onPolicyFailure);
        const refusal = verdict instanceof Promise ? await verdict : verdict;
        // While the rule was asked, the connection may have ended or become someone with other rights.
        if (verdict instanceof Promise) connection.assertActive();
        if (connection.version !== version) continue;
        if (refusal !== undefined) throw refusal;
        if (!connection.memberships.has(key) && connection.memberships.size >= maxPerConnection) {
          throw new HubwardError("room_limit");
        }
        add(connection, key, reference);
        return;
      }
      throw new HubwardError("auth_unavailable", { retryAfterSeconds: 1 });
    },

    leave(connection, reference) {
      const key = groupKey(connection.tenant, reference);
      if (!connection.memberships.delete(key)) return false;
      connection.outbox.evict(key);
      return remove(connection, key);
    },

    release(connection) {
      for (const key of connection.memberships) remove(connection, key);
      connection.memberships.clear();
    },

    members: (key) => groups.get(key),

    get size() {
      return groups.size;
    },
  };
}
