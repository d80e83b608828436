/** The limits of one scope: what its gate and its doors ask. */

import type { Admitter } from "../core/admission/admission.js";
import type { FailedCredentials } from "../core/admission/failed-credential.js";
import type { Clock } from "../core/clock.js";
import { createCallLimiter, type CallLimiter } from "../core/limits/call-limiter.js";
import { createFailedAttempts } from "../core/limits/failed-attempts.js";
import type { ResolvedLimits } from "../core/limits/limit-options.js";
import { limitPending } from "../core/limits/pending-admissions.js";
import { createPrincipalConnections, type PrincipalConnections } from "../core/limits/principal-connections.js";
import type { Random } from "../core/random.js";

export interface ScopeLimits<P> {
  /** Of the gate, for every protocol. */
  readonly limiter: CallLimiter;
  /** Counted from a connection's birth until it is released. */
  readonly places: PrincipalConnections;
  readonly failed: FailedCredentials;
  /** For doors. Live connections are judged again by the one it was made from. */
  readonly admitter: Admitter<P>;
}

export function createScopeLimits<P>(
  limits: ResolvedLimits,
  admitter: Admitter<P>,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): ScopeLimits<P> {
  return {
    limiter: createCallLimiter({ clock, limits }),
    places: createPrincipalConnections(limits.maxConnectionsPerPrincipal),
    failed: {
      tokens: createFailedAttempts(clock, limits.authentication),
      tickets: createFailedAttempts(clock, limits.authentication),
    },
    admitter: limitPending(admitter, { clock, random, max: limits.maxPendingAdmissions }),
  };
}
