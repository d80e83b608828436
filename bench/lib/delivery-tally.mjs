/**
 * Counts deliveries over all members and, for a sample of members spread over the join order, notes when each message
 * was sent and received and whether any is missing, doubled or out of order.
 */

import { nowUs } from "./clock.mjs";
import { readStamps } from "./vitals.mjs";

/**
 * @param {object} options
 * @param {number} options.members
 * @param {number} options.sampled at most `members`
 */
export function createDeliveryTally({ members, sampled }) {
  const perMember = new Uint32Array(members);
  const sampleStride = members / Math.min(sampled, members);
  const sampledMembers = new Set(
    Array.from({ length: Math.min(sampled, members) }, (_, i) => Math.floor((i + 0.5) * sampleStride)),
  );
  let received = 0;
  let bytes = 0;
  let expected = 0;
  let misplaced = 0;
  /** @type {{ seq: number[], sentAtUs: number[], receivedAtUs: number[] }} */
  let samples = { seq: [], sentAtUs: [], receivedAtUs: [] };
  let onComplete = () => {};

  const count = (index, length) => {
    perMember[index]++;
    bytes += length;
    if (++received === expected) onComplete();
  };

  return {
    /** What member `index` calls for each delivery. @param {number} index */
    receiver(index) {
      if (!sampledMembers.has(index)) return (_buffer, start, end) => count(index, end - start);
      return (buffer, start, end) => {
        const { seq, sentAtUs } = readStamps(buffer, start, end);
        if (seq !== perMember[index]) misplaced++;
        samples.seq.push(seq);
        samples.sentAtUs.push(sentAtUs);
        samples.receivedAtUs.push(nowUs());
        count(index, end - start);
      };
    },

    /**
     * Forgets everything and waits for `messages` to each member.
     *
     * @returns {Promise<void>} resolves when that many deliveries have arrived; never, if they do not
     */
    begin(messages) {
      perMember.fill(0);
      received = bytes = misplaced = 0;
      samples = { seq: [], sentAtUs: [], receivedAtUs: [] };
      expected = messages * members;
      return new Promise((resolve) => {
        onComplete = resolve;
      });
    },

    /** Deliveries so far. */
    received: () => received,

    read: () => ({
      received,
      expected,
      bytes,
      /** Among the sampled members. */
      misplaced,
      /** Members that did not get exactly their share. */
      shortOrOver: perMember.filter((got) => got * members !== expected).length,
      samples,
    }),
  };
}
