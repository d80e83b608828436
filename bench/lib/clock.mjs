/**
 * One clock for all processes of a run: `process.hrtime` reads CLOCK_MONOTONIC, which every process of a machine
 * shares, so a stamp made by the server can be subtracted from one made by the load process.
 */

/** Now on the machine's monotonic clock. Microseconds, with fractions. */
export function nowUs() {
  return Number(process.hrtime.bigint()) / 1000;
}

/** Resolves after `ms` milliseconds. */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Awaits `work`, but not for ever.
 *
 * @template T
 * @param {Promise<T>} work
 * @param {{ limitMs: number, label: string }} limit what to call it in the error
 * @returns {Promise<T>} rejects with an Error once `limitMs` have passed
 */
export function withTimeLimit(work, { limitMs, label }) {
  let timer;
  const expiry = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${label}: not done after ${Math.round(limitMs / 1000)} s`)), limitMs);
  });
  return Promise.race([work, expiry]).finally(() => clearTimeout(timer));
}
