/** A room: a group that plain WebSockets may name, with what may be said in it and who may see who is there. */

import { HubwardError, parseRoomName } from "@hubward/wire";
import type { Requirement } from "../core/auth/policy.js";
import type { HubMethod } from "../core/dispatch/hub.js";
import type { GroupReference, GroupTemplate } from "../core/groups/group.js";

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

/**
 * What a name says by itself: whether the values may be is asked each time. It stays true whatever is declared later, for
 * no two rooms share a name.
 */
interface Reading<P> {
  readonly room: Room<P>;
  readonly values: Readonly<Record<string, string>>;
}

/** Names kept as they were read, at most: reading one costs more than all else that is asked about a message. */
const MAX_READINGS = 1_000;

interface Entry<P> {
  readonly room: Room<P>;
  /** A text stands for itself, undefined for a parameter. */
  readonly segments: readonly (string | undefined)[];
}

export function createRoomDirectory<P>(): RoomDirectory<P> {
  /** By the number of segments. */
  const entries = new Map<number, Entry<P>[]>();
  /** Of names that are some room's. */
  const readings = new Map<string, Reading<P>>();

  function read(name: string): Reading<P> {
    const given = parseRoomName(name);
    if (given === undefined) throw new HubwardError("bad_room");
    for (const { room, segments } of entries.get(given.length) ?? []) {
      if (!segments.every((segment, index) => segment === undefined || segment === given[index])) continue;
      const { parameters } = room.template;
      const values: Record<string, string> = {};
      let next = 0;
      for (const [index, segment] of segments.entries())
        if (segment === undefined) values[parameters[next++] as string] = given[index] as string;
      return { room, values: Object.freeze(values) };
    }
    throw new HubwardError("bad_room");
  }

  /** Where there are too many all are read anew: what is kept stays bounded, and is not worth counting who used it. */
  function keep(name: string, reading: Reading<P>): Reading<P> {
    if (readings.size >= MAX_READINGS) readings.clear();
    readings.set(name, reading);
    return reading;
  }

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
      const { room, values } = readings.get(name) ?? keep(name, read(name));
      return { room, reference: room.reference(values) };
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
