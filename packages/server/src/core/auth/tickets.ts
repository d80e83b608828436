/**
 * Tickets: what a stock client carries in URLs instead of its JWT. A ticket is one connect attempt, stored by
 * hash, good for one hub; once bound it names that connection and nothing else.
 */

import { createShares } from "../admission/shares.js";
import type { Clock } from "../clock.js";
import type { Digest } from "../digest.js";
import type { Random } from "../random.js";
import { Secret } from "./secret.js";

/** Recognisable, so that a leak scanner finds one, and so that it is never taken for a JWT. */
const PREFIX = "hwt_";
const TICKET_PATTERN = /^hwt_[\w-]{43}$/;
/** Attempts a client makes with one ticket: WebSockets, then its fallbacks. */
const MAX_CONNECTION_TOKENS = 3;

export interface Ticket<Holder> {
  readonly hub: string;
  readonly holder: Holder;
  /** The connect attempts made with it; once bound, only the one that won. */
  readonly connectionTokens: ReadonlySet<string>;
  readonly isBound: boolean;
  /** No attempt of it may attach later, by the monotonic clock. */
  readonly attachBy: number;
}

export interface Tickets<Holder> {
  /** Undefined when too many are open, of all or of this owner. */
  issue(
    hub: string,
    holder: Holder,
    owner?: string,
  ): { readonly ticket: Ticket<Holder>; readonly secret: Secret } | undefined;
  /** The ticket if it is alive and of this hub. */
  find(secret: Secret, hub: string): Ticket<Holder> | undefined;
  /** Adds one connect attempt. False when the ticket is bound, dead or has had its attempts. */
  own(ticket: Ticket<Holder>, connectionToken: string): boolean;
  /** Binds it to the attempt that completed its handshake. Returns the siblings, which die; undefined if it lost. */
  bind(ticket: Ticket<Holder>, connectionToken: string): readonly string[] | undefined;
  /** Its connection speaks for somebody of its own from now on. */
  follow(ticket: Ticket<Holder>, holder: Holder): void;
  end(ticket: Ticket<Holder>): void;
  readonly size: number;
}

export interface TicketOptions {
  /** Time to attach. Milliseconds, default 30000. */
  readonly attachMs?: number | undefined;
  /** Tickets that nobody attached to yet. Default 20000. */
  readonly maxUnbound?: number | undefined;
  /** Of one owner. Default 100. */
  readonly maxUnboundPerOwner?: number | undefined;
}

interface Entry<Holder> extends Ticket<Holder> {
  holder: Holder;
  readonly owner: string;
  readonly hash: string;
  readonly connectionTokens: Set<string>;
  isBound: boolean;
  hasEnded: boolean;
}

export function isTicket(secret: Secret): boolean {
  return secret.reveal().startsWith(PREFIX);
}

export function createTickets<Holder>(
  ports: { readonly clock: Clock; readonly random: Random; readonly digest: Digest },
  { attachMs = 30_000, maxUnbound = 20_000, maxUnboundPerOwner = 100 }: TicketOptions = {},
): Tickets<Holder> {
  // In the order of issue, which is the order they run out in.
  const unbound = new Map<string, Entry<Holder>>();
  const bound = new Map<string, Entry<Holder>>();
  const shares = createShares(maxUnboundPerOwner);

  function stopWaiting(entry: Entry<Holder>): void {
    if (unbound.delete(entry.hash)) shares.give(entry.owner);
  }

  function forgetLate(now: number): void {
    for (const entry of unbound.values()) {
      if (entry.attachBy > now) return;
      stopWaiting(entry);
    }
  }

  const alive = (ticket: Ticket<Holder>): Entry<Holder> | undefined => {
    const entry = ticket as Entry<Holder>;
    if (bound.get(entry.hash) === entry) return entry;
    return unbound.get(entry.hash) === entry && entry.attachBy > ports.clock.monotonic() ? entry : undefined;
  };

  return {
    issue(hub, holder, owner = "") {
      const now = ports.clock.monotonic();
      forgetLate(now);
      if (unbound.size >= maxUnbound || !shares.take(owner)) return undefined;
      const text = PREFIX + ports.random.secret(32);
      const hash = ports.digest(text);
      const entry: Entry<Holder> = {
        owner,
        hub,
        holder,
        hash,
        attachBy: now + attachMs,
        connectionTokens: new Set(),
        isBound: false,
        hasEnded: false,
      };
      unbound.set(hash, entry);
      return { ticket: entry, secret: new Secret(text) };
    },

    find(secret, hub) {
      const text = secret.reveal();
      if (!TICKET_PATTERN.test(text)) return undefined;
      const hash = ports.digest(text);
      const entry = unbound.get(hash) ?? bound.get(hash);
      return entry !== undefined && entry.hub === hub ? alive(entry) : undefined;
    },

    own(ticket, connectionToken) {
      const entry = alive(ticket);
      if (entry === undefined || entry.isBound || entry.connectionTokens.size >= MAX_CONNECTION_TOKENS) return false;
      entry.connectionTokens.add(connectionToken);
      return true;
    },

    bind(ticket, connectionToken) {
      const entry = ticket as Entry<Holder>;
      // The time limit is for attaching: a handshake that began in time may end after the ticket was forgotten.
      if (entry.isBound || entry.hasEnded || !entry.connectionTokens.has(connectionToken)) return undefined;
      stopWaiting(entry);
      bound.set(entry.hash, entry);
      const siblings = [...entry.connectionTokens].filter((token) => token !== connectionToken);
      for (const token of siblings) entry.connectionTokens.delete(token);
      entry.isBound = true;
      return siblings;
    },

    follow(ticket, holder) {
      (ticket as Entry<Holder>).holder = holder;
    },

    end(ticket) {
      const entry = ticket as Entry<Holder>;
      entry.hasEnded = true;
      stopWaiting(entry);
      bound.delete(entry.hash);
    },

    get size() {
      return unbound.size + bound.size;
    },
  };
}
