/** Who lies where: the patients of the watched wards, fetched as a ward is joined. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { PatientsAnswer } from "./clinic-api.js";
import type { Clock } from "./clock.js";
import type { Patient, WardId } from "./hub-contract.js";
import type { Failure } from "./reasons.js";

export interface Patients {
  /** The patients of a ward by bed. */
  inWard(ward: WardId): ReadonlySignal<readonly Patient[]>;
  /** Read inside a component or effect, it is read again when the answer changes. */
  find(patientId: string): Patient | undefined;
  /** True once the list has said who this is. */
  isKnown(patientId: string): boolean;
  /** Fetches the ward's patients unless they are known; tries again while the service is down. */
  load(ward: WardId): void;
  /** A reading came of a patient the list does not hold yet. */
  meet(patientId: string, ward: string): void;
  drop(ward: WardId): void;
  reset(): void;
}

export interface PatientsOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly fetch: (ward: WardId) => Promise<PatientsAnswer>;
  readonly onRefused: (ward: WardId, failure: Failure) => void;
}

export function createPatients({ clock, random, fetch, onRefused }: PatientsOptions): Patients {
  const known = signal<ReadonlyMap<string, Patient>>(new Map());
  /** Wards whose list is wanted, with the number of the request that may fill it. */
  const wanted = new Map<WardId, number>();
  let requests = 0;

  const byBed = new Intl.Collator("en", { numeric: true });
  const lists = new Map<WardId, ReadonlySignal<readonly Patient[]>>();

  function inWard(ward: WardId): ReadonlySignal<readonly Patient[]> {
    let list = lists.get(ward);
    if (list === undefined) {
      list = computed(() =>
        [...known.value.values()]
          .filter((patient) => patient.ward === ward)
          .sort((a, b) => byBed.compare(a.bed ?? "", b.bed ?? "") || byBed.compare(a.id, b.id)),
      );
      lists.set(ward, list);
    }
    return list;
  }

  async function fill(ward: WardId, request: number): Promise<void> {
    const answer = await fetch(ward);
    if (wanted.get(ward) !== request) return;
    if (answer.kind === "patients") {
      known.value = new Map([...known.peek(), ...answer.patients.map((patient) => [patient.id, patient] as const)]);
      return;
    }
    if (answer.failure.condition === "unavailable" || answer.failure.condition === "expired") {
      clock.after(5_000 * (1 + random()), () => {
        if (wanted.get(ward) === request) void fill(ward, request);
      });
      return;
    }
    wanted.delete(ward);
    onRefused(ward, answer.failure);
  }

  return {
    inWard,
    find: (patientId) => known.value.get(patientId),
    isKnown: (patientId) => known.peek().get(patientId)?.bed !== undefined,
    load(ward) {
      if (wanted.has(ward)) return;
      requests += 1;
      wanted.set(ward, requests);
      void fill(ward, requests);
    },
    meet(patientId, ward) {
      if (known.peek().has(patientId)) return;
      known.value = new Map([...known.peek(), [patientId, { id: patientId, name: patientId, ward, bed: undefined }]]);
    },
    drop(ward) {
      wanted.delete(ward);
      known.value = new Map([...known.peek()].filter(([, patient]) => patient.ward !== ward));
    },
    reset() {
      wanted.clear();
      known.value = new Map();
    },
  };
}
