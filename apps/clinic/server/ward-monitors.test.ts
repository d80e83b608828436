import { expect, test } from "vitest";
import { createPatients } from "./patients.js";
import { createSeededRandom } from "./seeded-random.js";
import { createWardMonitors } from "./ward-monitors.js";

test("every tick brings one reading of each patient, of that patient's ward and of that instant", () => {
  const patients = createPatients();
  const sent: string[] = [];
  const wrong: string[] = [];
  const monitors = createWardMonitors(patients, createSeededRandom(1), (patient, reading) => {
    sent.push(`${reading.at} ${reading.patientId}`);
    if (reading.patientId !== patient.id || reading.ward !== patient.ward) wrong.push(patient.id);
  });
  monitors.tick(1000);
  monitors.tick(2000);
  expect(sent).toEqual([1000, 2000].flatMap((at) => patients.all.map(({ id }) => `${at} ${id}`)));
  expect(wrong).toEqual([]);
});
