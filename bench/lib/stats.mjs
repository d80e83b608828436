/** The few statistics the reports need. Medians throughout: a shared machine spoils means. */

/**
 * @param {ArrayLike<number>} values
 * @param {number} fraction 0 to 1
 * @returns {number} the value at that rank (nearest rank), NaN for none
 */
export function percentile(values, fraction) {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(fraction * sorted.length) - 1))];
}

/** @param {readonly number[]} values the mean of the two middle ones when there is no middle */
export function median(values) {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The ratio of two peers: taken within each round, where both saw the same machine, and then the median over rounds.
 *
 * @param {readonly number[]} values one a round
 * @param {readonly number[]} baseline one a round, in the same order
 * @returns {{ median: number, least: number, most: number } | null} null where no round has both
 */
export function ratio(values, baseline) {
  const ratios = [];
  for (let round = 0; round < Math.min(values.length, baseline.length); round++) {
    const one = values[round] / baseline[round];
    if (Number.isFinite(one)) ratios.push(one);
  }
  if (ratios.length === 0) return null;
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}
