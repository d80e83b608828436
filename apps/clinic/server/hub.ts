/** `/hubs/clinical`: wards to watch, vital signs, medication orders; and `/rooms`: the same wards' notes. */

import { HubwardError, type GroupReference } from "@hubward/server";
import { z } from "zod";
import type { ClinicApp, Policies, Staff } from "./access.js";
import { commandIdSchema, createOrder, drugNameSchema, patientIdSchema, type MedicationOrder } from "./orders.js";
import { noteTextSchema, type NoteBook, type WardNote } from "./notes.js";
import { isWardId, wardIds, type Patient, type Patients, type WardId } from "./patients.js";
import type { VitalSigns } from "./vital-signs.js";

/** What the members of a ward's group hear. */
export type WardEvents = {
  Vitals: [reading: VitalSigns];
  MedicationOrdered: [order: MedicationOrder];
  note: [note: WardNote];
};

export interface HubParts {
  readonly app: ClinicApp;
  readonly policies: Policies;
  readonly patients: Patients;
  readonly notes: NoteBook;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export interface ClinicalHub {
  /** Sends a reading to those of the patient's own tenant who watch the ward. */
  sendVitals(patient: Patient, reading: VitalSigns): void;
}

const hubPath = "/hubs/clinical";
const wardNameSchema = z.string().min(1).max(64);

export function mountClinicalHub({ app, policies, patients, notes, now }: HubParts): ClinicalHub {
  const { clinicalOrAdmin, doctorsOnly, noteWriters, ownWard, ownPatient } = policies;
  const ward = app
    .group("ward/{ward}", { ward: z.enum(wardIds) })
    .events<WardEvents>()
    .allow(ownWard, (values) => values.ward)
    .room((room) =>
      room
        .publish("note", noteTextSchema, (draft) =>
          draft.allow(noteWriters).handle(({ principal }, text, place): WardNote => {
            const { tenant, subject } = principal;
            return notes.add(tenant, { ward: place.ward as WardId, text, by: subject, at: now() });
          }),
        )
        .presence((draft) => draft.members()),
    );
  app.rooms().allow(clinicalOrAdmin);

  /** @throws HubwardError bad_room, in words that say more than "wrong arguments" */
  function wardNamed(name: string): GroupReference<Staff, WardEvents> {
    if (!isWardId(name)) throw new HubwardError("bad_room", { detail: "there is no ward of this name" });
    return ward({ ward: name });
  }

  app
    .hub<WardEvents>(hubPath, { authenticationRefresh: true })
    .allow(clinicalOrAdmin)
    .methods((method) => ({
      SubscribeToWard: method.args(wardNameSchema).handle((call, name) => call.groups.join(wardNamed(name))),

      UnsubscribeFromWard: method.args(wardNameSchema).handle((call, name) => {
        call.groups.leave(wardNamed(name));
      }),

      OrderMedication: method
        .args(patientIdSchema, drugNameSchema, commandIdSchema)
        .allow(doctorsOnly)
        .allow(ownPatient, (patientId) => patientId)
        .once((_patientId, _drugName, commandId) => commandId)
        .handle((call, patientId, drugName) => {
          const { tenant, subject } = call.principal;
          const patient = patients.find(tenant, patientId);
          if (patient === undefined) throw new HubwardError("forbidden");
          const order = createOrder(patient, drugName, subject, now());
          call.to(wardNamed(patient.ward)).emit("MedicationOrdered", order);
          return { orderId: order.orderId };
        }),

      WhoAmI: method.handle(({ principal: { subject, roles, department }, expiresInSeconds }) => ({
        subject,
        roles,
        department,
        expiresInSeconds,
      })),
    }));

  return {
    sendVitals(patient, reading) {
      app.tenant(patient.tenant).to(wardNamed(patient.ward)).emit("Vitals", reading);
    },
  };
}
