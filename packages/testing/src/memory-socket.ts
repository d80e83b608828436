/**
 * The core's socket without a network: keeps what was written, and plays a peer that reads, stalls, answers or
 * falls silent as the test tells it to.
 */

import type { Socket, SocketListener } from "@hubward/server/ports";
import { isSendableCloseCode } from "@hubward/wire";

/** How the server ended it in an orderly way. */
export interface RecordedClose {
  readonly lastFrames: Uint8Array;
  readonly code: number;
  readonly reason: string;
}

/** A close reason as WebSocket carries it (RFC 6455 5.5): ASCII, with the code at most 125 bytes. */
const REASON_PATTERN = /^[\x20-\x7e]{0,123}$/;

export class MemorySocket implements Socket {
  readonly #writes: Uint8Array[] = [];
  #listener: SocketListener | undefined;
  #queuedBytes = 0;
  #isStalled = false;
  #openConfirmations = 0;
  #confirmationRequests = 0;
  #isPaused = false;
  #lateWrites = 0;
  #close: RecordedClose | undefined;
  #isReset = false;
  #isGone = false;

  /** Says who hears the peer. Once, before the peer does anything. */
  listen(listener: SocketListener): this {
    if (this.#listener !== undefined) throw new TypeError("memory socket: has a listener already");
    this.#listener = listener;
    return this;
  }

  // What the server did with it.

  /** Every write, in order: the very objects, so that a test can see which sockets share one. */
  get writes(): readonly Uint8Array[] {
    return this.#writes;
  }

  /** All bytes written, as one, those of an orderly close included. */
  get written(): Uint8Array {
    return concat(this.#close === undefined ? this.#writes : [...this.#writes, this.#close.lastFrames]);
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** How often a confirmation was asked for. */
  get confirmationRequests(): number {
    return this.#confirmationRequests;
  }

  /** Confirmations asked for and not given. */
  get openConfirmations(): number {
    return this.#openConfirmations;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** How it was closed, or undefined. Only the first close counts. */
  get closed(): RecordedClose | undefined {
    return this.#close;
  }

  get isReset(): boolean {
    return this.#isReset;
  }

  /** Whether the server has ended it, in either way. */
  get isEnded(): boolean {
    return this.#close !== undefined || this.#isReset;
  }

  /** Writes that came after the end and went nowhere. */
  get lateWrites(): number {
    return this.#lateWrites;
  }

  // Socket.

  write(bytes: Uint8Array, confirm = false): void {
    if (this.isEnded || this.#isGone) {
      this.#lateWrites++;
      return;
    }
    this.#writes.push(bytes);
    if (this.#isStalled) this.#queuedBytes += bytes.length;
    if (confirm) this.requestConfirmation();
  }

  requestConfirmation(): void {
    if (this.isEnded || this.#isGone) return;
    this.#confirmationRequests++;
    this.#openConfirmations++;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** @throws RangeError for a code or a reason that no WebSocket can carry, where an adapter would have to reset */
  close(lastFrames: Uint8Array, code: number, reason: string): void {
    if (!isSendableCloseCode(code)) throw new RangeError(`close: ${code} may not be sent`);
    if (!REASON_PATTERN.test(reason)) throw new RangeError("close: a reason of at most 123 printable ASCII characters");
    if (this.isEnded || this.#isGone) return;
    this.#close = { lastFrames, code, reason };
    this.#isPaused = false;
  }

  reset(): void {
    this.#isReset = true;
  }

  // What the peer, and the kernel between, do.

  /** From now on nothing written leaves: `queuedBytes` grows with every write. */
  stall(): void {
    this.#isStalled = true;
  }

  /** The kernel takes what is queued, and what comes. */
  unstall(): void {
    this.#isStalled = false;
    if (this.#queuedBytes === 0) return;
    this.#queuedBytes = 0;
    this.#heard().drained();
  }

  /** The peer answers the oldest open request for a confirmation. False when none is open. Not answering is withholding. */
  confirm(): boolean {
    if (this.#openConfirmations === 0) return false;
    this.#openConfirmations--;
    this.#heard().confirmed();
    return true;
  }

  /** The peer sends bytes. They arrive also after the server's close, as from a kernel that held them, until `end`. */
  peerSends(bytes: Uint8Array): void {
    this.#heard().received(bytes);
  }

  /** The peer breaks the transport's rules. */
  peerFails(): void {
    this.#heard().failed();
  }

  /** The socket is gone, whoever ended it. Nothing can happen afterwards. `wasClean`: the peer said goodbye. */
  end({ wasClean = false }: { readonly wasClean?: boolean } = {}): void {
    const listener = this.#heard();
    this.#isGone = true;
    listener.closed(wasClean);
  }

  #heard(): SocketListener {
    if (this.#listener === undefined) throw new TypeError("memory socket: nobody listens yet");
    if (this.#isGone) throw new TypeError("memory socket: it has ended");
    return this.#listener;
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
