/** Where a connection's frames wait to be written: an outbox, or one that also keeps them until they are acknowledged. */

import type { Clock, Instant } from "../clock.js";
import type { GroupKey } from "../groups/group.js";
import type { Dropped, Frame } from "../publication.js";
import type { Lifetime } from "./lifetime.js";

/**
 * What keeps an idle connection alive: a frame of its protocol, or, where that has none, a question of the transport's
 * own (a WebSocket ping), whose answer counts as hearing the peer.
 */
export type KeepAlive = Uint8Array | "confirmation";

export interface Outgoing {
  /** Queues one frame. False when the peer is too far behind to take it: a slow consumer. */
  push(frame: Frame): boolean;
  /** Writes what is here, and nothing more until `release`. */
  hold(instant: Instant): void;
  release(): void;
  /**
   * Undefined while less than a batch is held and a frame of this length can be pushed, and when nothing will be
   * written any more; else a promise for when to ask again. For those who have more to say than fits: whoever asks
   * first never makes its peer a slow consumer.
   */
  room(length: number, clock: Pick<Clock, "monotonic">): Promise<void> | undefined;
  /**
   * Takes back what was not handed over, in order. Undefined where the peer would count wrong without it: its
   * connection cannot go on.
   */
  takeBack(): readonly Frame[] | undefined;
  /** What was dropped and not told; undefined where nothing was. */
  takeDropped(): Dropped | undefined;
  /** Until when what is said may be written; undefined while somebody else sees to that. */
  renew(lifetime: Lifetime | undefined): void;
  /** Takes one group's frames out of everything not handed over yet. Returns how many waited to be written. */
  evict(group: GroupKey): number;
  /**
   * Resolves when what was handed over has left this process, or never will; for a peer that polls, when it has come
   * again. Undefined where nothing is on its way. A peer that does not read is ended by its lag, so nobody waits longer.
   */
  handedOver(): Promise<void> | undefined;
  /** Drops everything and takes no more. */
  discard(): void;
  /** Takes no more and returns what was not handed over, for the last write of an orderly close. */
  drain(): Uint8Array;
  /** The peer confirmed what was written when it was asked. */
  confirmed(now: number): void;
  /** The socket took what it was given. */
  drained(): void;
  /** Once a second. False when the peer lags too far. */
  beat(now: number): boolean;
  /**
   * Nothing is read from the peer until `hear`, its confirmations neither: where one is waited for, what the kernel
   * took counts as confirmed. A peer held back by a method that waits for it to read would otherwise wait for itself.
   */
  deafen(): void;
  /** The peer could not confirm until now, through no fault of its own: its lag is counted anew. */
  hear(now: number): void;
  /**
   * Writes a keep-alive, or asks for a confirmation, if nothing was written for a while and nothing is in the way.
   */
  keepAlive(keepAlive: KeepAlive, now: number, intervalMs: number): void;
  /** Whether the peer seems to read. */
  isAnswering(now: number): boolean;
  /** Bytes of one frame at most. */
  readonly maxBytes: number;
}
