/** The way back to a connection whose transport is lost: one peer at a time, and not before the last transport is gone. */

import type { Clock } from "../clock.js";
import type { Socket, SocketListener } from "./socket.js";

/** Time a peer has to come back after its transport was lost. Milliseconds; .NET's DisconnectTimeout. */
const RESUME_TIMEOUT_MS = 15_000;

/** What comes of an attempt to bring a connection a new transport. */
export type Reclaim = "ready" | "busy" | "refused";

/** How a connection was resumed. */
export interface Return {
  /** Milliseconds without a transport. */
  readonly awayMs: number;
  /** Who the new transport came from. */
  readonly remoteAddress: string | undefined;
}

/** What the way leads back to. */
export interface Resumable {
  /** Whether it has its standing, and nothing that it would say again is barred. */
  mayResume(): boolean;
  /** Gives up the transport it has. */
  giveUp(): void;
  /** Goes on over a new one. */
  goOn(socket: Socket, how: Return): SocketListener;
}

export class Resumption {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #connection: Resumable;
  #isClaimed = false;
  #isTransportOpen = true;
  #lostAt = 0;
  #whenGone: (() => void) | undefined;

  constructor(clock: Pick<Clock, "monotonic">, connection: Resumable) {
    this.#clock = clock;
    this.#connection = connection;
  }

  /**
   * Takes the connection from its transport for the peer's next one, and waits until the old one is gone. `ready`: an
   * `attach` or an `abandon` must follow. `busy`: somebody else was faster. `refused`: it has ended, or holds what the
   * peer may not be sent again; what is refused or busy at once changes nothing. Only who has shown to be the peer may
   * ask.
   */
  async reclaim(): Promise<Reclaim> {
    if (!this.#connection.mayResume()) return "refused";
    if (this.#isClaimed) return "busy";
    this.#isClaimed = true;
    this.#connection.giveUp();
    if (this.#isTransportOpen) await new Promise<void>((resolve) => (this.#whenGone = resolve));
    if (this.#connection.mayResume()) return "ready";
    this.#isClaimed = false;
    return "refused";
  }

  /** The new transport that `reclaim` made way for. It is reset when the connection has ended meanwhile. */
  attach(socket: Socket, remoteAddress: string | undefined): SocketListener {
    const isWelcome = this.#isClaimed && this.#connection.mayResume();
    this.#isClaimed = false;
    if (!isWelcome) {
      socket.reset();
      return nobody;
    }
    this.#isTransportOpen = true;
    return this.#connection.goOn(socket, { awayMs: this.#clock.monotonic() - this.#lostAt, remoteAddress });
  }

  /** The new transport did not come about after all. */
  abandon(): void {
    this.#isClaimed = false;
  }

  get isTransportOpen(): boolean {
    return this.#isTransportOpen;
  }

  /** The transport is lost or given up: the time to come back begins. */
  transportLost(): void {
    this.#lostAt = this.#clock.monotonic();
  }

  /** The socket itself is gone, or does not matter any more. */
  transportGone(): void {
    this.#isTransportOpen = false;
    this.#whenGone?.();
    this.#whenGone = undefined;
  }

  /** Whether a peer without a transport has had its time. */
  isOverdue(now: number): boolean {
    return now - this.#lostAt >= RESUME_TIMEOUT_MS;
  }
}

/** Hears a socket that nobody is behind any more. */
const nobody: SocketListener = {
  received: () => undefined,
  confirmed: () => undefined,
  drained: () => undefined,
  failed: () => undefined,
  closed: () => undefined,
};
