/** What both protocols can do, as a client sees it: one list of scenarios runs over every implementation of this. */

import type { Recorder } from "../../support/recorder.js";

/**
 * How a connection ended: the reason in full (`token_expired;action=refresh`) and the WebSocket's close code. Over HTTP
 * requests there is no code but that of the reason; 1006 where it ended without one.
 */
export interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** It was not let in: by an HTTP status, or by the close code of a socket that was opened to say so. */
export class Refused extends Error implements Ending {
  override readonly name = "Refused";
  readonly code: number;
  readonly reason: string;

  constructor({ code, reason }: Ending) {
    super(`${code} ${reason}`);
    this.code = code;
    this.reason = reason;
  }
}

/** Who knocks: with which token, from where. */
export interface Visitor {
  /** Undefined for none. */
  readonly token?: string | undefined;
  /** Where a page's request comes from; undefined for what is no browser. */
  readonly origin?: string | undefined;
  /** Default the protocol's first. */
  readonly way?: string | undefined;
  /** Default the ward's own. */
  readonly path?: string | undefined;
}

/**
 * What a request comes to: `ok`, or the reason as it travels with the text for people behind it
 * (`forbidden: another ward`).
 */
export type Verdict = string;

export interface Peer {
  /** Undefined where a client that did not negotiate cannot know it. */
  readonly id: string | undefined;
  join(ward: string): Promise<Verdict>;
  leave(ward: string): Promise<Verdict>;
  /** Says it to the members of a ward. */
  say(ward: string, event: string, what: unknown): Promise<Verdict>;
  /** The same, at most once for each `command`. */
  order(ward: string, what: string, command: string): Promise<Verdict>;
  /** A new credential in the place of the present one. */
  reauthenticate(token: string): Promise<Verdict>;
  /** Says that it can bring new credentials, and asks to be told of everything. */
  subscribe(): Promise<Verdict>;
  /** Every event: name and payload. */
  readonly heard: Recorder<readonly [event: string, payload: unknown]>;
  /** `expiring`, `expired token_expired 10`, `reauthenticated`, `gap 3 ward/icu`, `lost ward/icu`. */
  readonly notices: Recorder<string>;
  readonly ended: Promise<Ending>;
  /** Kind of every frame since it was let in, as they came. Keep-alives and the like are not among them. */
  frames(): readonly FrameKind[];
  /** Stops reading, as a process that was suspended does. */
  pause(): void;
  resume(): void;
  /** Shows that it lives, where its protocol leaves that to the client and its own clock. */
  ping(): void;
  /** Loses its network. */
  cut(): void;
}

export type TransportName = "WebSockets" | "ServerSentEvents" | "LongPolling";

export type FrameKind = "event" | "answer" | "notice" | "membership" | "end";

export interface Protocol {
  /** With its encoding and transport: `hub, JSON over LongPolling`. */
  readonly name: string;
  readonly kind: "hub" | "rooms";
  readonly transport: TransportName;
  /** The ways in it has, the usual one first. */
  readonly ways: readonly string[];
  /**
   * Whether who is refused hears it in a socket, by the code of its close; else by an HTTP status.
   * @param isLasting whether the credential itself is good, and nothing but a person helps
   */
  tellsInSocket(visitor: Visitor, isLasting: boolean): boolean;
  /** @throws (rejects with) Refused */
  connect(port: number, visitor: Visitor): Promise<Peer>;
}
