/** The latest reading and the recent past of every patient in view; each patient is a signal of its own. */
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Clock } from "./clock.js";
import type { Vitals } from "./hub-contract.js";
import { createRingBuffer, type RingBuffer } from "./ring-buffer.js";

export interface Reading {
  readonly vitals: Vitals;
  /** On the page's clock: how old the reading is never depends on the server's clock or the device's. */
  readonly receivedAt: number;
}

export interface PatientTrace {
  readonly reading: ReadonlySignal<Reading | undefined>;
  readonly history: RingBuffer;
}

export interface VitalsStore {
  /** The trace of a patient, empty until the first reading. */
  trace(patientId: string): PatientTrace;
  /** Ids of the patients with an alarm now, in the order in which they were raised. */
  readonly alarming: ReadonlySignal<readonly string[]>;
  receive(vitals: Vitals): void;
  /** Forgets the patients of a ward that is no longer watched. */
  dropWard(ward: string): void;
  clear(): void;
}

/** Two minutes of readings. */
export const historyLength = 120;

interface Entry extends PatientTrace {
  readonly reading: Signal<Reading | undefined>;
}

export function createVitalsStore(clock: Clock): VitalsStore {
  const entries = new Map<string, Entry>();
  const alarming = signal<readonly string[]>([]);

  function trace(patientId: string): Entry {
    let entry = entries.get(patientId);
    if (entry === undefined) {
      entry = { reading: signal<Reading | undefined>(undefined), history: createRingBuffer(historyLength) };
      entries.set(patientId, entry);
    }
    return entry;
  }

  function noteAlarm(patientId: string, isAlarming: boolean): void {
    const known = alarming.peek().includes(patientId);
    if (known === isAlarming) return;
    alarming.value = isAlarming
      ? [...alarming.peek(), patientId]
      : alarming.peek().filter((other) => other !== patientId);
  }

  return {
    trace,
    alarming,
    receive(vitals) {
      const entry = trace(vitals.patientId);
      const at = Number.isFinite(vitals.at) ? vitals.at : clock.now();
      entry.history.push({ at, heartRate: vitals.heartRate, spo2: vitals.spo2 });
      entry.reading.value = { vitals, receivedAt: clock.now() };
      noteAlarm(vitals.patientId, vitals.alarms.length > 0);
    },
    dropWard(ward) {
      for (const [patientId, entry] of entries) {
        if (entry.reading.peek()?.vitals.ward !== ward) continue;
        entries.delete(patientId);
        noteAlarm(patientId, false);
      }
    },
    clear() {
      entries.clear();
      alarming.value = [];
    },
  };
}
