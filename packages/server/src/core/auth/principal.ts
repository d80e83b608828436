/** Who acts: an immutable snapshot made from a verified credential by the application's mapping. */

import type { Identity } from "../ids.js";
import type { Authentication } from "./authentication.js";

export interface PrincipalBase extends Identity {
  readonly roles: readonly string[];
  /** Whether the principal has at least one of the roles. Case-sensitive. */
  hasRole(...roles: readonly string[]): boolean;
}

/** A principal with the application's own attributes, for example `{ department: string | null }`. */
export type Principal<Attributes extends object = object> = PrincipalBase & Readonly<Attributes>;

/** What a mapping returns: roles and any plain data. Identity comes from the credential and cannot be set. */
export type PrincipalAttributes<Attributes extends object = object> = Attributes & {
  readonly roles?: readonly string[] | undefined;
  readonly tenant?: never;
  readonly issuer?: never;
  readonly subject?: never;
  readonly hasRole?: never;
};

/**
 * The application's view of a verified credential; may ask a directory. `null`: no such person here, the
 * connection is refused as `forbidden`. A throw fails closed as `auth_unavailable`, unless it is a HubwardError.
 */
export type PrincipalMapping<Attributes extends object> = (
  authentication: Authentication,
) => PrincipalAttributes<Attributes> | null | Promise<PrincipalAttributes<Attributes> | null>;

const RESERVED: readonly string[] = ["tenant", "issuer", "subject", "hasRole"];

class PrincipalSnapshot implements PrincipalBase {
  readonly tenant: string | undefined;
  readonly issuer: string;
  readonly subject: string;
  readonly roles: readonly string[];

  constructor({ tenant, issuer, subject }: Identity, roles: readonly string[]) {
    this.tenant = tenant;
    this.issuer = issuer;
    this.subject = subject;
    this.roles = roles;
  }

  hasRole(...roles: readonly string[]): boolean {
    for (const role of roles) if (this.roles.includes(role)) return true;
    return false;
  }
}

/** Builds the frozen snapshot. @throws TypeError when attributes are not plain data or use a reserved name. */
export function createPrincipal<Attributes extends object>(
  identity: Identity,
  attributes: PrincipalAttributes<Attributes>,
): Principal<Attributes> {
  const { roles = [], ...rest } = attributes;
  if (!Array.isArray(roles) || !roles.every((role) => typeof role === "string")) {
    throw new TypeError("principal.roles: a list of strings");
  }
  const principal = new PrincipalSnapshot(identity, Object.freeze([...(roles as readonly string[])]));
  for (const [name, value] of Object.entries(rest)) {
    if (RESERVED.includes(name)) throw new TypeError(`principal.${name}: comes from the credential and cannot be set`);
    Object.defineProperty(principal, name, { value: frozenCopy(value, name), enumerable: true });
  }
  return Object.freeze(principal) as unknown as Principal<Attributes>;
}

/** A deep, frozen copy of plain data, so that a directory's own objects are neither shared nor changed. */
function frozenCopy(value: unknown, path: string): unknown {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return value;
  if (Array.isArray(value)) {
    return Object.freeze(value.map((item: unknown, index) => frozenCopy(item, `${path}[${index}]`)));
  }
  const prototype: unknown = typeof value === "object" ? Object.getPrototypeOf(value) : undefined;
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`principal.${path}: plain data only (objects, lists, text, numbers, booleans)`);
  }
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([name, item]) => [name, frozenCopy(item, `${path}.${name}`)])),
  );
}
