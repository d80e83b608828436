import { expect, test } from "vitest";
import { createPatients, isWardId } from "./patients.js";

const patients = createPatients();

test("each ward of each tenant has its own patients, and ids are unique over all tenants", () => {
  const sizes = ["general", "annex"].map((tenant) => ["icu", "er"].map((ward) => patients.inWard(tenant, ward).length));
  expect(sizes).toEqual([
    [6, 6],
    [3, 3],
  ]);
  expect(new Set(patients.all.map(({ id }) => id)).size).toBe(18);
  expect(new Set(patients.all.map(({ name }) => name)).size).toBe(18);
});

test("a patient is found in its own tenant only", () => {
  const [patient] = patients.inWard("annex", "icu");
  expect(patients.find("annex", patient!.id)).toEqual(patient);
  expect(patients.find("general", patient!.id)).toBeUndefined();
  expect(patients.find(undefined, patient!.id)).toBeUndefined();
});

test("unknown wards and tenants have nobody", () => {
  expect(patients.inWard("general", "attic")).toEqual([]);
  expect(patients.inWard("elsewhere", "icu")).toEqual([]);
  expect(["icu", "er", "ICU", "", "__proto__"].map(isWardId)).toEqual([true, true, false, false, false]);
});
