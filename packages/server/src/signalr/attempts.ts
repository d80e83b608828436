/**
 * Connect attempts: what a negotiate promised and a transport has yet to claim, by connection token. The token
 * is a secret of its own beside the credential; knowing one without the other leads nowhere.
 */

import type { HubwardError, NegotiateVersion, TransportName } from "@hubward/wire";
import type { Authentication } from "../core/auth/authentication.js";
import type { Admission } from "../core/auth/policy.js";
import type { Ticket } from "../core/auth/tickets.js";
import type { Clock } from "../core/clock.js";
import type { Connection } from "../core/connection/connection.js";
import { createShares } from "../core/admission/shares.js";
import { identityKey, type ConnectionId } from "../core/ids.js";
import type { Binding } from "./binding.js";

/** Who negotiated. `doomed`: verified but unwelcome, let in only to be told why. */
export type Holder<P> =
  | { readonly kind: "admitted"; readonly admission: Admission<P> }
  | {
      readonly kind: "doomed";
      readonly authentication: Authentication;
      /** For the log: what the mapping said, if it came that far. */
      readonly roles: readonly string[];
      readonly refusal: HubwardError;
    };

export function authenticationOf<P>(holder: Holder<P>): Authentication {
  return holder.kind === "admitted" ? holder.admission.authentication : holder.authentication;
}

/** Whoever a live connection speaks for, now and after every new credential. */
export function holderOf<P>(connection: Connection<P>): Holder<P> {
  return {
    kind: "admitted",
    get admission(): Admission<P> {
      return connection.admission;
    },
  };
}

export interface Attempt<P> {
  readonly connectionToken: string;
  readonly connectionId: ConnectionId;
  readonly hub: string;
  readonly holder: Holder<P>;
  /** Absent for clients that send their JWT themselves. */
  readonly ticket: Ticket<Holder<P>> | undefined;
  /** Whether stateful reconnect was asked for and allowed. Default false. */
  readonly isResumable?: boolean | undefined;
  /** Of those that were negotiated over https and have a ticket. */
  readonly binding?: Binding | undefined;
  /** 0: its id is the public one, too. Default 1. */
  readonly negotiateVersion?: NegotiateVersion | undefined;
  /** What it became, from its socket's opening to its end. */
  readonly connection: Connection<P> | undefined;
  readonly isAttached: boolean;
  /** The one that claimed it, while it is attached. */
  readonly transport: TransportName | undefined;
}

export interface Attempts<P> {
  /** `full`: too many wait already. `over-share`: too many of this identity do. */
  add(attempt: Omit<Attempt<P>, "connection" | "isAttached" | "transport">): "added" | "full" | "over-share";
  find(connectionToken: string, hub: string): Attempt<P> | undefined;
  /** A transport claims it. False when one has already. */
  attach(attempt: Attempt<P>, transport: TransportName): boolean;
  /** Says what it became: its holder is from now on whoever that connection speaks for. */
  keep(connectionToken: string, connection: Connection<P>): void;
  /** The transport could not be established after all: the attempt waits again, no longer than before. */
  detach(connectionToken: string): void;
  /** The transport is gone: the token dies, the ticket may try again. */
  end(connectionToken: string): void;
  readonly waiting: number;
  readonly size: number;
}

export interface AttemptOptions {
  /** Time to attach. Milliseconds, default 30000. */
  readonly attachMs?: number | undefined;
  /** Attempts no transport has claimed. Default 10000. */
  readonly maxWaiting?: number | undefined;
  /** Of one identity. Default 100. */
  readonly maxWaitingPerIdentity?: number | undefined;
}

interface Entry<P> extends Attempt<P> {
  holder: Holder<P>;
  connection: Connection<P> | undefined;
  readonly owner: string;
  readonly attachBy: number;
  isAttached: boolean;
  transport: TransportName | undefined;
}

export function createAttempts<P>(
  clock: Pick<Clock, "monotonic">,
  { attachMs = 30_000, maxWaiting = 10_000, maxWaitingPerIdentity = 100 }: AttemptOptions = {},
): Attempts<P> {
  // Waiting ones stand in the order they came, which is the order they run out in, but for what shares a ticket.
  const waiting = new Map<string, Entry<P>>();
  const attached = new Map<string, Entry<P>>();
  const shares = createShares(maxWaitingPerIdentity);

  function stopWaiting(token: string): Entry<P> | undefined {
    const entry = waiting.get(token);
    if (entry === undefined) return undefined;
    waiting.delete(token);
    shares.give(entry.owner);
    return entry;
  }

  function forgetLate(now: number): void {
    for (const [token, entry] of waiting) {
      if (entry.attachBy > now) return;
      stopWaiting(token);
    }
  }

  return {
    add(attempt) {
      const now = clock.monotonic();
      forgetLate(now);
      if (waiting.size >= maxWaiting) return "full";
      const owner = identityKey(authenticationOf(attempt.holder));
      if (!shares.take(owner)) return "over-share";
      const { connectionToken, connectionId, hub, holder, ticket, isResumable, binding, negotiateVersion } = attempt;
      // A ticket is one attempt to connect, however often it is negotiated with: its holder was asked about once.
      const attachBy = Math.min(now + attachMs, ticket?.attachBy ?? Infinity);
      waiting.set(connectionToken, {
        connectionToken,
        connectionId,
        hub,
        holder,
        ticket,
        isResumable,
        binding,
        negotiateVersion,
        connection: undefined,
        owner,
        attachBy,
        isAttached: false,
        transport: undefined,
      });
      return "added";
    },
    find(connectionToken, hub) {
      const now = clock.monotonic();
      forgetLate(now);
      const entry = waiting.get(connectionToken) ?? attached.get(connectionToken);
      // One that waits again, or for less long, stands behind others, so it may not have been forgotten yet.
      if (entry?.hub !== hub || (!entry.isAttached && entry.attachBy <= now)) return undefined;
      return entry;
    },
    attach(attempt, transport) {
      const entry = waiting.get(attempt.connectionToken);
      if (entry === undefined || entry !== attempt) return false;
      stopWaiting(attempt.connectionToken);
      attached.set(attempt.connectionToken, entry);
      entry.isAttached = true;
      entry.transport = transport;
      return true;
    },
    keep(connectionToken, connection) {
      const entry = attached.get(connectionToken);
      if (entry === undefined) return;
      entry.connection = connection;
      entry.holder = holderOf(connection);
    },
    detach(connectionToken) {
      const entry = attached.get(connectionToken);
      if (entry === undefined) return;
      attached.delete(connectionToken);
      if (entry.attachBy <= clock.monotonic() || !shares.take(entry.owner)) return;
      entry.isAttached = false;
      entry.transport = undefined;
      waiting.set(connectionToken, entry);
    },
    end(connectionToken) {
      stopWaiting(connectionToken);
      attached.delete(connectionToken);
    },
    get waiting() {
      return waiting.size;
    },
    get size() {
      return waiting.size + attached.size;
    },
  };
}
