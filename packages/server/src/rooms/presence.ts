/** Who is in a room: told to members who may see it, once or for as long as they follow. Costs nothing where nobody does. */

import { HubwardError, writeRoomName, type RequestId } from "@hubward/wire";
import { judge, type PolicyWatch, type Verdict } from "../core/auth/policy.js";
import type { Clock } from "../core/clock.js";
import type { Connection } from "../core/connection/connection.js";
import { groupKey, type GroupKey } from "../core/groups/group.js";
import type { Groups } from "../core/groups/groups.js";
import { isMember, type Membership } from "../core/groups/membership.js";
import type { IdentityKey } from "../core/ids.js";
import type { RoomsDialect } from "./dialect.js";
import { counts, describeOne, FollowedRoom, type Follower } from "./followed-room.js";
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
  /** Who is there now, as a `present` frame: what changes is told behind it. @throws HubwardError not_member | forbidden | internal_error */
  look(look: Look<P>): Uint8Array | undefined;
  /** Its principal was replaced: what it follows it is told nothing of until the rule has allowed it again. */
  judgeAgain(connection: Connection<P>): void;
  /** @see GroupObserver.changed */
  changed(membership: Membership<P>, isHeld: boolean): void;
}

/** People that one answer tells of, at most. */
export const MAX_PRESENT = 1_000;

interface Followed<P> {
  readonly room: FollowedRoom<P>;
  readonly rule: RoomPresence<P>;
  readonly name: string;
}

export function createPresence<P>({ clock, groups, watch }: PresencePorts<P>): Presence<P> {
  const followed = new Map<GroupKey, Followed<P>>();

  function follow({ connection, dialect, room, reference }: Look<P>, key: GroupKey, rule: RoomPresence<P>): void {
    const known = followed.get(key);
    if (known !== undefined) return known.room.follow(connection, dialect);
    const { pattern } = room.template;
    const name = writeRoomName(pattern, reference.values);
    const made = new FollowedRoom<P>(groups.members(key)?.values() ?? [], {
      clock,
      key,
      name,
      describe: rule.describe,
      failed: (error) => watch.failed(whereOf(pattern), error),
    });
    followed.set(key, { room: made, rule, name });
    made.follow(connection, dialect);
  }

  function unfollow(key: GroupKey, connection: Connection<P>): void {
    const room = followed.get(key)?.room;
    room?.unfollow(connection);
    if (room?.isFollowed === false) followed.delete(key);
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

  function settle(key: GroupKey, follower: Follower<P>, version: number, refusal: Verdict): void {
    const { connection, dialect } = follower;
    const known = followed.get(key);
    // It follows no more, asked anew, or is somebody with other rights by now: that one is judged by itself.
    if (known?.room.followerOf(connection) !== follower || connection.version !== version) return;
    if (refusal === undefined) {
      follower.judgedVersion = version;
      return;
    }
    unfollow(key, connection);
    const bytes = dialect.render({ type: "error", id: undefined, request: "who", room: known.name, error: refusal });
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
      const follows = look.follow ?? followed.get(key)?.room.followerOf(connection) !== undefined;
      if (follows) follow(look, key, rule);
      else unfollow(key, connection);
      return bytes;
    },

    judgeAgain(connection) {
      if (followed.size === 0) return;
      const { admission, version } = connection;
      for (const key of connection.memberships.keys()) {
        const known = followed.get(key);
        const follower = known?.room.followerOf(connection);
        if (known === undefined || follower === undefined) continue;
        const verdict = judge(known.rule.requirements, admission, [], watch);
        if (verdict instanceof Promise) void verdict.then((refusal) => settle(key, follower, version, refusal));
        else settle(key, follower, version, verdict);
      }
    },

    changed(membership, isHeld) {
      const { connection, key } = membership;
      const room = followed.get(key)?.room;
      if (room === undefined) return;
      room.changed(membership, isHeld);
      if (!isHeld) unfollow(key, connection);
    },
  };
}

function whereOf(pattern: string): string {
  return `room ${pattern} presence`;
}
