/** Spells of illness that come over a patient now and then, rise, last and pass. */

import type { VitalValues } from "./alarms.js";
import type { SeededRandom } from "./seeded-random.js";

/** What an episode at its height adds to each value. */
export type Shift = VitalValues;

interface EpisodeKind {
  readonly height: Partial<Shift>;
  readonly riseSeconds: number;
  readonly holdSeconds: number;
  readonly fallSeconds: number;
}

/** What belongs together moves together: a heart that fails to fill drops the pressure, thin air drives heart and breath. */
export const episodeKinds: readonly EpisodeKind[] = [
  {
    height: { heartRate: 52, systolic: -10, diastolic: -4, respiration: 5, spo2: -1 },
    riseSeconds: 12,
    holdSeconds: 50,
    fallSeconds: 30,
  },
  {
    height: { heartRate: -30, systolic: -14, diastolic: -8, respiration: -1 },
    riseSeconds: 15,
    holdSeconds: 45,
    fallSeconds: 25,
  },
  {
    height: { spo2: -9, heartRate: 18, respiration: 10, systolic: 6, diastolic: 4 },
    riseSeconds: 25,
    holdSeconds: 45,
    fallSeconds: 35,
  },
  {
    height: { systolic: -40, diastolic: -20, heartRate: 22, respiration: 3, spo2: -1 },
    riseSeconds: 30,
    holdSeconds: 60,
    fallSeconds: 45,
  },
  {
    height: { temperature: 2, heartRate: 18, respiration: 4, systolic: -4, diastolic: -3 },
    riseSeconds: 120,
    holdSeconds: 180,
    fallSeconds: 150,
  },
];

/** One begins in so many seconds of health, on average. */
const meanSecondsBetween = 420;

export const noShift: Shift = { heartRate: 0, spo2: 0, systolic: 0, diastolic: 0, respiration: 0, temperature: 0 };

export interface Episodes {
  /** What is added to the values in the next second. */
  next(): Shift;
}

/** At most one at a time, each of its own strength. */
export function createEpisodes(random: SeededRandom): Episodes {
  let current: { readonly kind: EpisodeKind; readonly strength: number; second: number } | undefined;

  return {
    next() {
      if (current === undefined) {
        if (random.next() >= 1 / meanSecondsBetween) return noShift;
        const kind = episodeKinds[Math.floor(random.next() * episodeKinds.length)] as EpisodeKind;
        current = { kind, strength: 0.8 + 0.4 * random.next(), second: 0 };
      }
      const { kind, strength } = current;
      const level = strength * courseOf(kind, ++current.second);
      if (current.second >= kind.riseSeconds + kind.holdSeconds + kind.fallSeconds) current = undefined;
      return mapShift((vital) => (kind.height[vital] ?? 0) * level);
    },
  };
}

/** From 0 up to 1 and down to 0 again, without a corner. */
function courseOf({ riseSeconds, holdSeconds, fallSeconds }: EpisodeKind, second: number): number {
  if (second < riseSeconds) return smooth(second / riseSeconds);
  const left = riseSeconds + holdSeconds + fallSeconds - second;
  return left < fallSeconds ? smooth(left / fallSeconds) : 1;
}

function smooth(part: number): number {
  return (1 - Math.cos(Math.PI * part)) / 2;
}

function mapShift(amount: (vital: keyof Shift) => number): Shift {
  return {
    heartRate: amount("heartRate"),
    spo2: amount("spo2"),
    systolic: amount("systolic"),
    diastolic: amount("diastolic"),
    respiration: amount("respiration"),
    temperature: amount("temperature"),
  };
}
