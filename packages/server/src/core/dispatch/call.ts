/** What a hub method gets to work with: who calls, and what it may do on the caller's behalf. */

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Authentication } from "../auth/authentication.js";
import type { GroupReference } from "../groups/group.js";
import type { ConnectionId } from "../ids.js";

/** Declared events, name to argument list; a name that begins with `hubward.` does not compile. */
export type ValidEvents<Events> = {
  [Name in keyof Events]: Name extends `hubward.${string}` ? never : readonly unknown[];
};

/** The arguments of one event; anything goes where no events were declared. */
export type EventArguments<Events, Name> = unknown extends Events
  ? readonly unknown[]
  : Name extends keyof Events
    ? Events[Name] extends readonly unknown[]
      ? Events[Name]
      : never
    : never;

export type EventName<Events> = unknown extends Events ? string : keyof Events & string;

/** A name an application may use: `never` for one that begins with `hubward.`. */
export type UnreservedName<Name extends string> = Name extends `hubward.${string}` ? never : Name;

/** Somewhere to say something. */
export interface Target<Events> {
  /**
   * Sends an event. Returns at once; frames leave at the end of the turn. Arguments that have no form in a peer's
   * encoding (a bigint in JSON) are reported to telemetry, and that peer is not told.
   * @throws TypeError for a name that begins with `hubward.`; HubwardError inside a call whose caller may not speak
   */
  emit<Name extends EventName<Events>>(event: UnreservedName<Name>, ...args: EventArguments<Events, Name>): void;
  /** The same target without these connections. */
  except(...connections: readonly ConnectionId[]): Target<Events>;
}

export interface ClientInvokeOptions<Result extends StandardSchemaV1> {
  /** Judges the client's answer: it is input like any other. */
  readonly result: Result;
  /** How long the client may take. Milliseconds, 1 to 2147483647, default 30000. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One connection, which can also be asked. */
export interface ConnectionTarget<Events> extends Target<Events> {
  /**
   * Calls a method of the client and resolves with its result. Inside a call this gives the call's turn away: the
   * calls behind it begin, whatever `maxParallelInvocations` says. A method that asks its own caller while an upload
   * of the same connection waits to be read is not answered before it reads on.
   * @throws (rejects with) ClientError when the client answered with an error; HubwardError bad_arguments for a result
   * that the schema refuses, not_found for a connection that is not here or whose `connected` hook has not settled,
   * too_many_inflight, upstream_timeout, or the reason the connection ended for; the signal's reason; TypeError for
   * arguments that have no form in the client's encoding, for a name that begins with `hubward.`, and inside a
   * `connected` hook; RangeError for arguments larger than an outbox. A call that fails of such a HubwardError tells
   * its caller nothing of it
   */
  invoke<Name extends string, Result extends StandardSchemaV1>(
    method: UnreservedName<Name>,
    args: readonly unknown[],
    options: ClientInvokeOptions<Result>,
  ): Promise<StandardSchemaV1.InferOutput<Result>>;
}

/** The person a connection belongs to; `issuer` only where an application has several. */
export interface PrincipalReference {
  /** The token's subject, or the `principalId` where the application makes one. */
  readonly subject: string;
  readonly issuer?: string | undefined;
}

/** Where a call, a hub or the application can speak to. All within one tenant. */
export interface Sender<P, Events> {
  /**
   * Members of a group: those of this hub, where a hub says it, unless the group is a room, which is for everybody in
   * it. Events are typed by the group where it declares some.
   */
  to<GroupEvents = unknown>(
    group: GroupReference<P, GroupEvents>,
  ): Target<unknown extends GroupEvents ? Events : GroupEvents>;
  toAll(): Target<Events>;
  /** Every connection of one principal. Without an issuer: the only one the application trusts. */
  toPrincipal(principal: PrincipalReference): Target<Events>;
  toConnection(id: ConnectionId): ConnectionTarget<Events>;
}

export interface CallGroups<P> {
  /** Joins once the group's own rule allows it. @throws HubwardError forbidden | auth_unavailable | room_limit */
  join(group: GroupReference<P>): Promise<void>;
  /** False when it was no member. */
  leave(group: GroupReference<P>): boolean;
  /** Whether its connection is in, by a rule that was asked about the principal as it is now. */
  has(group: GroupReference<P>): boolean;
}

export interface Call<P, Events = unknown> extends Sender<P, Events> {
  /** The principal the call was let in with: an immutable snapshot, to read. Rules use the current one. */
  readonly principal: P;
  readonly authentication: Authentication;
  /** What `toPrincipal` addresses the caller by: the token's subject, unless the application makes a `principalId`. */
  readonly principalId: string;
  readonly connectionId: ConnectionId;
  readonly method: string;
  /** Seconds the caller's credential still has, rounded down. */
  readonly expiresInSeconds: number;
  /** While the call runs: aborts when its caller cancels it and when the connection loses its standing. */
  readonly signal: AbortSignal;
  readonly groups: CallGroups<P>;
  toCaller(): ConnectionTarget<Events>;
  /** Everyone `toAll` reaches but the caller. */
  toOthers(): Target<Events>;
  /**
   * Ends the caller's connection for good: what was sent before leaves first, this call is not answered, and the
   * client is told to stay away. It gets no reason; who may come back, or should hear why, is refused by a policy.
   */
  abort(): void;
}

/** What the method of a command (`.once`) gets to work with. */
export interface CommandCall<P, Events = unknown> extends Call<P, Events> {
  /**
   * Exactly once: runs `work` in a transaction of the idempotency store, which commits it together with the record of
   * the command, or neither. What `work` returns is the command's result from then on, for whoever sends it again,
   * too, whatever the method itself returns or throws afterwards. Once for each command; again only after it failed.
   * @param work gets the store's transaction: say its type, as in `(tx: Transaction) => …` with `@hubward/sqlite`,
   * where work must be done at once, without a promise.
   * @throws (rejects with) TypeError for a store without transactions, and for a second commit; HubwardError when the
   * caller has lost its standing; what `work` throws. Nothing was committed then.
   */
  commit<Result, Transaction = unknown>(work: (transaction: Transaction) => Result): Promise<Awaited<Result>>;
}
