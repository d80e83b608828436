import { generateKeyPairSync } from "node:crypto";
import type { Decision } from "@hubward/server";
import { expect, test } from "vitest";
import { createClinicApp, declarePolicies } from "./access.js";
import { mountClinicalHub } from "./hub.js";
import { createPatients } from "./patients.js";

test("who may do what in the clinic, and where that is decided", () => {
  const { x = "", y = "" } = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
  const key = { kty: "EC", crv: "P-256", x, y, kid: "k", alg: "ES256", use: "sig" } as const;
  const app = createClinicApp({
    sessions: { jwks: () => ({ keys: [key] }) },
    directory: { find: () => undefined },
    allowedOrigins: [],
    telemetry: () => undefined,
    audit: { record: () => undefined },
  });
  const patients = createPatients();
  mountClinicalHub({ app, policies: declarePolicies(app, patients), patients, now: () => 0 });

  const table = app.decisions().map((decision) => {
    const what = nameOf(decision);
    const policies = decision.policies.map(({ point, name, takesResource }) => {
      return `${point}: ${name}${takesResource ? " of what is named" : ""}`;
    });
    const isOnce = decision.what === "method" && decision.isOnce;
    return `${decision.what} ${what}${isOnce ? " (once)" : ""} | ${policies.join(" | ")}`;
  });
  expect(table).toEqual([
    "hub /hubs/clinical | hub: anyOf(ClinicalStaff, Administrator)",
    "method SubscribeToWard | hub: anyOf(ClinicalStaff, Administrator)",
    "method UnsubscribeFromWard | hub: anyOf(ClinicalStaff, Administrator)",
    "method OrderMedication (once) | hub: anyOf(ClinicalStaff, Administrator) | method: DoctorsOnly | resource: OwnPatient of what is named",
    "method WhoAmI | hub: anyOf(ClinicalStaff, Administrator)",
    "rooms /rooms | rooms: anyOf(ClinicalStaff, Administrator)",
    "group ward/{ward} | group: OwnWard of what is named",
    "publish ward/{ward} note | publish: NoteWriters",
    "presence ward/{ward} | ",
  ]);
  expect(app.decisions()[0]?.policies[0]?.anyOf).toEqual(["ClinicalStaff", "Administrator"]);
});

function nameOf(decision: Decision): string {
  switch (decision.what) {
    case "hub":
      return decision.hub;
    case "method":
      return decision.method;
    case "rooms":
      return decision.rooms;
    case "publish":
      return `${decision.group} ${decision.event}`;
    default:
      return decision.group;
  }
}
