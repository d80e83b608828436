/** Which connections a recheck is about. */

import type { Authentication } from "../auth/authentication.js";
import type { CredentialName } from "../auth/credential-name.js";
import { requires, type Policy, type Requirement } from "../auth/policy.js";
import type { Connection } from "../connection/connection.js";
import type { PrincipalReference } from "../dispatch/call.js";
import type { Hub } from "../dispatch/hub.js";
import type { TenantScope } from "../groups/fanout.js";
import { isWithin } from "../groups/fanout.js";
import { groupKey, type GroupReference } from "../groups/group.js";
import type { Groups, Place } from "../groups/groups.js";
import { principalAddress, type ConnectionId } from "../ids.js";

/** What somebody's rights came of that may have changed. Exactly one of them. */
export type RecheckSelector<P> =
  /** All connections of one principal, by its subject or by what the application addresses it by. */
  | Only<PrincipalReference, "subject" | "issuer">
  /** The connections whose present credential is of this login session (`sid`). */
  | Only<{ readonly session: string }, "session">
  /** The members of a group, and who is about to be one; whoever else joins it later is mapped anew before. */
  | Only<{ readonly group: GroupReference<P> }, "group">
  /**
   * Connections of hubs that require this policy, for themselves or for one of their methods, and members of groups that
   * do: to be in, to publish there or to see who is there. Whoever joins such a group later is mapped anew before.
   */
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
  /** What it names, in parts. */
  readonly about: readonly unknown[];
  /** What all whom it names have in common; undefined where each has to be asked. */
  readonly name?: CredentialName | undefined;
  /** @param authentication one that is to take the place of the present one; default that one */
  readonly matches: (connection: Connection<P>, authentication?: Authentication) => boolean;
  /** Whether it is about who may be in a group, or what may be done there; undefined for one about nothing like it. */
  readonly concerns: ((connection: Connection<P>, group: GroupReference<P>) => boolean) | undefined;
}

type Meant<P> = Omit<Selection<P>, "by">;

/** @throws TypeError for what names nobody, or several at once */
export function select<P>(
  selector: RecheckSelector<P> | TenantSelector,
  scope: TenantScope,
  ports: SelectorPorts<P>,
): Selection<P> {
  const [by, ...others] = NAMES.filter((name) => selector?.[name] !== undefined);
  if (by === undefined || others.length > 0) throw new TypeError(`recheck: one of ${NAMES.join(", ")}`);
  const within = selector.tenant === undefined ? scope : { tenant: selector.tenant };
  const { about, name, matches, concerns } = meantBy(selector, ports);
  return {
    by,
    name,
    about: [by, ...(within === "every" ? [true] : [false, within.tenant]), ...about],
    matches: (connection, authentication) => isWithin(connection, within) && matches(connection, authentication),
    concerns: concerns && ((connection, group) => isWithin(connection, within) && concerns(connection, group)),
  };
}

function meantBy<P>(selector: RecheckSelector<P> | TenantSelector, ports: SelectorPorts<P>): Meant<P> {
  const { connection: id, group, policy, session, subject, issuer = ports.issuer } = selector;
  const concerns = undefined;
  if (id !== undefined) {
    const name = { type: "connection", connectionId: id } as const;
    return { about: [id], name, matches: (connection) => connection.id === id, concerns };
  }
  if (session !== undefined) {
    const matches: Meant<P>["matches"] = (connection, { sessionId } = connection.authentication) =>
      sessionId === session;
    return { about: [session], name: { type: "session", sessionId: session }, matches, concerns };
  }
  if (subject !== undefined) {
    if (issuer === undefined) throw new TypeError("recheck: name the issuer, the application trusts several");
    // Asked of every live connection in one go, and of whoever connects: most are of one tenant.
    let last: { readonly tenant: string | undefined; readonly key: string } | undefined;
    const matches: Meant<P>["matches"] = ({ tenant, address, identity }) => {
      if (last === undefined || last.tenant !== tenant)
        last = { tenant, key: principalAddress({ tenant, issuer, principalId: subject }) };
      return address === last.key || identity === last.key;
    };
    return { about: [issuer, subject], name: { type: "subject", subject }, matches, concerns };
  }
  if (group !== undefined) return meantByGroup(group, ports);
  if (policy !== undefined) return meantByPolicy(policy, ports);
  return { about: [], matches: () => true, concerns };
}

function meantByGroup<P>(group: GroupReference<P>, { groups }: SelectorPorts<P>): Meant<P> {
  // For its complaints: a name that is none must not pass for a group without members.
  const key = groupKey(undefined, group);
  const { template, values } = group;
  const isIt = (other: GroupReference<P>): boolean =>
    other.template === template && template.parameters.every((name) => other.values[name] === values[name]);
  return {
    about: [key],
    matches: (connection) => isSomewhere(groups.placesOf(connection), isIt),
    concerns: (_connection, joined) => isIt(joined),
  };
}

function meantByPolicy<P>(policy: Policy<P, never>, { groups, hubOf }: SelectorPorts<P>): Meant<P> {
  const asks = (requirements: readonly Requirement<P>[]): boolean => requires(requirements, policy);
  const hubs = new Map<Hub<P>, boolean>();
  const isAskedIn = ({ template: { requirements, memberRequirements = [] } }: GroupReference<P>): boolean =>
    asks(requirements) || asks(memberRequirements);
  return {
    about: [policy],
    matches(connection) {
      const hub = hubOf(connection);
      if (hub !== undefined) {
        if (!hubs.has(hub)) hubs.set(hub, isAskedBy(hub, asks));
        if (hubs.get(hub) === true) return true;
      }
      return isSomewhere(groups.placesOf(connection), isAskedIn);
    },
    concerns: (_connection, group) => isAskedIn(group),
  };
}

function isSomewhere<P>(places: Iterable<Place<P>>, isIt: (group: GroupReference<P>) => boolean): boolean {
  for (const { reference } of places) if (isIt(reference)) return true;
  return false;
}

function isAskedBy<P>(hub: Hub<P>, asks: (requirements: readonly Requirement<P>[]) => boolean): boolean {
  if (asks(hub.requirements)) return true;
  for (const { requirements, resourceRequirements } of hub.methods.values())
    if (asks(requirements) || asks(resourceRequirements)) return true;
  return false;
}
