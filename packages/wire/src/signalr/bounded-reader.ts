/** Holds the beginning of a message whose rest has not arrived, within a bound. */

import { HubwardError } from "../reasons.js";
import type { ReasonName } from "../reasons.js";

/** The beginning of a message. Doubles as it grows, so that single bytes cost no more than one large chunk. */
class PartialMessage {
  #bytes = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Never holds more than `maxLength` bytes of memory; the caller has made sure that the chunk still fits. */
  append(chunk: Uint8Array, maxLength: number): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(maxLength, Math.max(length, this.#bytes.length * 2, 64)));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
  }

  /** Hands the bytes over; nothing here refers to them any more. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    return taken;
  }
}

/** What both readers share: the unfinished message, its bound, and that the first error is the last. */
export abstract class BoundedReader {
  protected readonly maxBytes: number;
  protected readonly partial: PartialMessage = new PartialMessage();
  #failure: HubwardError | undefined;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bufferedBytes(): number {
    return this.partial.length;
  }

  /** See MessageReader. */
  read(chunk: Uint8Array): readonly Uint8Array[] {
    if (this.#failure !== undefined) throw this.#failure;
    return this.split(chunk);
  }

  /** Returns the bodies a chunk completes, or throws what one of the fail methods made. */
  protected abstract split(chunk: Uint8Array): Uint8Array[];

  /** The whole message, now that its last bytes are here. */
  protected complete(rest: Uint8Array, maxLength: number): Uint8Array {
    if (this.partial.length === 0) return rest;
    this.partial.append(rest, maxLength);
    return this.partial.take();
  }

  protected fail(reason: ReasonName, detail: string): HubwardError {
    this.partial.take();
    this.#failure = new HubwardError(reason, { detail });
    return this.#failure;
  }

  protected failTooBig(): HubwardError {
    return this.fail("message_too_big", "the message is larger than is accepted here");
  }

  /** Also what keeps a flood of separators or zero lengths from becoming a flood of bodies. */
  protected failEmpty(): HubwardError {
    return this.fail("bad_request", "a message must not be empty");
  }
}
