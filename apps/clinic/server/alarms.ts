/**
 * Alarm limits of a bedside monitor. Each alarm is raised at one value and cleared at another, so that a value that
 * trembles on the limit does not make the alarm flicker.
 */

export interface VitalValues {
  /** Beats a minute. */
  readonly heartRate: number;
  /** Percent. */
  readonly spo2: number;
  /** Millimetres of mercury. */
  readonly systolic: number;
  readonly diastolic: number;
  /** Breaths a minute. */
  readonly respiration: number;
  /** Degrees Celsius. */
  readonly temperature: number;
}

interface AlarmLimit {
  readonly vital: keyof VitalValues;
  /** From here on the alarm is raised. */
  readonly raiseAt: number;
  /** From here back it is cleared: above `raiseAt` for an alarm about low values. */
  readonly clearAt: number;
}

export const alarmLimits = {
  tachycardia: { vital: "heartRate", raiseAt: 120, clearAt: 114 },
  bradycardia: { vital: "heartRate", raiseAt: 48, clearAt: 52 },
  hypoxia: { vital: "spo2", raiseAt: 90, clearAt: 92 },
  hypotension: { vital: "systolic", raiseAt: 90, clearAt: 95 },
  hypertension: { vital: "systolic", raiseAt: 175, clearAt: 168 },
  tachypnoea: { vital: "respiration", raiseAt: 28, clearAt: 25 },
  bradypnoea: { vital: "respiration", raiseAt: 8, clearAt: 10 },
  fever: { vital: "temperature", raiseAt: 38.5, clearAt: 38.2 },
  hypothermia: { vital: "temperature", raiseAt: 35, clearAt: 35.3 },
} as const satisfies Record<string, AlarmLimit>;

export type AlarmName = keyof typeof alarmLimits;

/** Watches one patient: takes each reading in turn and answers which alarms stand. */
export type AlarmWatch = (values: VitalValues) => readonly AlarmName[];

export function createAlarmWatch(): AlarmWatch {
  const standing = new Set<AlarmName>();
  return (values) => {
    for (const [name, { vital, raiseAt, clearAt }] of Object.entries(alarmLimits) as [AlarmName, AlarmLimit][]) {
      // Turned so that more is worse, for alarms about low values too.
      const side = raiseAt > clearAt ? 1 : -1;
      const value = values[vital] * side;
      if (value >= raiseAt * side) standing.add(name);
      else if (value <= clearAt * side) standing.delete(name);
    }
    return [...standing];
  };
}
