/**
 * What happened, in order: written down where it left the server or entered the application, outside of every gate.
 * Nothing in it is asked of the server; a credential's facts are what its token says.
 */

import type { Clock } from "@hubward/server/ports";

/** A credential, as whoever issued it knows it. */
export interface CredentialFacts {
  /** `jti`. */
  readonly id: string;
  readonly issuer: string;
  readonly subject: string;
  readonly tenant: string;
  readonly sessionId: string;
  readonly clientId: string;
  readonly keyId: string;
  /** Milliseconds since 1970. */
  readonly issuedAt: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Wards whose groups it opens, as far as the directory agrees. */
  readonly wards: readonly string[];
}

/** What the application wrote on an event when it sent it. `tenant`: `*` for what is meant for all of them. */
export interface Stamp {
  readonly tenant: string | undefined;
  readonly ward?: string | undefined;
}

/**
 * What a frame is. `event`, `result` and `item` are the application's; `control` is all that the protocol says for
 * itself: refusals, notices, pings, answers to re-authentication.
 */
export type FrameKind = "handshake" | "event" | "result" | "item" | "control" | "close";

/** Whom a revocation names. */
export type Target =
  | { readonly type: "token"; readonly tokenId: string }
  | { readonly type: "session"; readonly sessionId: string }
  | { readonly type: "client"; readonly clientId: string }
  | { readonly type: "key"; readonly keyId: string }
  | { readonly type: "identity"; readonly subject: string; readonly tenant: string }
  | { readonly type: "tenant"; readonly tenant: string }
  | { readonly type: "connection"; readonly connection: string }
  | { readonly type: "issued-before"; readonly before: number; readonly subject: string; readonly tenant: string };

/** Connections go by names of the test's own, sessions and commands by their ids. */
export type Happening =
  /** A transport was accepted for a connection. */
  | { readonly type: "opened"; readonly connection: string; readonly credential: CredentialFacts }
  /** The handshake of a connection that came with a ticket was answered. */
  | { readonly type: "attached"; readonly connection: string; readonly ticket: string }
  /** Bytes of one hub message were handed to the socket. */
  | {
      readonly type: "delivery";
      readonly connection: string;
      readonly frame: FrameKind;
      readonly stamp?: Stamp | undefined;
    }
  /** A method of the application was entered. */
  | {
      readonly type: "dispatch";
      readonly connection: string;
      readonly method: string;
      /** Whom the application was told that it serves. */
      readonly subject: string;
      readonly tenant: string | undefined;
    }
  /** A command took effect. `owner`: the identity that sent it. */
  | { readonly type: "effect"; readonly owner: string; readonly command: string }
  /** A new credential is on its way to a connection. */
  | { readonly type: "presented"; readonly connection: string; readonly credential: CredentialFacts }
  /** It was taken, says the server's answer. */
  | { readonly type: "renewed"; readonly connection: string; readonly credential: CredentialFacts }
  /** It was not. */
  | { readonly type: "declined"; readonly connection: string; readonly credential: CredentialFacts }
  | { readonly type: "joining"; readonly connection: string; readonly ward: string }
  /** A leave was acknowledged. */
  | { readonly type: "left"; readonly connection: string; readonly ward: string }
  /** The directory gives a person these wards from now on. */
  | {
      readonly type: "changed";
      readonly tenant: string;
      readonly subject: string;
      readonly wards: readonly string[];
    }
  | { readonly type: "rechecking"; readonly tenant: string; readonly subject: string; readonly attempt: number }
  /** A recheck was acknowledged. */
  | { readonly type: "rechecked"; readonly tenant: string; readonly subject: string; readonly attempt: number }
  /** A revocation was acknowledged. */
  | { readonly type: "revoked"; readonly id: string; readonly target: Target; readonly claimsChanged?: boolean }
  /** A lift is asked for: from here on the revocation may be forgotten. */
  | { readonly type: "lifting"; readonly id: string }
  /** The process was asked to end: it lets nobody in any more, and sends those away who are there. */
  | { readonly type: "draining" }
  /** The process died and another one serves the same database. */
  | { readonly type: "restarted" }
  /** The event loop stood still. */
  | { readonly type: "blocked"; readonly ms: number }
  /** A refresh cookie was answered with its successor. `askedAt`: sequence number of the request. */
  | { readonly type: "refreshed"; readonly session: string; readonly generation: number; readonly askedAt: number };

export type HistoryEvent = Happening & {
  /** Counts all events of a history, from 0. */
  readonly seq: number;
  /** Milliseconds since 1970, by the server's wall clock. */
  readonly now: number;
  /** Milliseconds of the monotonic clock. */
  readonly monotonic: number;
};

export class History {
  readonly events: HistoryEvent[] = [];
  readonly #clock: Pick<Clock, "now" | "monotonic">;
  readonly #reader: ((event: HistoryEvent) => void) | undefined;
  readonly #counts: Record<string, number> = {};
  #seq = 0;

  /** @param reader who is told of each event in place of keeping it: a long history does not fit into memory */
  constructor(clock: Pick<Clock, "now" | "monotonic">, reader?: (event: HistoryEvent) => void) {
    this.#clock = clock;
    this.#reader = reader;
  }

  /** Returns the event's number. */
  record(happening: Happening): number {
    const seq = this.#seq++;
    const event = { ...happening, seq, now: this.#clock.now(), monotonic: this.#clock.monotonic() };
    const name = event.type === "delivery" ? event.frame : event.type;
    this.#counts[name] = (this.#counts[name] ?? 0) + 1;
    if (this.#reader === undefined) this.events.push(event);
    else this.#reader(event);
    return seq;
  }

  /** How often each type of event, and each kind of frame, occurs. */
  counts(): Readonly<Record<string, number>> {
    return { ...this.#counts };
  }
}
