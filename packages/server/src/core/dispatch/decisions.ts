/** Who may do what, and where that is decided: the declared rules as a table, without the rules' own code. */

import { partsOf, type Policy, type Requirement } from "../auth/policy.js";
import { assigned, type GroupTemplate } from "../groups/group.js";
import type { Rate } from "../limits/token-bucket.js";
import type { Hub, HubMethod } from "./hub.js";

/**
 * Where a policy is asked. `hub`, `rooms`: when somebody connects, and again on each call. `method`: on each call, before its
 * input is read. `resource`: on each call, about what its valid input names. `group`: when somebody joins, and again
 * when the principal is replaced. `publish`: on each publication of a member. `presence`: when a member asks who is
 * there.
 */
export type DecisionPoint = "hub" | "rooms" | "method" | "resource" | "group" | "publish" | "presence";

export interface DecidingPolicy {
  readonly point: DecisionPoint;
  readonly name: string;
  /** Whether it judges something that is named where it is required. */
  readonly takesResource: boolean;
  /** What `anyOf` was made of: one yes of them is enough. Undefined of any other policy. */
  readonly anyOf: readonly string[] | undefined;
}

/** Who may connect to a hub. */
export interface HubDecision {
  readonly what: "hub";
  readonly hub: string;
  /** All must allow. None: anybody with a credential may connect, and each method has a policy of its own. */
  readonly policies: readonly DecidingPolicy[];
}

/** Who may call a method. */
export interface MethodDecision {
  readonly what: "method";
  readonly hub: string;
  readonly method: string;
  /** All must allow, in the order in which they are asked; those of the hub come first. */
  readonly policies: readonly DecidingPolicy[];
  /** Arguments that it takes before its uploads. */
  readonly arguments: number;
  /** Streams that the caller sends along. */
  readonly uploads: number;
  /** Answers with a stream: its credential is looked at again for each item. */
  readonly isStream: boolean;
  /** Takes effect once for each command id. */
  readonly isOnce: boolean;
  /** How often one principal may call it; undefined for as often as its connection may call anything. */
  readonly limit: Rate | undefined;
}

/** Who may be in the groups of a template. */
export interface GroupDecision {
  readonly what: "group";
  /** As declared: `ward/{ward}`. */
  readonly group: string;
  /** All must allow. None: no rule was given, nobody can join. */
  readonly policies: readonly DecidingPolicy[];
  /** The application says who is in; nothing a peer sends joins it. */
  readonly isAssigned: boolean;
  /** What becomes of its events for a peer that does not keep up. */
  readonly whenSlow: "close" | "drop-oldest" | "latest";
}

/** Who may come where rooms are mounted. */
export interface RoomsDecision {
  readonly what: "rooms";
  /** The path. */
  readonly rooms: string;
  /** All must allow. None: anybody with a credential may come; what they may do is up to each room. */
  readonly policies: readonly DecidingPolicy[];
}

/** Who may publish a message in a group that is open to plain WebSockets. Only its members are asked about. */
export interface PublishDecision {
  readonly what: "publish";
  /** As declared: `ward/{ward}`. */
  readonly group: string;
  readonly event: string;
  /** All must allow, beside being a member. None: every member may. */
  readonly policies: readonly DecidingPolicy[];
  /** Takes effect once for each command id, and must have one. */
  readonly isOnce: boolean;
  /** How often one principal may publish it; undefined: as often as everything else. */
  readonly limit: Rate | undefined;
}

/** Who may see who is in a group that is open to plain WebSockets. Without such a row nobody may. */
export interface PresenceDecision {
  readonly what: "presence";
  /** As declared: `ward/{ward}`. */
  readonly group: string;
  /** All must allow, beside being a member. None: every member may. */
  readonly policies: readonly DecidingPolicy[];
}

export type Decision =
  HubDecision | MethodDecision | RoomsDecision | GroupDecision | PublishDecision | PresenceDecision;

/** What a group that is open to plain WebSockets lets its members do. */
export interface OpenGroup<P> {
  readonly template: GroupTemplate<P>;
  readonly publications: ReadonlyMap<string, HubMethod<P>>;
  readonly presence: { readonly requirements: readonly Requirement<P>[] } | undefined;
}

/** Everything that a scope has declared. */
export interface Declared<P> {
  readonly hubs: Iterable<Hub<P>>;
  /** Where rooms are mounted. */
  readonly places: Iterable<{ readonly path: string; readonly hub: Pick<Hub<P>, "requirements"> }>;
  readonly templates: Iterable<GroupTemplate<P>>;
  readonly rooms: Iterable<OpenGroup<P>>;
}

/**
 * Hubs and their methods, and rooms, as they were mounted; then groups as they were declared, each with what its members
 * may do. Deeply frozen, and a new one each time.
 */
export function describeDecisions<P>({ hubs, places, templates, rooms }: Declared<P>): readonly Decision[] {
  const decisions: Decision[] = [];
  for (const hub of hubs) decisions.push(describeHub(hub), ...describeMethods(hub));
  for (const { path, hub } of places) decisions.push(describeRooms(path, hub.requirements));
  const open = new Map(Array.from(rooms, (room) => [room.template, room] as const));
  for (const template of templates) {
    const room = open.get(template);
    decisions.push(describeGroup(template), ...(room === undefined ? [] : describeOpenGroup(room)));
  }
  return Object.freeze(decisions);
}

function describeRooms<P>(path: string, requirements: readonly Requirement<P>[]): Decision {
  return Object.freeze({ what: "rooms", rooms: path, policies: describePolicies(["rooms", requirements]) });
}

function describeOpenGroup<P>({ template: { pattern }, publications, presence }: OpenGroup<P>): readonly Decision[] {
  const decisions = Array.from(publications.values(), (method): Decision =>
    Object.freeze({
      what: "publish",
      group: pattern,
      event: method.name,
      policies: describePolicies(["publish", method.requirements], ["publish", method.resourceRequirements]),
      isOnce: method.commandId !== undefined,
      limit: method.limit,
    }),
  );
  if (presence === undefined) return decisions;
  const policies = describePolicies(["presence", presence.requirements]);
  return [...decisions, Object.freeze({ what: "presence", group: pattern, policies })];
}

function describeHub<P>(hub: Hub<P>): Decision {
  return Object.freeze({ what: "hub", hub: hub.path, policies: describePolicies(["hub", hub.requirements]) });
}

function describeMethods<P>(hub: Hub<P>): Decision[] {
  return Array.from(hub.methods.values(), (method) =>
    Object.freeze({
      what: "method",
      hub: hub.path,
      method: method.name,
      policies: describePolicies(
        ["hub", hub.requirements],
        ["method", method.requirements],
        ["resource", method.resourceRequirements],
      ),
      arguments: method.schemas.length,
      uploads: method.uploads.length,
      isStream: method.isStream,
      isOnce: method.commandId !== undefined,
      limit: method.limit,
    }),
  );
}

function describeGroup<P>({ pattern, requirements, whenSlow = "close" }: GroupTemplate<P>): Decision {
  return Object.freeze({
    what: "group",
    group: pattern,
    policies: describePolicies(["group", requirements]),
    isAssigned: requirements.some(({ policy }) => (policy as Policy<unknown, never>) === assigned),
    whenSlow: typeof whenSlow === "string" ? whenSlow : "latest",
  });
}

function describePolicies<P>(
  ...asked: readonly (readonly [DecisionPoint, readonly Requirement<P>[]])[]
): readonly DecidingPolicy[] {
  return Object.freeze(
    asked.flatMap(([point, requirements]) =>
      requirements.map(({ policy, resource }) =>
        Object.freeze({
          point,
          name: policy.name,
          takesResource: resource !== undefined,
          anyOf: frozen(partsOf(policy)),
        }),
      ),
    ),
  );
}

function frozen(names: readonly string[] | undefined): readonly string[] | undefined {
  return names && Object.freeze(names);
}
