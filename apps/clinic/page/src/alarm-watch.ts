/** Tells a new alarm from one that goes on, so that the log hears of each once and not every second. */
import type { Clock } from "./clock.js";
import type { Vitals } from "./hub-contract.js";

export interface AlarmWatch {
  /** The alarms of this reading that are news. */
  onset(vitals: Vitals): readonly string[];
  reset(): void;
}

/** An alarm that comes back within this time is still the same one. */
export const sameAlarmMs = 60_000;

export function createAlarmWatch(clock: Clock): AlarmWatch {
  /** When each alarm of each patient was last on. */
  const lastOn = new Map<string, Map<string, number>>();
  return {
    onset({ patientId, alarms }) {
      const now = clock.now();
      const seen = lastOn.get(patientId) ?? new Map<string, number>();
      const news = alarms.filter((alarm) => now - (seen.get(alarm) ?? Number.NEGATIVE_INFINITY) > sameAlarmMs);
      for (const alarm of alarms) seen.set(alarm, now);
      if (seen.size > 0) lastOn.set(patientId, seen);
      return news;
    },
    reset: () => lastOn.clear(),
  };
}
