/** Where rooms are mounted: a path, who may come there, and what a client may ask for. */

import { HubwardError, roomsLimitDefaults, type ReadLimits } from "@hubward/wire";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Requirement } from "../core/auth/policy.js";
import type { Hub, HubMethod } from "../core/dispatch/hub.js";
import { hubDefaults } from "../core/dispatch/hub-settings.js";
import { judgeMember } from "../core/groups/membership.js";
import type { NamedRoom, Room, RoomDirectory } from "./room.js";
import type { RoomsSettings } from "./rooms-settings.js";

export interface RoomsPlace<P> {
  readonly path: string;
  readonly settings: RoomsSettings;
  readonly directory: RoomDirectory<P>;
  /** Bounds of one message. */
  readonly limits: ReadLimits;
  /** What is asked of everybody and on every request; and joining and leaving, as methods that take a room. */
  readonly hub: Hub<P>;
  /** What may be published in a room, for people of this place. */
  publicationsOf(room: Room<P>): Hub<P>;
  /** Who may see who is in a room, as a method that takes the room. */
  presenceOf(room: Room<P>): Hub<P>;
}

/** Methods of a place's own hub. */
export const JOIN = "join";
export const LEAVE = "leave";
/** The method of {@link RoomsPlace.presenceOf}. */
export const WHO = "who";

/** @param requirements more may be added until the first client comes */
export function createRoomsPlace<P>(
  path: string,
  settings: RoomsSettings,
  directory: RoomDirectory<P>,
  requirements: readonly Requirement<P>[],
): RoomsPlace<P> {
  const common = {
    requirements,
    settings: { ...hubDefaults, connectionRate: settings.connectionRate },
    filters: [],
    hooks: NO_HOOKS,
  };
  const publications = new WeakMap<Room<P>, Hub<P>>();
  const presences = new WeakMap<Room<P>, Hub<P>>();
  return {
    path,
    settings,
    directory,
    limits: { ...roomsLimitDefaults, maxBytes: settings.maxMessageBytes },
    hub: {
      ...common,
      path,
      methods: new Map([joining<P>(), leaving<P>()].map((each) => [each.name, each])),
    },
    publicationsOf(room) {
      const known = publications.get(room);
      if (known !== undefined) return known;
      // No path: nothing is mounted there. A command's id counts within what it was said in.
      const made: Hub<P> = { ...common, path: `room ${room.template.pattern}`, methods: room.publications };
      publications.set(room, made);
      return made;
    },
    presenceOf(room) {
      const known = presences.get(room);
      if (known !== undefined) return known;
      const made: Hub<P> = { ...common, path, methods: new Map([[WHO, looking(room)]]) };
      presences.set(room, made);
      return made;
    },
  };
}

const NO_HOOKS = { connected: undefined, disconnected: undefined };

/** A room that was found by its name: the server's own value. */
const anything: StandardSchemaV1 = {
  "~standard": { version: 1, vendor: "hubward", validate: (value) => ({ value }) },
};

const METHOD = {
  schemas: [anything],
  requirements: [],
  resourceRequirements: [],
  commandId: undefined,
  uploads: [],
  isStream: false,
} as const;

function joining<P>(): HubMethod<P> {
  return {
    ...METHOD,
    name: JOIN,
    handle(call, { room, reference }: NamedRoom<P>) {
      if (room.isAssigned()) throw new HubwardError("forbidden");
      return call.groups.join(reference);
    },
  };
}

function leaving<P>(): HubMethod<P> {
  return {
    ...METHOD,
    name: LEAVE,
    handle(call, { reference }: NamedRoom<P>) {
      if (!call.groups.leave(reference)) throw new HubwardError("not_member");
    },
  };
}

/** Lets members ask who may see who is there; what there is to see is looked up when they are answered. */
function looking<P>({ presence }: Room<P>): HubMethod<P> {
  return {
    ...METHOD,
    name: WHO,
    requirements: presence?.requirements ?? [],
    precondition: (connection, [named], watch) => judgeMember(connection, (named as NamedRoom<P>).reference, watch),
    handle() {
      if (presence === undefined) throw new HubwardError("forbidden");
    },
  };
}
