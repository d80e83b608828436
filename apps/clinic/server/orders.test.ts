import { describe, expect, test } from "vitest";
import { commandIdSchema, createOrder, drugNameSchema } from "./orders.js";
import type { Patient } from "./patients.js";

const patient: Patient = { id: "general-icu-1", tenant: "general", name: "Amara Okafor", ward: "icu", bed: "ICU-1" };

test("an order says what, for whom, by whom and when, and no two share an id", () => {
  const first = createOrder(patient, "Paracetamol 1 g", "doctor-icu", 1_700_000_000_000);
  expect(first).toEqual({
    orderId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    patientId: "general-icu-1",
    ward: "icu",
    drugName: "Paracetamol 1 g",
    orderedBy: "doctor-icu",
    at: 1_700_000_000_000,
  });
  expect(createOrder(patient, "Paracetamol 1 g", "doctor-icu", 1_700_000_000_000).orderId).not.toBe(first.orderId);
});

describe("command ids", () => {
  test.each(["x", " ", "c".repeat(64), "💊".repeat(64), "a\0b"])("%j is one", (text) => {
    expect(commandIdSchema.safeParse(text).success).toBe(true);
  });

  test.each(["", "c".repeat(65), "💊".repeat(65), 7, null, undefined])("%j is none", (text) => {
    expect(commandIdSchema.safeParse(text).success).toBe(false);
  });
});

test("a drug has a name, without spaces around it", () => {
  expect(drugNameSchema.parse("  Heparin ")).toBe("Heparin");
  for (const name of ["", "   ", "x".repeat(101), 1]) expect(drugNameSchema.safeParse(name).success).toBe(false);
});
