/** One room that somebody follows: what has changed in who is there, told at most once a second. */

import { canonicalText } from "../core/dispatch/fingerprint.js";
import type { Connection } from "../core/connection/connection.js";
import type { Clock, Timer } from "../core/clock.js";
import type { GroupKey } from "../core/groups/group.js";
import type { Membership } from "../core/groups/membership.js";
import type { IdentityKey } from "../core/ids.js";
import type { RoomsDialect } from "./dialect.js";

export interface FollowedRoomPorts<P> {
  readonly clock: Pick<Clock, "after">;
  readonly key: GroupKey;
  /** Of frames about it. */
  readonly viewKey: GroupKey;
  /** As clients write it. */
  readonly name: string;
  readonly describe: (principal: P) => unknown;
  /** Told of what the application's `describe` throws, and of frames that cannot be said. */
  readonly failed: (error: unknown) => void;
}

/** A connection that is told of changes. */
export interface Follower<P> {
  readonly connection: Connection<P>;
  readonly dialect: RoomsDialect;
  /** Who this follower takes to be there, where that is not what all were told last. */
  readonly behind: Map<IdentityKey, P | undefined>;
}

interface Person<P> {
  /** In the order of joining. Empty once they have left and nobody was told yet. */
  readonly memberships: Set<Membership<P>>;
  /** As they were when followers were told; undefined: not there, as far as they know. */
  told: P | undefined;
}

interface Change<P> {
  readonly identity: IdentityKey;
  readonly before: P | undefined;
  readonly after: P | undefined;
}

interface News {
  readonly joined: readonly unknown[];
  readonly left: readonly unknown[];
}

const EVERY_MS = 1_000;
/** People in one frame; the others are told a second later. */
const MAX_CHANGES = 1_000;

export class FollowedRoom<P> {
  readonly #ports: FollowedRoomPorts<P>;
  readonly #people = new Map<IdentityKey, Person<P>>();
  readonly #followers = new Map<Connection<P>, Follower<P>>();
  /** Those about whom there may be something to tell. */
  readonly #touched = new Set<IdentityKey>();
  #timer: Timer | undefined;

  constructor(members: Iterable<Membership<P>>, ports: FollowedRoomPorts<P>) {
    this.#ports = ports;
    for (const membership of members) this.#personOf(membership).memberships.add(membership);
    for (const person of this.#people.values()) person.told = principalOf(person);
  }

  get isFollowed(): boolean {
    return this.#followers.size > 0;
  }

  isFollowedBy(connection: Connection<P>): boolean {
    return this.#followers.has(connection);
  }

  /** From now on it is told what changes; it has just been told who is there. */
  follow(connection: Connection<P>, dialect: RoomsDialect): void {
    const behind = new Map(Array.from(this.#touched, (each) => [each, principalOf(this.#people.get(each))] as const));
    this.#followers.set(connection, { connection, dialect, behind });
  }

  unfollow(connection: Connection<P>): void {
    this.#followers.delete(connection);
    if (this.isFollowed) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  changed(membership: Membership<P>, isHeld: boolean): void {
    const { memberships } = this.#personOf(membership);
    if (isHeld) memberships.add(membership);
    else memberships.delete(membership);
    this.#touched.add(membership.connection.identity);
    this.#arm();
  }

  #personOf({ connection: { identity } }: Membership<P>): Person<P> {
    const known = this.#people.get(identity);
    if (known !== undefined) return known;
    const made: Person<P> = { memberships: new Set(), told: undefined };
    this.#people.set(identity, made);
    return made;
  }

  #arm(): void {
    this.#timer ??= this.#ports.clock.after(EVERY_MS, () => {
      this.#timer = undefined;
      this.#tell();
    });
  }

  #tell(): void {
    const hearing = Array.from(this.#followers.values(), (each) => [each, this.#hears(each)] as const);
    // Who could not be told until now, and can.
    for (const [{ behind }, hears] of hearing) if (hears) for (const each of behind.keys()) this.#touched.add(each);
    const changes = this.#take();
    const frames = new Map<RoomsDialect, Uint8Array | undefined>();
    const news = this.#newsOf(changes);
    let isWaiting = this.#touched.size > 0;
    for (const [follower, hears] of hearing) {
      const { behind, connection, dialect } = follower;
      if (!hears) {
        for (const { identity, before } of changes) if (!behind.has(identity)) behind.set(identity, before);
        isWaiting ||= behind.size > 0;
      } else if (behind.size > 0) this.#say(connection, this.#render(dialect, this.#newsOf(catchUp(changes, behind))));
      else {
        if (!frames.has(dialect)) frames.set(dialect, this.#render(dialect, news));
        this.#say(connection, frames.get(dialect));
      }
    }
    // Who was told may have been too slow for it, and the last who followed.
    if (isWaiting && this.isFollowed) this.#arm();
  }

  /** What has become of those who were touched, as many as one frame may tell of. */
  #take(): readonly Change<P>[] {
    const changes: Change<P>[] = [];
    for (const identity of this.#touched) {
      if (changes.length === MAX_CHANGES) break;
      this.#touched.delete(identity);
      const person = this.#people.get(identity);
      const after = principalOf(person);
      changes.push({ identity, before: person?.told, after });
      if (person === undefined) continue;
      person.told = after;
      if (person.memberships.size === 0) this.#people.delete(identity);
    }
    return changes;
  }

  #newsOf(changes: readonly Change<P>[]): News {
    const joined: unknown[] = [];
    const left: unknown[] = [];
    for (const { before, after } of changes) {
      if (before === after) continue;
      const [was, is] = [this.#describe(before), this.#describe(after)];
      // Another credential of the same person, about whom the same is told.
      if (was !== undefined && was.text === is?.text) continue;
      if (was !== undefined) left.push(was.told);
      if (is !== undefined) joined.push(is.told);
    }
    return { joined, left };
  }

  /** With a text that says whether two are told the same. What has none, such as a circle, has no form on the wire. */
  #describe(principal: P | undefined): { readonly told: unknown; readonly text: string } | undefined {
    const one = principal === undefined ? undefined : describeOne(principal, this.#ports);
    try {
      return one && { told: one.told, text: canonicalText(one.told) };
    } catch (error) {
      this.#ports.failed(error);
      return undefined;
    }
  }

  #render(dialect: RoomsDialect, { joined, left }: News): Uint8Array | undefined {
    if (joined.length + left.length === 0) return undefined;
    try {
      return dialect.render({ type: "presence", room: this.#ports.name, joined, left });
    } catch (error) {
      this.#ports.failed(error);
      return undefined;
    }
  }

  #say(connection: Connection<P>, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) return;
    if (bytes.length <= connection.maxFrameBytes) return connection.send({ bytes, group: this.#ports.viewKey });
    this.#ports.failed(new RangeError("presence: a frame larger than outbox.maxBytes"));
  }

  /** Default deny: whoever was not judged for their present rights, as a member and as one who may see, waits. */
  #hears({ connection }: Follower<P>): boolean {
    const { isActive, memberships, version, views } = connection;
    const { key, viewKey } = this.#ports;
    return isActive && memberships.get(key)?.judgedVersion === version && views.get(viewKey)?.judgedVersion === version;
  }
}

/** What is told of somebody, or undefined where the application cannot say: then they are not told of. */
export function describeOne<P>(
  principal: P,
  { describe, failed }: Pick<FollowedRoomPorts<P>, "describe" | "failed">,
): { readonly told: unknown } | undefined {
  try {
    const told = describe(principal);
    if (told instanceof Promise) {
      told.catch(() => undefined);
      throw new TypeError("presence: what is told of somebody must be there at once");
    }
    return { told };
  } catch (error) {
    failed(error);
    return undefined;
  }
}

/** Whether somebody is there by this membership: not while it waits to be judged for who they are now. */
export function counts<P>({ connection, judgedVersion }: Membership<P>): boolean {
  return judgedVersion === connection.version;
}

/** As the connection has it that has been there longest. */
function principalOf<P>(person: Person<P> | undefined): P | undefined {
  for (const membership of person?.memberships ?? [])
    if (counts(membership)) return membership.connection.admission.principal;
  return undefined;
}

/** The same changes for somebody who knows something else than the others; forgets what is thereby known. */
function catchUp<P>(changes: readonly Change<P>[], behind: Map<IdentityKey, P | undefined>): readonly Change<P>[] {
  return changes.map((change) => {
    const { identity } = change;
    if (!behind.has(identity)) return change;
    const before = behind.get(identity);
    behind.delete(identity);
    return { ...change, before };
  });
}
