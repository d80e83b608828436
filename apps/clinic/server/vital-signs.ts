/**
 * Makes up the vital signs of one patient. Hidden states (effort, oxygenation, the tone of the vessels, body heat)
 * drift slowly and each moves several values at once, so the values belong to one body; on top come episodes, breathing
 * and the noise of the sensors.
 */

import { createAlarmWatch, type AlarmName, type VitalValues } from "./alarms.js";
import { createEpisodes } from "./episodes.js";
import type { Patient } from "./patients.js";
import type { SeededRandom } from "./seeded-random.js";

/** One reading of one patient, as the hub sends it. */
export interface VitalSigns extends VitalValues {
  readonly patientId: string;
  readonly ward: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly alarms: readonly AlarmName[];
}

export interface Monitor {
  /** The reading of the next second, stamped with that instant. */
  read(at: number): VitalSigns;
}

/** What no living patient exceeds. */
export const plausibleRanges: Readonly<Record<keyof VitalValues, readonly [least: number, most: number]>> = {
  heartRate: [30, 190],
  spo2: [70, 100],
  systolic: [60, 220],
  diastolic: [30, 130],
  respiration: [5, 45],
  temperature: [34, 41.5],
};

/** The systolic pressure is above the diastolic one by this much at least. */
export const leastPulsePressure = 15;

export function createMonitor({ id, ward }: Pick<Patient, "id" | "ward">, random: SeededRandom): Monitor {
  const about = (mean: number, spread: number): number => mean + spread * (2 * random.next() - 1);
  const baseline: VitalValues = {
    heartRate: about(76, 10),
    spo2: about(96.8, 1),
    systolic: about(124, 12),
    diastolic: about(76, 7),
    respiration: about(15.5, 2),
    temperature: about(36.8, 0.25),
  };
  const effort = createDrift(random, 60);
  const oxygenation = createDrift(random, 120);
  const tone = createDrift(random, 180);
  const heat = createDrift(random, 900);
  const episodes = createEpisodes(random);
  const watch = createAlarmWatch();

  function nextValues(): VitalValues {
    const [moving, air, vessels, warmth] = [effort(), oxygenation(), tone(), heat()];
    const shift = episodes.next();
    const noise = (deviation: number): number => deviation * random.gaussian();
    const temperature = baseline.temperature + 0.15 * warmth + shift.temperature + noise(0.02);
    const systolic = baseline.systolic + 5 * moving + 6 * vessels + shift.systolic + noise(1.2);
    const diastolic = baseline.diastolic + 2 * moving + 4 * vessels + shift.diastolic + noise(1);
    return {
      // Some ten beats a minute for each degree; narrow vessels slow the heart (the baroreceptor reflex).
      heartRate: baseline.heartRate + 6 * moving - 1.5 * vessels - air + 1.5 * warmth + shift.heartRate + noise(1),
      spo2: baseline.spo2 + 0.7 * air + shift.spo2 + noise(0.25),
      systolic,
      diastolic,
      respiration: baseline.respiration + 1.8 * moving - 0.8 * air + 0.4 * warmth + shift.respiration + noise(0.4),
      temperature,
    };
  }

  return {
    read(at) {
      const values = round(nextValues());
      return { patientId: id, ward, at, ...values, alarms: watch(values) };
    },
  };
}

/**
 * A value that wanders around 0 with standard deviation 1 and forgets where it was after about `seconds`
 * (an Ornstein-Uhlenbeck process, one step a second).
 */
function createDrift(random: SeededRandom, seconds: number): () => number {
  const keep = Math.exp(-1 / seconds);
  const push = Math.sqrt(1 - keep ** 2);
  let value = random.gaussian();
  return () => (value = keep * value + push * random.gaussian());
}

function round(values: VitalValues): VitalValues {
  const systolic = within("systolic", Math.round(values.systolic));
  return {
    heartRate: within("heartRate", Math.round(values.heartRate)),
    spo2: within("spo2", Math.round(values.spo2)),
    systolic,
    diastolic: Math.min(within("diastolic", Math.round(values.diastolic)), systolic - leastPulsePressure),
    respiration: within("respiration", Math.round(values.respiration)),
    temperature: within("temperature", Math.round(values.temperature * 10) / 10),
  };
}

function within(vital: keyof VitalValues, value: number): number {
  const [least, most] = plausibleRanges[vital];
  return Math.min(most, Math.max(least, value));
}
