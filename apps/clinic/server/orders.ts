/** Medication orders: what may be ordered how, and the order itself. */

import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Patient } from "./patients.js";

/** An order as the ward is told of it. */
export interface MedicationOrder {
  readonly orderId: string;
  readonly patientId: string;
  readonly ward: string;
  readonly drugName: string;
  /** Subject of the doctor. */
  readonly orderedBy: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export const patientIdSchema = z.string().min(1).max(64);
export const drugNameSchema = z.string().trim().min(1).max(100);
/** Any text of 1 to 64 characters, counted as people count them and not in UTF-16 units. */
export const commandIdSchema = z.string().refine((text) => {
  const length = text.length > 128 ? Infinity : [...text].length;
  return length >= 1 && length <= 64;
});

/** Makes a new order. That a command sent again makes no second one is the hub's business (`.once`). */
export function createOrder(patient: Patient, drugName: string, orderedBy: string, at: number): MedicationOrder {
  return { orderId: randomUUID(), patientId: patient.id, ward: patient.ward, drugName, orderedBy, at };
}
