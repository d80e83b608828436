/** A room: a group that plain WebSockets may name, with what may be said in it and who may see who is there. */

import { HubwardError, parseRoomName } from "@hubward/wire";
import { judge, type PolicyWatch, type Requirement, type Verdict } from "../core/auth/policy.js";
import type { HubMethod } from "../core/dispatch/hub.js";
import type { Connection } from "../core/connection/connection.js";
import { groupKey, type GroupReference, type GroupTemplate } from "../core/groups/group.js";

export interface Room<P> {
  readonly template: GroupTemplate<P>;
  /** Whether the application chooses its members: nothing a peer sends joins it. */
  readonly isAssigned: () => boolean;
  /** One group of the template. @throws HubwardError bad_room for values its schemas refuse */
  readonly reference: (values: Readonly<Record<string, string>>) => GroupReference<P>;
  /** What may be published, by name: a method that takes the payload and the room, and tells the members. */
  readonly publications: ReadonlyMap<string, HubMethod<P>>;
  /** Undefined: nobody is told who is there. */
  readonly presence: RoomPresence<P> | undefined;
}

/** Who may see who is there, and what they see of each. */
export interface RoomPresence<P> {
  readonly requirements: readonly Requirement<P>[];
  readonly describe: (principal: P) => unknown;
}

/** Why who is not in a room, or was not judged for who they are now, can do nothing there. Undefined for a member. */
export function notMember<P>(connection: Connection<P>, reference: GroupReference<P>): HubwardError | undefined {
  const membership = connection.memberships.get(groupKey(connection.tenant, reference));
  return membership?.judgedVersion === connection.version ? undefined : new HubwardError("not_member");
}

/**
 * The same where a request of a member's is being done and its principal was replaced: the room's own rule is asked at
 * once, because the membership will be judged a moment later only.
 */
export function notMemberAnyMore<P>(
  connection: Connection<P>,
  reference: GroupReference<P>,
  watch: PolicyWatch,
): Verdict | Promise<Verdict> {
  if (!connection.memberships.has(groupKey(connection.tenant, reference))) return new HubwardError("not_member");
  if (notMember(connection, reference) === undefined) return undefined;
  const told = (refusal: Verdict): Verdict =>
    refusal === undefined || refusal.reason === "auth_unavailable" ? refusal : new HubwardError("not_member");
  const verdict = judge(reference.template.requirements, connection.admission, [reference.values], watch);
  return verdict instanceof Promise ? verdict.then(told) : told(verdict);
}

/** All rooms of a scope. A room that is not declared cannot be named. */
export interface RoomDirectory<P> {
  /** @throws TypeError for a template whose rooms could have a name of another's */
  declare(room: Room<P>): void;
  /** @throws HubwardError bad_room */
  find(name: string): NamedRoom<P>;
  all(): Iterable<Room<P>>;
}

export interface NamedRoom<P> {
  readonly room: Room<P>;
  readonly reference: GroupReference<P>;
}

interface Entry<P> {
  readonly room: Room<P>;
  /** A text stands for itself, undefined for a parameter. */
  readonly segments: readonly (string | undefined)[];
}

export function createRoomDirectory<P>(): RoomDirectory<P> {
  /** By the number of segments. */
  const entries = new Map<number, Entry<P>[]>();

  return {
    declare(room) {
      const { pattern } = room.template;
      const segments = pattern.split("/").map((segment) => (segment.startsWith("{") ? undefined : segment));
      const alike = entries.get(segments.length) ?? [];
      const other = alike.find((entry) => overlaps(entry.segments, segments));
      if (other !== undefined)
        throw new TypeError(`room ${pattern}: a room of ${other.room.template.pattern} could have the same name`);
      entries.set(segments.length, [...alike, { room, segments }]);
    },

    find(name) {
      const given = parseRoomName(name);
      if (given === undefined) throw new HubwardError("bad_room");
      for (const { room, segments } of entries.get(given.length) ?? []) {
        if (!segments.every((segment, index) => segment === undefined || segment === given[index])) continue;
        const { parameters } = room.template;
        const values: Record<string, string> = {};
        let next = 0;
        for (const [index, segment] of segments.entries())
          if (segment === undefined) values[parameters[next++] as string] = given[index] as string;
        return { room, reference: room.reference(values) };
      }
      throw new HubwardError("bad_room");
    },

    *all() {
      for (const alike of entries.values()) for (const { room } of alike) yield room;
    },
  };
}

/** Whether one name can be of both. */
function overlaps(one: Entry<never>["segments"], other: Entry<never>["segments"]): boolean {
  return one.every((segment, index) => segment === undefined || (other[index] ?? segment) === segment);
}
