/** Limits under test, by a clock that a test moves. */

import type { Clock } from "../src/core/clock.js";
import { createCallLimiter, type CallLimiter } from "../src/core/limits/call-limiter.js";
import { limitDefaults, resolveLimits, type LimitOptions } from "../src/core/limits/limit-options.js";

/** What holds when nothing is said. */
export function limiterOf(clock: Clock, options?: LimitOptions | false): CallLimiter {
  return createCallLimiter({ clock, limits: resolveLimits("test", options, limitDefaults) });
}
