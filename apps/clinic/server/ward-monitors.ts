/** The monitors of all wards: once a second, one reading of each patient to those who watch the ward. */

import type { Patient, Patients } from "./patients.js";
import type { SeededRandom } from "./seeded-random.js";
import { createMonitor, type VitalSigns } from "./vital-signs.js";

export type SendVitals = (patient: Patient, reading: VitalSigns) => void;

export interface WardMonitors {
  /** Takes and sends one reading of each patient. */
  tick(at: number): void;
}

export function createWardMonitors(patients: Patients, random: SeededRandom, send: SendVitals): WardMonitors {
  const monitors = patients.all.map((patient) => ({ patient, monitor: createMonitor(patient, random) }));
  return {
    tick(at) {
      for (const { patient, monitor } of monitors) send(patient, monitor.read(at));
    },
  };
}
