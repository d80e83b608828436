/** How one connection speaks: its protocol's side of it. */

import type { Notice, ReasonName } from "@hubward/wire";
import type { Dialect } from "../publication.js";
import type { GroupPlace } from "../groups/group.js";
import type { LapseReason } from "./lifecycle.js";
import type { KeepAlive } from "./outgoing.js";

/** What became of a membership. `lost`: the group's rule does not allow it any more. */
export interface MembershipChange {
  readonly change: "joined" | "left" | "lost";
  readonly place: GroupPlace;
}

export interface ProtocolHandler {
  /** Known once the protocol's handshake is done. */
  readonly dialect: Dialect | undefined;
  /** Bytes from the peer, while the connection may still be heard. @throws HubwardError on a violation. */
  received(data: Uint8Array): void;
  /** Whether a call is being handled; the peer's silence does not count meanwhile. */
  readonly isBusy: boolean;
  /**
   * What keeps an idle connection alive; undefined before the handshake. With `confirmation` a confirmation counts as
   * hearing the peer: one that only listens stays, and one that is gone does not. A frame leaves it to the peer to say
   * something of its own.
   */
  readonly keepAlive: KeepAlive | undefined;
  /** The protocol's last words, transport framing included. */
  farewell(reason: ReasonName): Uint8Array;
  /** Keeps calls back until `release`. */
  hold(): void;
  release(): void;
  /** Asks the peer for a result. @throws (rejects with) HubwardError | ClientError */
  invoke(target: string, args: readonly unknown[], options: InvokeOptions): Promise<unknown>;
  /** How a notice is said, transport framing included. Undefined before the handshake. */
  notice(notice: Notice): Uint8Array | undefined;
  /** How a group is called in what its peers are told. Default as a person reads it. */
  nameOf?(place: GroupPlace): string;
  /** Whether its peers are told every notice, without asking for it. Default false. */
  readonly hearsEverything?: boolean | undefined;
  /** How a change of memberships is said, whoever made it; undefined where that is nothing to be told. */
  membership?(change: MembershipChange): Uint8Array | undefined;
  /** Another principal: what runs is judged again. */
  replaced(): void;
  /** Resolves when it is known what of that may go on; undefined while nothing is in question. */
  readonly judging?: Promise<unknown> | undefined;
  /** Standing is lost for now: abort what runs and refuse what waits; go on answering, with refusals. */
  suspended(reason: LapseReason): void;
  /** Standing is lost: abort what runs, answer nothing more. */
  ended(reason: ReasonName): void;
}

export interface InvokeOptions {
  /** How long the peer may take. Milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What a protocol adds where a connection may outlive its transport. */
export interface ReplayProtocol {
  /**
   * The peer is on a new transport: what was half read is void. Returns the frame that says which number the next
   * frame has.
   */
  resumed(sequenceId: number): Uint8Array;
  /** The frame that acknowledges what was received since the last one, or undefined when nothing was. */
  takeAcknowledgement(): Uint8Array | undefined;
}
