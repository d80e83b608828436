/** Time as this package sees it: a port, so that tests advance it by hand. */

export interface Clock {
  /** Milliseconds since 1970. May step in either direction. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };
