/** Runs cases and peers interleaved, round after round, and keeps each peer's figures aligned by round. */

import { disturbedAbove, waitUntilQuiet } from "./machine.mjs";
import { median, ratio } from "./stats.mjs";

/**
 * @template Case
 * @template Result
 * @param {object} options
 * @param {readonly Case[]} options.cases
 * @param {readonly string[]} options.peers every case runs all of them, one at a time
 * @param {(one: Case) => readonly string[]} [options.peersOf] those that can do what a case asks. Default all
 * @param {number} options.rounds
 * @param {{ waitMs: number, retries: number }} options.quiet how long to wait, before each run, for other processes to
 *   be quiet; how often to repeat a run that they disturbed. The least disturbed one counts, whatever it measured
 * @param {(one: Case) => string} options.name
 * @param {(one: Case, peer: string, round: number) => Promise<Result>} options.run
 * @param {(result: Result) => string} options.describe one line for standard error
 * @returns {Promise<Rounds<Result>>} never rejects for a run that failed: it is recorded and the others go on
 */
export async function runRounds({ cases, peers, peersOf = () => peers, rounds, quiet, name, run, describe }) {
  /** @type {Record<string, (Result | null)[]>[]} */
  const results = cases.map(() => Object.fromEntries(peers.map((peer) => [peer, []])));
  const failures = [];
  for (let round = 0; round < rounds; round++) {
    for (const [at, one] of cases.entries()) {
      // Each round begins with another peer, so that none always runs first.
      const able = peersOf(one);
      for (let turn = 0; turn < able.length; turn++) {
        const peer = able[(round + turn) % able.length];
        const label = `round ${round + 1}/${rounds} ${name(one)} ${peer}`;
        try {
          const result = await runUndisturbed(() => run(one, peer, round), quiet);
          results[at][peer].push(result);
          console.error(`${label}: ${describe(result)}`);
        } catch (error) {
          results[at][peer].push(null);
          failures.push(`${label}: ${error.message}`);
          console.error(`${label}: FAILED: ${error.message}`);
        }
      }
    }
  }

  // NaN for a failed run keeps the rounds of two peers side by side.
  const figures = (at, peer, figure) => (results[at][peer] ?? []).map((result) => result?.[figure] ?? Number.NaN);
  return {
    results,
    failures,
    figures,
    middle: (at, peer, figure) => median(figures(at, peer, figure).filter(Number.isFinite)),
    ratioOf: (at, figure, peer, baseline) => ratio(figures(at, peer, figure), figures(at, baseline, figure)),
  };
}

async function runUndisturbed(run, { waitMs, retries }) {
  let best = null;
  for (let attempt = 0; attempt <= retries; attempt++) {
    await waitUntilQuiet(waitMs);
    const result = await run();
    if (best === null || (result.otherLoad ?? 0) < (best.otherLoad ?? 0)) best = result;
    if ((best.otherLoad ?? 0) <= disturbedAbove) break;
  }
  return best;
}

/**
 * @template Result
 * @typedef {object} Rounds
 * @property {Record<string, (Result | null)[]>[]} results by case and peer, one a round; null: that run failed
 * @property {string[]} failures
 * @property {(at: number, peer: string, figure: string) => number[]} figures one figure a round, NaN where it failed
 * @property {(at: number, peer: string, figure: string) => number} middle the median over rounds
 * @property {(at: number, figure: string, peer: string, baseline: string) => ReturnType<typeof ratio>} ratioOf
 */
