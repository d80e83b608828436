/** The two routes the page reads beside the hub: a ward's patients, and who may try the demo. */
import type { Fetch } from "./auth-api.js";
import { type Patient, parsePatients, type WardId } from "./hub-contract.js";
import { type Failure, readFailure, readHttpFailure } from "./reasons.js";
import type { Session } from "./session.js";

export interface DemoPerson {
  readonly username: string;
  readonly roles: readonly string[];
  readonly department: string;
  readonly tenant: string;
}

export interface DemoPeople {
  readonly people: readonly DemoPerson[];
  /** The fixed password is in use, so that a click may fill it in. */
  readonly demoPasswords: boolean;
}

export type PatientsAnswer =
  | { readonly kind: "patients"; readonly patients: readonly Patient[] }
  | { readonly kind: "failed"; readonly failure: Failure };

/** Asks for the patients of a ward; a token the server no longer takes is renewed once. */
export async function fetchPatients(fetch: Fetch, session: Session, ward: WardId): Promise<PatientsAnswer> {
  for (let tries = 1; ; tries += 1) {
    try {
      const token = await session.token();
      const response = await fetch(`/api/patients?ward=${ward}`, {
        headers: { Authorization: `Bearer ${token}` },
        credentials: "omit",
        cache: "no-store",
      });
      if (response.ok) return { kind: "patients", patients: parsePatients(await response.json()) };
      const failure = readHttpFailure(response.status, await response.text());
      if (failure.condition !== "expired" || tries > 1) return { kind: "failed", failure };
      session.reject(token);
    } catch (error) {
      return { kind: "failed", failure: readFailure(error) };
    }
  }
}

/** The demo's people, or none: a clinic that is no demo has no such route. */
export async function fetchDemoPeople(fetch: Fetch): Promise<DemoPeople> {
  try {
    const response = await fetch("/api/demo", { cache: "no-store" });
    if (!response.ok) return noDemoPeople;
    return parseDemoPeople(await response.json());
  } catch {
    return noDemoPeople;
  }
}

export const noDemoPeople: DemoPeople = { people: [], demoPasswords: false };

function parseDemoPeople(value: unknown): DemoPeople {
  if (typeof value !== "object" || value === null || !("people" in value) || !Array.isArray(value.people)) {
    return noDemoPeople;
  }
  const people = value.people.flatMap((entry: unknown): readonly DemoPerson[] => {
    if (typeof entry !== "object" || entry === null) return [];
    const fields = entry as Readonly<Record<string, unknown>>;
    const text = (name: string): string => (typeof fields[name] === "string" ? fields[name] : "");
    const roles: readonly unknown[] = Array.isArray(fields["roles"]) ? fields["roles"] : [];
    if (text("username") === "") return [];
    const known = roles.filter((role) => typeof role === "string");
    return [{ username: text("username"), roles: known, department: text("department"), tenant: text("tenant") }];
  });
  return { people, demoPasswords: "demoPasswords" in value && value.demoPasswords === true };
}
