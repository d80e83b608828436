/**
 * Counts what a client sends on a connection that may outlive its transport: what it sends twice is taken once, and
 * what was taken is acknowledged. Messages of the types 1 to 5 have numbers, from 1 on, in the order of sending.
 *
 * @see HubProtocol.md, Ack and Sequence
 */

import { HubwardError, messageType, type HubMessage } from "@hubward/wire";
import type { ReplayProtocol } from "../core/connection/protocol-handler.js";
import type { SignalRDialect } from "./dialect.js";

/** Bytes received that are acknowledged at once: half of what a stock client keeps before it waits. */
const ACKNOWLEDGE_BYTES = 50_000;

export class ReceivedMessages implements ReplayProtocol {
  readonly #dialect: SignalRDialect;
  readonly #onResumed: () => void;
  #nextId = 1;
  #latestId = 0;
  #unacknowledgedBytes = 0;
  #isAcknowledgementDue = false;
  #isWaitingForSequence = false;

  /** @param onResumed the client is on a new transport, and what it half said on the last is void */
  constructor(dialect: SignalRDialect, onResumed: () => void) {
    this.#dialect = dialect;
    this.#onResumed = onResumed;
  }

  /** Whether so much was received that the client may be waiting for its acknowledgement. */
  get isAcknowledgementUrgent(): boolean {
    return this.#unacknowledgedBytes >= ACKNOWLEDGE_BYTES;
  }

  /**
   * Whether a message is to be acted upon. False for a Sequence, which was; for what came before; and for what comes
   * for a second time. @throws HubwardError bad_request for a Sequence that leaves messages out
   */
  admits(message: HubMessage, bytes: number): boolean {
    switch (message.type) {
      case messageType.sequence:
        this.#startAt(message.sequenceId);
        return false;
      case messageType.close:
        return true;
      case messageType.ping:
      case messageType.ack:
        return !this.#isWaitingForSequence;
      default:
        return !this.#isWaitingForSequence && this.#count(bytes);
    }
  }

  resumed(sequenceId: number): Uint8Array {
    // What the client did not learn of before, it has sent again or will.
    this.#isWaitingForSequence = true;
    this.#onResumed();
    return this.#dialect.render({ type: messageType.sequence, sequenceId });
  }

  takeAcknowledgement(): Uint8Array | undefined {
    if (!this.#isAcknowledgementDue || this.#isWaitingForSequence) return undefined;
    this.#isAcknowledgementDue = false;
    this.#unacknowledgedBytes = 0;
    return this.#dialect.render({ type: messageType.ack, sequenceId: this.#latestId });
  }

  #count(bytes: number): boolean {
    const id = this.#nextId++;
    // Also for what came before: it was sent again because no acknowledgement of it arrived.
    this.#isAcknowledgementDue = true;
    this.#unacknowledgedBytes += bytes;
    if (id <= this.#latestId) return false;
    this.#latestId = id;
    return true;
  }

  /** Against what was received, not against where the count stands: that may have been set back by a Sequence before. */
  #startAt(sequenceId: number): void {
    if (sequenceId < 1 || sequenceId > this.#latestId + 1) {
      throw new HubwardError("bad_request", { detail: "a Sequence must begin with a message that is expected" });
    }
    this.#isWaitingForSequence = false;
    this.#nextId = sequenceId;
  }
}
