/** One connection in one group: who let it in, and when that was last judged. */

import { HubwardError } from "@hubward/wire";
import { judge, type PolicyWatch, type Verdict } from "../auth/policy.js";
import type { Connection } from "../connection/connection.js";
import { groupKey, type GroupKey, type GroupReference } from "./group.js";

export interface Membership<P> {
  readonly connection: Connection<P>;
  readonly key: GroupKey;
  /** The group with the rule and the resource that granted it, to be judged again. */
  readonly reference: GroupReference<P>;
  /** The principal version it was last judged for; frames pass only while this is the connection's. */
  judgedVersion: number;
}

/** Whether a connection is in a group, judged for who it is now. */
export function isMember<P>({ memberships, tenant, version }: Connection<P>, reference: GroupReference<P>): boolean {
  return memberships.get(groupKey(tenant, reference))?.judgedVersion === version;
}

/**
 * Whether a connection is in a group as whoever it is now: `not_member` where it is not, or will not be. While its
 * membership has not been judged for a new principal, the group's rule is asked; nothing comes of that but the answer.
 */
export function judgeMember<P>(
  connection: Connection<P>,
  reference: GroupReference<P>,
  watch: PolicyWatch,
): Verdict | Promise<Verdict> {
  const { memberships, version } = connection;
  const key = groupKey(connection.tenant, reference);
  const membership = memberships.get(key);
  if (membership?.judgedVersion === version) return undefined;
  if (membership === undefined) return new HubwardError("not_member");
  const settle = (refusal: Verdict): Verdict => {
    const isIn =
      memberships.get(key) === membership && (refusal === undefined || refusal.reason === "auth_unavailable");
    return isIn ? refusal : new HubwardError("not_member");
  };
  const verdict = judge(reference.template.requirements, connection.admission, [reference.values], watch);
  if (!(verdict instanceof Promise)) return settle(verdict);
  return verdict.then((refusal) =>
    connection.version === version ? settle(refusal) : judgeMember(connection, reference, watch),
  );
}
