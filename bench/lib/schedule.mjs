/**
 * When publications happen. The same code runs inside every peer's server process, because how arrivals are spread
 * over turns of the event loop decides what a server can batch.
 *
 * - `ticks`: a producer wakes 20 times a second and publishes rate/20 messages in that turn, as a monitor gateway does.
 * - `even`: evenly spaced, open loop. A turn publishes whatever was due when the turn began, so a loop that runs late
 *   finds several waiting, as it would with one timer or one upstream socket per patient.
 * - `single`: evenly spaced, but never more than one publication in a turn, however late it is. The worst case for
 *   anything that batches per turn; not part of the default run.
 *
 * Every mode corrects for drift (due times count from the start, not from the last publication), and none skips a
 * message: an overloaded server takes longer than planned, and the report says so.
 */

import { nowUs } from "./clock.mjs";
import { makeReading } from "./vitals.mjs";

export const arrivalModes = /** @type {const} */ (["ticks", "even", "single"]);
export const ticksPerSecond = 20;

/** Node's timers have a grain of a millisecond: what is due within half of one counts as due. */
const grainUs = 500;

/**
 * @typedef {object} Schedule
 * @property {"ticks" | "even" | "single"} arrivals
 * @property {number} rate messages a second; with `ticks` a multiple of 20
 * @property {number} messages how many in all
 */

/**
 * When message `seq` is due, in microseconds after the start of the schedule.
 *
 * @param {Schedule} schedule
 * @param {number} seq
 */
export function dueUs({ arrivals, rate }, seq) {
  if (arrivals !== "ticks") return (seq * 1_000_000) / rate;
  return Math.floor(seq / (rate / ticksPerSecond)) * (1_000_000 / ticksPerSecond);
}

/** @param {Schedule} schedule throws a RangeError where it cannot be kept */
export function assertSchedule({ arrivals, rate, messages }) {
  if (!arrivalModes.includes(arrivals)) throw new RangeError(`arrivals: one of ${arrivalModes.join(", ")}`);
  if (!(rate > 0) || !(messages > 0)) throw new RangeError("rate and messages: above 0");
  if (arrivals === "ticks" && rate % ticksPerSecond !== 0)
    throw new RangeError(`arrivals=ticks: a rate that is a multiple of ${ticksPerSecond}`);
}

/**
 * Publishes a whole schedule.
 *
 * @param {Schedule} schedule
 * @param {(reading: object) => void} publish the peer's own way to reach the group
 * @returns {Promise<{ startedAtUs: number, turns: number, maxLateUs: number }>} `turns`: turns that published
 *   something; `maxLateUs`: the latest publication's delay against its due time
 */
export function runSchedule(schedule, publish) {
  assertSchedule(schedule);
  return new Promise((resolve, reject) => {
    const startedAtUs = nowUs();
    let next = 0;
    let turns = 0;
    let maxLateUs = 0;

    const turn = () => {
      try {
        const limit = publishableUntil(schedule, next, nowUs() - startedAtUs);
        if (limit > next) turns++;
        while (next < limit) {
          const sentAtUs = nowUs();
          maxLateUs = Math.max(maxLateUs, sentAtUs - startedAtUs - dueUs(schedule, next));
          publish(makeReading(next, sentAtUs));
          next++;
        }
        if (next === schedule.messages) return resolve({ startedAtUs, turns, maxLateUs });
        const waitUs = dueUs(schedule, next) - (nowUs() - startedAtUs);
        if (waitUs <= grainUs) setImmediate(turn);
        else setTimeout(turn, Math.max(1, Math.round(waitUs / 1000)));
      } catch (error) {
        reject(error);
      }
    };
    turn();
  });
}

/** The first message that this turn leaves alone. Judged once at the turn's start, so that I/O is never starved. */
function publishableUntil(schedule, next, elapsedUs) {
  let limit = next;
  const most = schedule.arrivals === "even" ? Number.POSITIVE_INFINITY : perTurn(schedule);
  while (limit < schedule.messages && limit - next < most && dueUs(schedule, limit) <= elapsedUs + grainUs) limit++;
  return limit;
}

function perTurn({ arrivals, rate }) {
  return arrivals === "ticks" ? rate / ticksPerSecond : 1;
}
