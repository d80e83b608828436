/**
 * The published event: one reading of a bedside monitor, about 150 bytes of JSON, the same for every peer.
 * `seq` and `sentAt` come first so that a receiver finds them without parsing the rest.
 */

/**
 * @param {number} seq position in the current schedule, from 0
 * @param {number} sentAtUs monotonic microseconds, see `clock.mjs`
 */
export function makeReading(seq, sentAtUs) {
  return {
    seq,
    sentAt: Math.round(sentAtUs),
    patientId: `p-${1000 + (seq % 24)}`,
    heartRate: 60 + ((seq * 7) % 50),
    spo2: 92 + (seq % 8),
    systolic: 105 + ((seq * 3) % 40),
    diastolic: 65 + ((seq * 5) % 20),
    respiration: 12 + (seq % 8),
    temperature: 36.5 + (seq % 10) / 10,
  };
}

const seqKey = Buffer.from('"seq":');
const sentAtKey = Buffer.from('"sentAt":');

/**
 * Reads `seq` and `sentAt` out of a rendered event.
 *
 * @param {Buffer} buffer
 * @param {number} start
 * @param {number} end
 * @returns {{ seq: number, sentAtUs: number }} NaN where a key is missing
 */
export function readStamps(buffer, start, end) {
  return {
    seq: readNumber(buffer, buffer.indexOf(seqKey, start), seqKey.length, end),
    sentAtUs: readNumber(buffer, buffer.indexOf(sentAtKey, start), sentAtKey.length, end),
  };
}

function readNumber(buffer, keyAt, keyLength, end) {
  if (keyAt === -1 || keyAt >= end) return Number.NaN;
  let value = 0;
  for (let at = keyAt + keyLength; at < end; at++) {
    const digit = buffer[at] - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return value;
}
