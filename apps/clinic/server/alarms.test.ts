import { expect, test } from "vitest";
import { createAlarmWatch, type VitalValues } from "./alarms.js";

const well: VitalValues = { heartRate: 72, spo2: 97, systolic: 122, diastolic: 76, respiration: 15, temperature: 36.9 };

test("a patient who is well has no alarm", () => {
  expect(createAlarmWatch()(well)).toEqual([]);
});

test.each([
  ["tachycardia", { heartRate: 119 }, { heartRate: 120 }],
  ["bradycardia", { heartRate: 49 }, { heartRate: 48 }],
  ["hypoxia", { spo2: 91 }, { spo2: 90 }],
  ["hypotension", { systolic: 91 }, { systolic: 90 }],
  ["hypertension", { systolic: 174 }, { systolic: 175 }],
  ["tachypnoea", { respiration: 27 }, { respiration: 28 }],
  ["bradypnoea", { respiration: 9 }, { respiration: 8 }],
  ["fever", { temperature: 38.4 }, { temperature: 38.5 }],
  ["hypothermia", { temperature: 35.1 }, { temperature: 35 }],
])("%s is raised at its limit and not before", (name, before, at) => {
  const watch = createAlarmWatch();
  expect(watch({ ...well, ...before })).toEqual([]);
  expect(watch({ ...well, ...at })).toEqual([name]);
});

test("an alarm stands until the value is well past its limit, so it does not flicker", () => {
  const watch = createAlarmWatch();
  const heartRates = [119, 120, 119, 115, 114, 119, 121];
  const raised = heartRates.map((heartRate) => watch({ ...well, heartRate }).length);
  expect(raised).toEqual([0, 1, 1, 1, 0, 0, 1]);
});

test("several alarms stand beside each other", () => {
  expect(createAlarmWatch()({ ...well, heartRate: 130, spo2: 85 })).toEqual(["tachycardia", "hypoxia"]);
});
