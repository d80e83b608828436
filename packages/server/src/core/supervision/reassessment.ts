/**
 * What a connection is left with once its principal was replaced: its memberships judged again, the lost ones told, and
 * those that nobody could judge asked about again until somebody can.
 */

import type { Clock } from "../clock.js";
import type { Connection } from "../connection/connection.js";
import { groupKey, groupName } from "../groups/group.js";
import type { Groups, Reassessment } from "../groups/groups.js";
import type { Telemetry } from "../telemetry.js";

/** Resolves when every rule has answered or failed, as one does that takes longer than its deadline. */
export type Reassess<P> = (connection: Connection<P>) => Promise<Reassessment<P>>;

export interface ReassessmentPorts<P> {
  readonly clock: Pick<Clock, "after">;
  readonly groups: Groups<P>;
  readonly telemetry: Telemetry;
}

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

export function createReassessment<P>({ clock, groups, telemetry }: ReassessmentPorts<P>): Reassess<P> {
  async function reassess(connection: Connection<P>, retryMs: number): Promise<Reassessment<P>> {
    const { version } = connection;
    const { lost, unanswered } = await groups.judgeAgain(connection);
    if (lost.length > 0) {
      // It may be in again: some rules take longer than others, and a later word would be the last one about it.
      const gone = lost.filter((place) => !connection.memberships.has(groupKey(connection.tenant, place)));
      for (const place of gone) connection.tellMembership({ change: "lost", place });
      if (gone.length > 0) connection.notify({ kind: "memberships-changed", gained: [], lost: gone.map(groupName) });
      const { id, hub, authentication } = connection;
      const names = lost.map(groupName);
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
    return { lost, unanswered };
  }

  return (connection) => reassess(connection, FIRST_RETRY_MS);
}
