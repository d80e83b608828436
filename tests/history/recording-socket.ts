/** A socket in memory that says what is written to it, when it is: behind outbox and gate. */

import { MemorySocket } from "@hubward/testing";
import type { Line } from "./line.js";

export class RecordingSocket extends MemorySocket implements Line {
  readonly #onWrite: (bytes: Uint8Array) => void;
  /** How the end of the socket comes about, once the server has ended it. */
  readonly #endsBy: (end: () => void) => void;
  #isGone = false;

  constructor(onWrite: (bytes: Uint8Array) => void, endsBy: (end: () => void) => void) {
    super();
    this.#onWrite = onWrite;
    this.#endsBy = endsBy;
  }

  /** Whether the network between is gone: what is written reaches nobody. */
  get isGone(): boolean {
    return this.#isGone;
  }

  override write(bytes: Uint8Array, confirm = false): void {
    const isHeard = !this.isEnded && !this.#isGone;
    super.write(bytes, confirm);
    if (isHeard) this.#onWrite(bytes);
  }

  override close(lastFrames: Uint8Array, code: number, reason: string): void {
    const isHeard = !this.isEnded && !this.#isGone;
    super.close(lastFrames, code, reason);
    if (!isHeard) return;
    this.#onWrite(lastFrames);
    this.#endsBy(() => !this.#isGone && this.end({ wasClean: true }));
  }

  override reset(): void {
    super.reset();
    setImmediate(() => !this.#isGone && this.end());
  }

  override end(how: { readonly wasClean?: boolean } = {}): void {
    this.#isGone = true;
    super.end(how);
  }

  /** The server's process is gone: nobody is told of anything any more. */
  vanish(): void {
    this.#isGone = true;
  }
}
