/** What the hub says and takes: its events, its methods and the patients route, each parsed at the door. */

export type WardId = "icu" | "er";

export const wardIds: readonly WardId[] = ["icu", "er"];

export const wardNames: Readonly<Record<WardId, string>> = { icu: "Intensive care", er: "Emergency" };

/** One reading of one patient; the hub sends one a second. */
export interface Vitals {
  readonly patientId: string;
  readonly ward: string;
  /** The server's clock, milliseconds since 1970. */
  readonly at: number;
  /** Beats a minute. */
  readonly heartRate: number;
  /** Oxygen saturation, percent. */
  readonly spo2: number;
  /** Millimetres of mercury. */
  readonly systolic: number;
  readonly diastolic: number;
  /** Breaths a minute. */
  readonly respiration: number;
  /** Degrees Celsius. */
  readonly temperature: number;
  /** Names such as `spo2_low`; empty when all is well. */
  readonly alarms: readonly string[];
}

export interface MedicationOrder {
  readonly orderId: string;
  readonly patientId: string;
  readonly ward: string;
  readonly drugName: string;
  readonly orderedBy: string;
  /** The server's clock, milliseconds since 1970; NaN when it did not say. */
  readonly at: number;
}

/** What somebody of the ward wrote. */
export interface WardNote {
  readonly noteId: string;
  readonly ward: string;
  readonly text: string;
  readonly by: string;
}

export interface Identity {
  readonly subject: string;
  readonly roles: readonly string[];
  readonly department: string | undefined;
  readonly tenant: string | undefined;
  /** Seconds until this connection's credential ends, counted from the answer. */
  readonly expiresInSeconds: number | undefined;
}

export interface Patient {
  readonly id: string;
  readonly name: string;
  readonly ward: string;
  /** Undefined while the patient is known by readings only. */
  readonly bed: string | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

export function parseVitals(value: unknown): Vitals | undefined {
  if (!isFields(value)) return undefined;
  const { patientId, ward, at, alarms } = value;
  if (typeof patientId !== "string" || typeof ward !== "string") return undefined;
  return {
    patientId,
    ward,
    at: parseInstant(at),
    heartRate: parseNumber(value["heartRate"]),
    spo2: parseNumber(value["spo2"]),
    systolic: parseNumber(value["systolic"]),
    diastolic: parseNumber(value["diastolic"]),
    respiration: parseNumber(value["respiration"]),
    temperature: parseNumber(value["temperature"]),
    alarms: Array.isArray(alarms) ? alarms.filter((alarm) => typeof alarm === "string") : [],
  };
}

export function parseMedicationOrder(value: unknown): MedicationOrder | undefined {
  if (!isFields(value)) return undefined;
  const { orderId, patientId, ward, drugName, orderedBy, at } = value;
  if (!isId(orderId) || typeof patientId !== "string" || typeof drugName !== "string") return undefined;
  return {
    orderId: String(orderId),
    patientId,
    ward: typeof ward === "string" ? ward : "",
    drugName,
    orderedBy: typeof orderedBy === "string" ? orderedBy : "",
    at: parseInstant(at),
  };
}

export function parseNote(value: unknown): WardNote | undefined {
  if (!isFields(value)) return undefined;
  const { noteId, ward, text, by } = value;
  if (typeof noteId !== "string" || typeof ward !== "string" || typeof text !== "string" || typeof by !== "string")
    return undefined;
  return { noteId, ward, text, by };
}

/** Reads the answer to `OrderMedication`. */
export function parseOrderId(value: unknown): string | undefined {
  return isFields(value) && isId(value["orderId"]) ? String(value["orderId"]) : undefined;
}

export function parseIdentity(value: unknown): Identity | undefined {
  if (!isFields(value)) return undefined;
  const { subject, roles, department, tenant, expiresInSeconds } = value;
  if (typeof subject !== "string") return undefined;
  return {
    subject,
    roles: Array.isArray(roles) ? roles.filter((role) => typeof role === "string") : [],
    department: typeof department === "string" ? department : undefined,
    tenant: typeof tenant === "string" ? tenant : undefined,
    expiresInSeconds: typeof expiresInSeconds === "number" ? expiresInSeconds : undefined,
  };
}

export function parsePatients(value: unknown): readonly Patient[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown): readonly Patient[] => {
    if (!isFields(entry)) return [];
    const { id, name, ward, bed } = entry;
    if (typeof id !== "string" || typeof name !== "string" || typeof ward !== "string") return [];
    return [{ id, name, ward, bed: isId(bed) ? String(bed) : "" }];
  });
}

/** What this page heeds of `hubward.notice`. */
export type HubNotice = { readonly kind: "expiring" } | { readonly kind: "expired"; readonly graceSeconds: number };

export function parseHubNotice(value: unknown): HubNotice | undefined {
  if (!isFields(value)) return undefined;
  const { kind, graceSeconds } = value;
  if (kind === "expiring") return { kind };
  return kind === "expired" ? { kind, graceSeconds: typeof graceSeconds === "number" ? graceSeconds : 0 } : undefined;
}

/** Reads the answer to `hubward.reauthenticate`: milliseconds the new credential lasts. */
export function parseRenewal(value: unknown): number | undefined {
  if (!isFields(value)) return undefined;
  const seconds = parseNumber(value["expiresInSeconds"]);
  return Number.isNaN(seconds) ? undefined : seconds * 1_000;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

function parseNumber(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : Number.NaN;
}

/** Takes milliseconds since 1970 or an ISO 8601 text. */
function parseInstant(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" ? Date.parse(value) : Number.NaN;
}
