/** Who may do what: the application, what a person is here, and the policies that hubs and HTTP routes share. */

import {
  anyOf,
  hasRole,
  hubward,
  type App,
  type Audit,
  type HubwardOptions,
  type Policy,
  type Principal,
  type PrincipalAttributes,
  type Telemetry,
} from "@hubward/server";
import { jwt, localJwks } from "@hubward/server/jose";
import type { Sessions } from "@hubward/sessions";
import type { Directory } from "./directory.js";
import type { Patients, WardId } from "./patients.js";

/** What the directory knows about a person, beside roles. */
export interface StaffAttributes {
  readonly department: WardId | null;
}

export type Staff = Principal<StaffAttributes>;
export type ClinicApp = App<Staff>;

/** Constants, so that tokens outlive a restart, also one on another port. */
export const issuer = "urn:hubward:demo:clinic";
export const audience = "urn:hubward:demo:clinic:hub";
export const clientId = "clinic-page";

/** No token was ever issued for longer, whatever ACCESS_TOKEN_SECONDS said when it was. */
const longestTokenSeconds = 3600;

export interface AppParts {
  readonly sessions: Pick<Sessions, "jwks">;
  readonly directory: Pick<Directory, "find">;
  readonly allowedOrigins: readonly string[];
  readonly telemetry: Telemetry;
  readonly audit: Audit;
  /** Default: memory. */
  readonly stores?: Pick<HubwardOptions, "idempotency" | "revocations"> | undefined;
}

export function createClinicApp(parts: AppParts): ClinicApp {
  const { sessions, directory, allowedOrigins, telemetry, audit, stores } = parts;
  return hubward<StaffAttributes>({
    authenticator: jwt({
      issuer,
      audience,
      keys: localJwks(sessions.jwks()),
      tenantClaim: "tenant",
      maxTokenAgeSeconds: longestTokenSeconds,
    }),
    principal({ tenant, subject }): PrincipalAttributes<StaffAttributes> | null {
      const person = directory.find(tenant, subject);
      return person === undefined ? null : { roles: person.roles, department: person.department };
    },
    allowedOrigins,
    telemetry,
    audit,
    ...stores,
    maxTokenAgeMs: longestTokenSeconds * 1000,
    // Tokens are issued in this process, by this clock.
    maxIssuerSkewMs: 0,
  });
}

export interface Policies {
  readonly administrator: Policy<Staff>;
  /** Doctors, nurses and administrators: who may connect at all. */
  readonly clinicalOrAdmin: Policy<Staff>;
  readonly doctorsOnly: Policy<Staff>;
  /** Doctors and nurses. */
  readonly noteWriters: Policy<Staff>;
  /** The ward one works in; any ward for administrators. */
  readonly ownWard: Policy<Staff, string>;
  /** A patient of the ward one works in, by id. Unknown patients and those of others are refused alike. */
  readonly ownPatient: Policy<Staff, string>;
}

export function declarePolicies(app: ClinicApp, patients: Patients): Policies {
  const clinicalStaff = app.policy("ClinicalStaff", hasRole("doctor", "nurse"), {
    message: "only clinical staff and administrators may connect",
  });
  const administrator = app.policy("Administrator", hasRole("admin"), {
    message: "only administrators may do this",
  });
  return {
    administrator,
    clinicalOrAdmin: anyOf(clinicalStaff, administrator),
    doctorsOnly: app.policy("DoctorsOnly", hasRole("doctor"), { message: "only doctors may order medication" }),
    noteWriters: app.policy("NoteWriters", hasRole("doctor", "nurse"), {
      message: "only clinical staff may write notes",
    }),
    ownWard: app.policy(
      "OwnWard",
      ({ principal }, ward: string) => principal.department === ward || principal.hasRole("admin"),
      { message: "this ward needs a matching department" },
    ),
    ownPatient: app.policy(
      "OwnPatient",
      ({ principal }, patientId: string) => {
        const patient = patients.find(principal.tenant, patientId);
        return patient !== undefined && patient.ward === principal.department;
      },
      { message: "this is no patient of your ward" },
    ),
  };
}
