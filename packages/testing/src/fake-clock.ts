/** A clock that stands still until a test moves it: timers, the wall clock and the turns of the event loop by hand. */

import type { Clock, EpochMs, MonotonicMs, Timer } from "@hubward/server/ports";

export interface FakeClockOptions {
  /** Where the wall clock starts. Milliseconds since 1970, default 2026-01-01T00:00:00Z. */
  readonly startAt?: number | undefined;
}

export interface FakeClock extends Clock {
  /**
   * Lets time pass on both clocks and runs what falls due, in order of its instant and, at one instant, in the
   * order asked for. A timer that is armed meanwhile runs too if it falls due in time. Milliseconds, 0 or more.
   */
  advance(ms: number): void;
  /** Lets time pass on both clocks while nothing runs, as when the event loop is blocked. `advance` catches up. */
  block(ms: number): void;
  /** Steps the wall clock alone, forward or back, as NTP, an operator or a machine's sleep does. */
  stepWallClock(ms: number): void;
  /**
   * Ends a turn of the event loop: runs what was asked for the end of it. What that asks for in turn belongs to
   * the next one. Returns how many ran.
   */
  endTurn(): number;
  /** Timers that are armed. */
  readonly pending: number;
  /** Calls that wait for the end of the turn. */
  readonly pendingTurn: number;
}

const DEFAULT_START_AT = Date.UTC(2026, 0, 1);
/** The monotonic clock starts elsewhere than the wall clock, and not at 0, so that the two cannot be mixed up. */
const MONOTONIC_START = 1_000_000;
/** Node fires at once for anything beyond. */
const MAX_DELAY_MS = 2 ** 31 - 1;

interface Armed extends Timer {
  readonly dueAt: number;
  readonly run: () => void;
}

/** @throws RangeError from its methods for time that cannot pass, and for delays `setTimeout` cannot keep */
export function createFakeClock({ startAt = DEFAULT_START_AT }: FakeClockOptions = {}): FakeClock {
  let now = startAt;
  let monotonic = MONOTONIC_START;
  let turn: (() => void)[] = [];
  // A Set keeps the order asked for, which decides between timers of one instant.
  const timers = new Set<Armed>();

  function pass(ms: number): void {
    now += ms;
    monotonic += ms;
  }

  function nextDue(until: number): Armed | undefined {
    let next: Armed | undefined;
    for (const timer of timers) {
      if (timer.dueAt <= until && (next === undefined || timer.dueAt < next.dueAt)) next = timer;
    }
    return next;
  }

  return {
    now: () => now as EpochMs,
    monotonic: () => monotonic as MonotonicMs,

    after(delayMs, run) {
      if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS)) throw new RangeError(`after: a delay of ${delayMs} ms`);
      const timer: Armed = { dueAt: monotonic + delayMs, run, cancel: () => void timers.delete(timer) };
      timers.add(timer);
      return timer;
    },

    endOfTurn(run) {
      turn.push(run);
    },

    advance(ms) {
      assertDuration("advance", ms);
      const until = monotonic + ms;
      for (let timer = nextDue(until); timer !== undefined; timer = nextDue(until)) {
        timers.delete(timer);
        // A timer may be overdue: the clocks never go back for it.
        pass(Math.max(0, timer.dueAt - monotonic));
        timer.run();
      }
      // What ran may have let time pass itself.
      pass(Math.max(0, until - monotonic));
    },

    block(ms) {
      assertDuration("block", ms);
      pass(ms);
    },

    stepWallClock(ms) {
      if (!Number.isFinite(ms)) throw new RangeError(`stepWallClock: ${ms} ms`);
      now += ms;
    },

    endTurn() {
      const ending = turn;
      turn = [];
      for (const run of ending) run();
      return ending.length;
    },

    get pending() {
      return timers.size;
    },
    get pendingTurn() {
      return turn.length;
    },
  };
}

function assertDuration(name: string, ms: number): void {
  if (!(ms >= 0 && Number.isFinite(ms))) throw new RangeError(`${name}: ${ms} ms`);
}
