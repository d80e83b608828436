import { describe, expect, test } from "vitest";
import { alarmLimits, type AlarmName, type VitalValues } from "./alarms.js";
import { createSeededRandom } from "./seeded-random.js";
import { createMonitor, leastPulsePressure, plausibleRanges, type VitalSigns } from "./vital-signs.js";

const patient = { id: "p", ward: "icu" } as const;
const vitals = Object.keys(plausibleRanges) as (keyof VitalValues)[];

function record(seed: number, seconds: number): VitalSigns[] {
  const monitor = createMonitor(patient, createSeededRandom(seed));
  return Array.from({ length: seconds }, (_, second) => monitor.read(second * 1000));
}

/** Six hours of five patients. */
const days = [11, 12, 13, 14, 15].map((seed) => record(seed, 21_600));
const all = days.flat();

function correlation(readings: readonly VitalSigns[], one: keyof VitalValues, other: keyof VitalValues): number {
  const mean = (of: (reading: VitalSigns) => number): number =>
    readings.reduce((sum, reading) => sum + of(reading), 0) / readings.length;
  const [oneMean, otherMean] = [mean((reading) => reading[one]), mean((reading) => reading[other])];
  const product = mean((reading) => (reading[one] - oneMean) * (reading[other] - otherMean));
  const oneSquare = mean((reading) => (reading[one] - oneMean) ** 2);
  const otherSquare = mean((reading) => (reading[other] - otherMean) ** 2);
  return product / Math.sqrt(oneSquare * otherSquare);
}

describe("readings", () => {
  test("the same seed gives the same readings, another seed others", () => {
    expect(record(1, 300)).toEqual(record(1, 300));
    expect(record(1, 300)).not.toEqual(record(2, 300));
  });

  test("say whose they are and of when", () => {
    expect(record(1, 2)[1]).toMatchObject({ patientId: "p", ward: "icu", at: 1000 });
  });

  test("stay within what is plausible, the systolic pressure above the diastolic", () => {
    const beyond = all.filter((reading) =>
      vitals.some((vital) => reading[vital] < plausibleRanges[vital][0] || reading[vital] > plausibleRanges[vital][1]),
    );
    expect(beyond).toEqual([]);
    expect(all.filter(({ systolic, diastolic }) => systolic - diastolic < leastPulsePressure)).toEqual([]);
  });

  test("are whole numbers, and the temperature has one decimal", () => {
    const broken = all.filter(
      ({ temperature, ...rest }) =>
        temperature !== Number(temperature.toFixed(1)) ||
        [rest.heartRate, rest.spo2, rest.systolic, rest.diastolic, rest.respiration].some(
          (value) => !Number.isInteger(value),
        ),
    );
    expect(broken).toEqual([]);
  });

  test("change from second to second, but never by a leap", () => {
    const most: Readonly<Record<keyof VitalValues, number>> = {
      heartRate: 14,
      spo2: 4,
      systolic: 12,
      diastolic: 10,
      respiration: 5,
      temperature: 0.3,
    };
    for (const vital of vitals) {
      const steps = days.flatMap((day) =>
        day.slice(1).map((reading, index) => Math.abs(reading[vital] - day[index]![vital])),
      );
      expect(Math.max(...sampled(steps)), vital).toBeLessThanOrEqual(most[vital]);
      expect(
        steps.some((step) => step > 0),
        vital,
      ).toBe(true);
    }
  });

  test("belong to one body: what moves together in people moves together here", () => {
    expect(correlation(all, "heartRate", "respiration")).toBeGreaterThan(0.3);
    expect(correlation(all, "systolic", "diastolic")).toBeGreaterThan(0.5);
    expect(correlation(all, "spo2", "respiration")).toBeLessThan(-0.2);
    expect(correlation(all, "temperature", "heartRate")).toBeGreaterThan(0.1);
  });
});

describe("alarms", () => {
  test("most of the time there is none, and each kind of episode raises its own", () => {
    const calm = all.filter(({ alarms }) => alarms.length === 0).length / all.length;
    expect(calm).toBeGreaterThan(0.6);
    expect(calm).toBeLessThan(0.95);
    const seen = new Set(all.flatMap(({ alarms }) => alarms));
    for (const name of ["tachycardia", "bradycardia", "hypoxia", "hypotension", "fever"] as const)
      expect(seen).toContain(name);
  });

  test("stand exactly with the values: never missing beyond the limit, never left over past its end", () => {
    const wrong = all.filter((reading) =>
      (Object.keys(alarmLimits) as AlarmName[]).some((name) => {
        const { vital, raiseAt, clearAt } = alarmLimits[name];
        const side = raiseAt > clearAt ? 1 : -1;
        const isRaised = reading.alarms.includes(name);
        const value = reading[vital] * side;
        return isRaised ? value <= clearAt * side : value >= raiseAt * side;
      }),
    );
    expect(wrong).toEqual([]);
  });

  test("last long enough to be seen", () => {
    const spells = days.flatMap((day) => spellLengths(day.map(({ alarms }) => alarms.length > 0)));
    expect(spells.length).toBeGreaterThan(50);
    expect(spells.sort((a, b) => a - b)[Math.floor(spells.length / 2)]).toBeGreaterThan(10);
  });
});

/** Math.max takes no hundred thousand arguments. */
function sampled(values: readonly number[]): number[] {
  return [values.reduce((most, value) => Math.max(most, value), 0)];
}

function spellLengths(flags: readonly boolean[]): number[] {
  const lengths: number[] = [];
  let length = 0;
  for (const flag of [...flags, false]) {
    if (flag) length++;
    else if (length > 0) {
      lengths.push(length);
      length = 0;
    }
  }
  return lengths;
}
