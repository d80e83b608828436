/** Which connections a recheck is about. */

import { requires, type Policy, type Requirement } from "../auth/policy.js";
import type { Connection } from "../connection/connection.js";
import type { PrincipalReference } from "../dispatch/call.js";
import type { Hub } from "../dispatch/hub.js";
import type { TenantScope } from "../groups/fanout.js";
import { isWithin } from "../groups/fanout.js";
import { groupKey, type GroupReference } from "../groups/group.js";
import type { Groups } from "../groups/groups.js";
import { principalAddress, type ConnectionId } from "../ids.js";

/** What somebody's rights came of that may have changed. Exactly one of them. */
export type RecheckSelector<P> =
  /** All connections of one principal, by its subject or by what the application addresses it by. */
  | Only<PrincipalReference, "subject" | "issuer">
  /** The connections whose present credential is of this login session (`sid`). */
  | Only<{ readonly session: string }, "session">
  /** The members of a group, and who is about to be one. */
  | Only<{ readonly group: GroupReference<P> }, "group">
  /** Connections of hubs that require this policy, for themselves or for one of their methods, and members of groups that do. */
  | Only<{ readonly policy: Policy<P, never> }, "policy">
  | Only<{ readonly connection: ConnectionId }, "connection">;

/** Everybody in one tenant: for those who may speak to any. */
export type TenantSelector = Only<{ readonly tenant: string }, "tenant">;

type AnyName = "subject" | "issuer" | "session" | "group" | "policy" | "connection" | "tenant";
type Only<Selector, Name extends AnyName> = Selector & { readonly [Other in Exclude<AnyName, Name>]?: never };

/** What a selector goes by. */
export type SelectorName = Exclude<AnyName, "issuer">;

const NAMES: readonly SelectorName[] = ["subject", "session", "group", "policy", "connection", "tenant"];

export interface SelectorPorts<P> {
  readonly groups: Pick<Groups<P>, "placesOf">;
  readonly hubOf: (connection: Connection<P>) => Hub<P> | undefined;
  /** What a subject without an issuer means. */
  readonly issuer: string | undefined;
}

export interface Selection<P> {
  readonly by: SelectorName;
  readonly matches: (connection: Connection<P>) => boolean;
}

/** @throws TypeError for what names nobody, or several at once */
export function select<P>(
  selector: RecheckSelector<P> | TenantSelector,
  scope: TenantScope,
  ports: SelectorPorts<P>,
): Selection<P> {
  const [by, ...others] = NAMES.filter((name) => selector?.[name] !== undefined);
  if (by === undefined || others.length > 0) throw new TypeError(`recheck: one of ${NAMES.join(", ")}`);
  const within = selector.tenant === undefined ? scope : { tenant: selector.tenant };
  const isMeant = predicate(selector, ports);
  return { by, matches: (connection) => isWithin(connection, within) && isMeant(connection) };
}

function predicate<P>(
  selector: RecheckSelector<P> | TenantSelector,
  { groups, hubOf, issuer: onlyIssuer }: SelectorPorts<P>,
): (connection: Connection<P>) => boolean {
  const { connection: id, group, policy, session, subject, issuer = onlyIssuer } = selector;
  if (id !== undefined) return (connection) => connection.id === id;
  if (session !== undefined) return ({ authentication }) => authentication.sessionId === session;
  if (subject !== undefined) {
    if (issuer === undefined) throw new TypeError("recheck: name the issuer, the application trusts several");
    return ({ tenant, address, identity }) => {
      const key: string = principalAddress({ tenant, issuer, principalId: subject });
      return address === key || identity === key;
    };
  }
  if (group !== undefined) {
    // For its complaints: a name that is none must not pass for a group without members.
    groupKey(undefined, group);
    return (connection) => {
      const key = groupKey(connection.tenant, group);
      for (const place of groups.placesOf(connection)) if (place.key === key) return true;
      return false;
    };
  }
  if (policy !== undefined) {
    const asks = (requirements: readonly Requirement<P>[]): boolean => requires(requirements, policy);
    const hubs = new Map<Hub<P>, boolean>();
    return (connection) => {
      const hub = hubOf(connection);
      if (hub !== undefined) {
        if (!hubs.has(hub)) hubs.set(hub, isAskedBy(hub, asks));
        if (hubs.get(hub) === true) return true;
      }
      for (const { reference } of groups.placesOf(connection)) if (asks(reference.template.requirements)) return true;
      return false;
    };
  }
  return () => true;
}

function isAskedBy<P>(hub: Hub<P>, asks: (requirements: readonly Requirement<P>[]) => boolean): boolean {
  if (asks(hub.requirements)) return true;
  for (const { requirements, resourceRequirements } of hub.methods.values())
    if (asks(requirements) || asks(resourceRequirements)) return true;
  return false;
}
