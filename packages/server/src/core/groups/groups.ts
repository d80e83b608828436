/** Who is in which group on this node. Joining asks the group's rule; every way in comes through here. */

import { HubwardError } from "@hubward/wire";
import { judge, type PolicyWatch, type Verdict } from "../auth/policy.js";
import type { Connection } from "../connection/connection.js";
import { groupKey, type GroupKey, type GroupReference, type GroupTemplate } from "./group.js";
import type { MembershipCause } from "../telemetry.js";
import { judgeMember, type Membership } from "./membership.js";

export interface Groups<P> {
  /**
   * Joins after the group's rule allowed the connection's current principal. Joining twice is joining once. The
   * later decision wins: a leave while the rule is asked makes this join come to nothing, a join after it counts.
   * `by`: who asked, for the observer. Default `call`.
   * @throws HubwardError forbidden | auth_unavailable | room_limit | superseded (by a leave), or the reason the
   * connection lost its standing for; TypeError for a group that is not of these
   */
  join(connection: Connection<P>, reference: GroupReference<P>, by?: MembershipCause): Promise<void>;
  /**
   * Leaves, taking the group's frames out of what is still to be written, and withdraws joins whose rule is being
   * asked. False when there was neither.
   */
  leave(connection: Connection<P>, reference: GroupReference<P>, by?: MembershipCause): boolean;
  /**
   * Judges each membership again for the connection's principal as it is now, and says what was held of those that
   * hold. What a rule refuses is left, its frames taken out of what is still to be written. What nobody could judge
   * waits: call it again. At once where every rule answers at once; for an ended connection nothing is judged.
   */
  judgeAgain(connection: Connection<P>): Reassessment<P> | Promise<Reassessment<P>>;
  /**
   * Whether it is in as whoever it is now: `not_member`, `auth_unavailable`, or undefined where it is. Of one that has
   * ended, whether it was at its end: what a call of its does is not lost with its network.
   */
  judgeMember(connection: Connection<P>, reference: GroupReference<P>): Verdict | Promise<Verdict>;
  /** Gives back all memberships of a connection that ends. */
  release(connection: Connection<P>): void;
  /** The groups a connection is in, in the order of joining. */
  of(connection: Connection<P>): Iterable<GroupReference<P>>;
  /** The groups it is in, and those whose rule is being asked. */
  placesOf(connection: Connection<P>): Iterable<Place<P>>;
  members(key: GroupKey): ReadonlyMap<Connection<P>, Membership<P>> | undefined;
  /** The members of each group that has any. */
  all(): Iterable<ReadonlyMap<Connection<P>, Membership<P>>>;
  /** Groups with at least one member. */
  readonly size: number;
}

export interface Place<P> {
  readonly key: GroupKey;
  readonly reference: GroupReference<P>;
}

/** What came of judging memberships again. */
export interface Reassessment<P> {
  readonly lost: readonly GroupReference<P>[];
  /** Memberships nobody could judge: a rule failed, or did not answer in time. */
  readonly unanswered: number;
}

/** `joined` and `left`: each change that somebody asked for, once it is made; not what a connection loses or ends with. */
export interface GroupObserver<P> {
  joined(connection: Connection<P>, reference: GroupReference<P>, by: MembershipCause): void;
  left(connection: Connection<P>, reference: GroupReference<P>, by: MembershipCause): void;
  /**
   * Who is in may be another than before: a membership began, is asked about or was judged again, or has ended, whoever
   * made it so. Called for every one, behind the change; must be cheap, and change no membership.
   */
  changed?(membership: Membership<P>, isHeld: boolean): void;
}

/**
 * Asked before a group's rule is: what came of the application's mapping before may not be so any more for this group.
 * Resolves when the connection's principal is of now, or has lapsed or ended; undefined where there is nothing to wait
 * for. Must not reject.
 */
export type Renewal<P> = (connection: Connection<P>, reference: GroupReference<P>) => Promise<unknown> | undefined;

/** How often a verdict may be overtaken by a new principal before the join gives up. */
const MAX_ATTEMPTS = 3;

/** A join whose rule is being asked. */
interface PendingJoin<P> extends Place<P> {
  isWithdrawn: boolean;
}

/** @param isOwn whether a template was declared for these groups, where there are others beside them */
export function createGroups<P>(
  maxPerConnection: number,
  watch: PolicyWatch,
  isOwn: (template: GroupTemplate<P>) => boolean = () => true,
  observer?: GroupObserver<P>,
  renewal?: Renewal<P>,
): Groups<P> {
  const groups = new Map<GroupKey, Map<Connection<P>, Membership<P>>>();
  const pending = new Map<Connection<P>, Set<PendingJoin<P>>>();
  /** Of connections that have ended. */
  const lastIn = new WeakMap<Connection<P>, ReadonlySet<GroupKey>>();

  function begin(connection: Connection<P>, key: GroupKey, reference: GroupReference<P>): PendingJoin<P> {
    const join: PendingJoin<P> = { key, reference, isWithdrawn: false };
    const joins = pending.get(connection);
    if (joins === undefined) pending.set(connection, new Set([join]));
    else joins.add(join);
    return join;
  }

  function finish(connection: Connection<P>, join: PendingJoin<P>): void {
    const joins = pending.get(connection);
    if (joins?.delete(join) === true && joins.size === 0) pending.delete(connection);
  }

  function withdraw(connection: Connection<P>, key: GroupKey): boolean {
    let hasAny = false;
    for (const join of pending.get(connection) ?? []) {
      if (join.key !== key) continue;
      join.isWithdrawn = true;
      hasAny = true;
    }
    return hasAny;
  }

  function remove(connection: Connection<P>, key: GroupKey): boolean {
    const members = groups.get(key);
    const membership = members?.get(connection);
    if (members === undefined || membership === undefined) return false;
    members.delete(connection);
    if (members.size === 0) groups.delete(key);
    observer?.changed?.(membership, false);
    return true;
  }

  /** Takes it out of the group, and the group's frames out of what has not left yet. */
  function drop(connection: Connection<P>, key: GroupKey): boolean {
    if (!connection.memberships.delete(key)) return false;
    connection.evict(key);
    return remove(connection, key);
  }

  /** False where it was in already. */
  function add(connection: Connection<P>, key: GroupKey, reference: GroupReference<P>): boolean {
    let members = groups.get(key);
    if (members === undefined) groups.set(key, (members = new Map()));
    const membership = members.get(connection);
    if (membership !== undefined) {
      membership.judgedVersion = connection.version;
      observer?.changed?.(membership, true);
      connection.sayHeld();
      return false;
    }
    const joined: Membership<P> = { connection, key, reference, judgedVersion: connection.version };
    members.set(connection, joined);
    connection.memberships.set(key, joined);
    observer?.changed?.(joined, true);
    return true;
  }

  return {
    async join(connection, reference, by = "call") {
      const key = groupKey(connection.tenant, reference);
      const { template } = reference;
      if (!isOwn(template)) throw new TypeError(`group ${template.pattern}: declared for other connections than these`);
      if (template.requirements.length === 0) throw new HubwardError("forbidden");
      const args = [reference.values];
      let join: PendingJoin<P> | undefined;
      try {
        for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
          connection.assertActive();
          const renewing = renewal?.(connection, reference);
          if (renewing !== undefined) {
            join ??= begin(connection, key, reference);
            await renewing;
            if (join.isWithdrawn) throw new HubwardError("superseded");
            continue;
          }
          const { version } = connection;
          const verdict = judge(template.requirements, connection.admission, args, watch);
          if (verdict instanceof Promise) join ??= begin(connection, key, reference);
          const refusal = verdict instanceof Promise ? await verdict : verdict;
          // While the rule was asked, the connection may have ended, left or become someone with other rights.
          if (verdict instanceof Promise) connection.assertActive();
          if (join?.isWithdrawn === true) throw new HubwardError("superseded");
          if (connection.version !== version) continue;
          // Or somebody who is to be judged anew: what the rule said is about facts from before.
          if (verdict instanceof Promise && renewal?.(connection, reference) !== undefined) continue;
          if (refusal !== undefined) throw refusal;
          if (!connection.memberships.has(key) && connection.memberships.size >= maxPerConnection) {
            throw new HubwardError("room_limit");
          }
          if (add(connection, key, reference)) observer?.joined(connection, reference, by);
          return;
        }
        throw new HubwardError("auth_unavailable", { retryAfterSeconds: 1 });
      } finally {
        if (join !== undefined) finish(connection, join);
      }
    },

    judgeAgain(connection) {
      const { version, admission } = connection;
      const lost: GroupReference<P>[] = [];
      const asked: Promise<void>[] = [];
      let unanswered = 0;
      const settle = (membership: Membership<P>, refusal: Verdict): void => {
        const { key, reference } = membership;
        // Left meanwhile, or about somebody the connection is not any more: that one is judged by itself.
        if (connection.memberships.get(key) !== membership || connection.version !== version) return;
        if (refusal !== undefined && refusal.reason !== "auth_unavailable") {
          drop(connection, key);
          lost.push(reference);
          return;
        }
        if (refusal === undefined) {
          membership.judgedVersion = version;
        } else {
          unanswered++;
          connection.withhold(key);
        }
        observer?.changed?.(membership, true);
      };
      for (const key of Array.from(connection.memberships.keys())) {
        const membership = groups.get(key)?.get(connection);
        if (membership === undefined || membership.judgedVersion === version) continue;
        const { template, values } = membership.reference;
        const verdict = judge(template.requirements, admission, [values], watch);
        if (!(verdict instanceof Promise)) {
          settle(membership, verdict);
          continue;
        }
        observer?.changed?.(membership, true);
        asked.push(
          verdict.then((refusal) => {
            settle(membership, refusal);
            // Before anything new: the group's next frame passes at once.
            connection.sayHeld();
          }),
        );
      }
      connection.sayHeld();
      if (asked.length === 0) return { lost, unanswered };
      return Promise.all(asked).then(() => ({ lost, unanswered }));
    },

    judgeMember(connection, reference) {
      const wasIn = lastIn.get(connection)?.has(groupKey(connection.tenant, reference)) === true;
      return wasIn ? undefined : judgeMember(connection, reference, watch);
    },

    leave(connection, reference, by = "call") {
      const key = groupKey(connection.tenant, reference);
      const wasJoining = withdraw(connection, key);
      if (!drop(connection, key)) return wasJoining;
      observer?.left(connection, reference, by);
      return true;
    },

    release(connection) {
      if (!connection.hasMemberships) return;
      const wasIn = [...connection.memberships].filter(([, { judgedVersion }]) => judgedVersion === connection.version);
      if (wasIn.length > 0) lastIn.set(connection, new Set(wasIn.map(([key]) => key)));
      const keys = Array.from(connection.memberships.keys());
      connection.memberships.clear();
      for (const key of keys) remove(connection, key);
    },

    *of(connection) {
      for (const key of connection.memberships.keys()) {
        const membership = groups.get(key)?.get(connection);
        if (membership !== undefined) yield membership.reference;
      }
    },

    *placesOf(connection) {
      for (const key of connection.memberships.keys()) {
        const membership = groups.get(key)?.get(connection);
        if (membership !== undefined) yield membership;
      }
      yield* pending.get(connection) ?? [];
    },

    members: (key) => groups.get(key),
    all: () => groups.values(),

    get size() {
      return groups.size;
    },
  };
}
