/** Who is in a room: told to members who may see it, once or for as long as they follow. Costs nothing where nobody does. */

import { HubwardError, writeRoomName, type RequestId } from "@hubward/wire";
import { judge, type PolicyWatch, type Verdict } from "../core/auth/policy.js";
import type { Clock } from "../core/clock.js";
import type { Connection } from "../core/connection/connection.js";
import { groupKey, type GroupKey, type View } from "../core/groups/group.js";
import type { Groups } from "../core/groups/groups.js";
import { isMember, type Membership } from "../core/groups/membership.js";
import { joinKey, type IdentityKey } from "../core/ids.js";
import type { Frame } from "../core/publication.js";
import type { RoomsDialect } from "./dialect.js";
import { counts, describeOne, FollowedRoom } from "./followed-room.js";
import type { NamedRoom, RoomPresence } from "./room.js";

export interface PresencePorts<P> {
  readonly clock: Pick<Clock, "after">;
  readonly groups: Pick<Groups<P>, "members">;
  readonly watch: PolicyWatch;
}

/** What a member asks for who may see who is there. */
export interface Look<P> extends NamedRoom<P> {
  readonly connection: Connection<P>;
  readonly dialect: RoomsDialect;
  readonly id: RequestId | undefined;
  /** Undefined: as it was. */
  readonly follow: boolean | undefined;
}

export interface Presence<P> {
  /**
   * Who is there now, as a `present` frame of a view of that room: what changes is told behind it, and who loses the room,
   * or may not see any more who is there, is told neither. @throws HubwardError not_member | forbidden | internal_error
   */
  look(look: Look<P>): Frame | undefined;
  /**
   * Its principal was replaced: of what it sees it is told nothing until the rule has allowed it again. What the rule does
   * not allow is taken back as far as it has not left. A promise until every rule has answered; undefined where all have.
   */
  judgeAgain(connection: Connection<P>): Promise<unknown> | undefined;
  /** @see GroupObserver.changed */
  changed(membership: Membership<P>, isHeld: boolean): void;
}

/** People that one answer tells of, at most. */
export const MAX_PRESENT = 1_000;

/** Somebody who asked who is there, as long as they are in the room and may. */
interface Viewer<P> extends View {
  judgedVersion: number;
  readonly key: GroupKey;
  readonly dialect: RoomsDialect;
  readonly rule: RoomPresence<P>;
  readonly name: string;
}

/** The key of what is told of who is in a group. No group has it: a pattern begins with a letter. */
function viewKeyOf(key: GroupKey): GroupKey {
  return joinKey(["presence", key]) as GroupKey;
}

export function createPresence<P>({ clock, groups, watch }: PresencePorts<P>): Presence<P> {
  const followed = new Map<GroupKey, FollowedRoom<P>>();
  /** By the group that they see. */
  const viewers = new WeakMap<Connection<P>, Map<GroupKey, Viewer<P>>>();

  function view({ connection, dialect, room, reference }: Look<P>, of: GroupKey, rule: RoomPresence<P>): Viewer<P> {
    const key = viewKeyOf(of);
    const name = writeRoomName(room.template.pattern, reference.values);
    const viewer = { of, key, reference, judgedVersion: connection.version, dialect, rule, name };
    connection.views.set(key, viewer);
    const known = viewers.get(connection);
    if (known === undefined) viewers.set(connection, new Map([[of, viewer]]));
    else known.set(of, viewer);
    return viewer;
  }

  function follow(connection: Connection<P>, { dialect, key, name, of, reference, rule }: Viewer<P>): void {
    let room = followed.get(of);
    if (room === undefined) {
      const failed = (error: unknown): void => watch.failed(whereOf(reference.template.pattern), error);
      const ports = { clock, key: of, viewKey: key, name, describe: rule.describe, failed };
      room = new FollowedRoom<P>(groups.members(of)?.values() ?? [], ports);
      followed.set(of, room);
    }
    room.follow(connection, dialect);
  }

  function unfollow(key: GroupKey, connection: Connection<P>): void {
    const room = followed.get(key);
    room?.unfollow(connection);
    if (room?.isFollowed === false) followed.delete(key);
  }

  /** Takes back what was not written yet. True where there was something to tell, now or later. */
  function lose(connection: Connection<P>, { key, of }: Viewer<P>): boolean {
    const wasFollowing = followed.get(of)?.isFollowedBy(connection) === true;
    unfollow(of, connection);
    connection.views.delete(key);
    viewers.get(connection)?.delete(of);
    const hadFrames = connection.evict(key);
    return wasFollowing || hadFrames;
  }

  /** Each person once, in the order of joining. */
  function* people(key: GroupKey): Iterable<P> {
    const seen = new Set<IdentityKey>();
    for (const membership of groups.members(key)?.values() ?? []) {
      const { admission, identity } = membership.connection;
      if (!counts(membership) || seen.has(identity)) continue;
      seen.add(identity);
      yield admission.principal;
    }
  }

  function settle(connection: Connection<P>, viewer: Viewer<P>, version: number, refusal: Verdict): void {
    const { dialect, name } = viewer;
    // It is not in any more, asked anew, or is somebody with other rights by now: that one is judged by itself.
    if (connection.views.get(viewer.key) !== viewer || connection.version !== version) return;
    if (refusal === undefined) {
      viewer.judgedVersion = version;
      return;
    }
    if (!lose(connection, viewer)) return;
    const bytes = dialect.render({ type: "error", id: undefined, request: "who", room: name, error: refusal });
    if (bytes !== undefined) connection.answer({ bytes, group: undefined });
  }

  return {
    look(look) {
      const { connection, dialect, id, room, reference } = look;
      const rule = room.presence;
      if (rule === undefined) throw new HubwardError("forbidden");
      // Between the gate and here somebody may have been asked.
      if (!isMember(connection, reference)) throw new HubwardError("not_member");
      const key = groupKey(connection.tenant, reference);
      const failed = (error: unknown): void => watch.failed(whereOf(room.template.pattern), error);
      const members: unknown[] = [];
      let count = 0;
      for (const principal of people(key)) {
        if (++count > MAX_PRESENT) break;
        const one = describeOne(principal, { describe: rule.describe, failed });
        if (one !== undefined) members.push(one.told);
      }
      const name = writeRoomName(room.template.pattern, reference.values);
      let bytes: Uint8Array | undefined;
      try {
        for (let more = count > MAX_PRESENT; ; more = true) {
          bytes = dialect.render({ type: "present", id, room: name, members, more });
          if (bytes === undefined || bytes.length <= connection.maxFrameBytes || members.length === 0) break;
          members.length = Math.floor(members.length / 2);
        }
      } catch (cause) {
        failed(cause);
        throw new HubwardError("internal_error", { cause });
      }
      const viewer = view(look, key, rule);
      if (look.follow ?? followed.get(key)?.isFollowedBy(connection) === true) follow(connection, viewer);
      else unfollow(key, connection);
      return bytes && { bytes, group: viewer.key };
    },

    judgeAgain(connection) {
      const { admission, version } = connection;
      const asked: Promise<void>[] = [];
      for (const viewer of Array.from(viewers.get(connection)?.values() ?? [])) {
        const verdict = judge(viewer.rule.requirements, admission, [], watch);
        if (!(verdict instanceof Promise)) {
          settle(connection, viewer, version, verdict);
          continue;
        }
        asked.push(
          verdict.then((refusal) => {
            settle(connection, viewer, version, refusal);
            // What waited for this answer alone.
            connection.sayHeld();
          }),
        );
      }
      return asked.length === 0 ? undefined : Promise.all(asked);
    },

    changed(membership, isHeld) {
      const { connection, key } = membership;
      followed.get(key)?.changed(membership, isHeld);
      const viewer = isHeld ? undefined : viewers.get(connection)?.get(key);
      if (viewer !== undefined) lose(connection, viewer);
    },
  };
}

function whereOf(pattern: string): string {
  return `room ${pattern} presence`;
}
