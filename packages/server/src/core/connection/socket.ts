/** Port: one accepted socket, as narrow as the core needs it. Adapters implement it; one module owns all writes. */

export interface Socket {
  /**
   * Hands whole, already rendered frames towards the kernel. The bytes may be shared with other sockets and
   * must not be changed. Ignored once the socket is closing. With `confirm`, asks the peer to confirm them, too.
   */
  write(bytes: Uint8Array, confirm?: boolean): void;
  /** Bytes handed over that the kernel has not taken yet. While it is not 0, nothing is to be handed over. */
  readonly queuedBytes: number;
  /**
   * The kernel did not take what it was offered. Not the same as `queuedBytes` where the kernel's answer is heard a turn
   * later, as over TLS. Default: whether `queuedBytes` is not 0.
   */
  readonly isStuck?: boolean | undefined;
  /**
   * The peer comes for what it is told (long polling): `queuedBytes` is not 0 while no request of it waits, last
   * frames wait for its next request, and its silence is the transport's own business. Default false.
   */
  readonly isPolled?: boolean | undefined;
  /**
   * Asks the peer to confirm what was written so far; its answer arrives as `SocketListener.confirmed`, at once where
   * the peer has said so already.
   */
  requestConfirmation(): void;
  /** Stops and resumes reading, to hold a peer back that sends faster than its calls are handled. */
  pause(): void;
  resume(): void;
  /**
   * Writes the last frames and the transport's own close in one go, and resets if the peer does not answer in 2 s.
   * `code` and `reason` are for transports that carry them (WebSocket); the reason is ASCII of at most 123 bytes.
   */
  close(lastFrames: Uint8Array, code: number, reason: string): void;
  /** Ends at once and takes back what the kernel has not delivered (TCP reset). */
  reset(): void;
}

/** What a socket tells its connection. Nothing is called after `closed`. */
export interface SocketListener {
  received(data: Uint8Array): void;
  /** The peer confirmed everything written before the oldest open request. */
  confirmed(): void;
  /** `queuedBytes` went back to zero. */
  drained(): void;
  /** The peer broke the transport's rules; the transport answers the close code itself. */
  failed(): void;
  /** The socket is gone. `wasClean`: the peer said goodbye in the transport's own way, or answered ours. */
  closed(wasClean?: boolean): void;
}
