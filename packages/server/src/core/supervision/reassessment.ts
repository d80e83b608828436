/**
 * What a connection is left with once its principal was replaced: its memberships judged again, the lost ones told, and
 * those that nobody could judge asked about again until somebody can.
 */

import type { Clock, Timer } from "../clock.js";
import type { Connection } from "../connection/connection.js";
import { groupName, type GroupReference } from "../groups/group.js";
import type { Groups } from "../groups/groups.js";
import type { Telemetry } from "../telemetry.js";

/** Resolves with the groups it lost when every rule has answered, or failed to. */
export type Reassess<P> = (connection: Connection<P>) => Promise<readonly GroupReference<P>[]>;

export interface ReassessmentPorts<P> {
  readonly clock: Pick<Clock, "after">;
  readonly groups: Groups<P>;
  readonly telemetry: Telemetry;
}

/** Who waits for a rule waits no longer. */
const RULE_TIMEOUT_MS = 10_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

export function createReassessment<P>({ clock, groups, telemetry }: ReassessmentPorts<P>): Reassess<P> {
  async function reassess(connection: Connection<P>, retryMs: number): Promise<readonly GroupReference<P>[]> {
    const { version } = connection;
    let limit: Timer | undefined;
    const late = (): Promise<void> => new Promise((resolve) => void (limit = clock.after(RULE_TIMEOUT_MS, resolve)));
    const { lost, unanswered } = await groups.judgeAgain(connection, late);
    limit?.cancel();
    if (lost.length > 0) {
      const names = lost.map(groupName);
      connection.notify({ kind: "memberships-changed", gained: [], lost: names });
      const { id, hub, authentication } = connection;
      telemetry({ event: "membership.lost", connectionId: id, hub, subject: authentication.subject, groups: names });
    }
    const isCurrent = connection.version === version;
    if (unanswered > 0 && isCurrent && connection.isListening) {
      clock.after(retryMs, () => {
        // Whoever replaced the principal again judges all of them.
        if (connection.version === version && connection.isListening)
          void reassess(connection, Math.min(MAX_RETRY_MS, retryMs * 2));
      });
    }
    return lost;
  }

  return (connection) => reassess(connection, FIRST_RETRY_MS);
}
