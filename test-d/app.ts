/** The application that the type tests are about. */

import { hasRole, hubward, type App, type HubwardOptions, type Principal } from "@hubward/server";

/** A directory's record, as a mapping returns it. */
export interface StaffRecord {
  readonly roles: readonly string[];
  readonly department: string | null;
  readonly badge: { readonly number: number };
}

export declare const authenticator: HubwardOptions["authenticator"];
export declare function findStaff(subject: string): Promise<StaffRecord | null>;

export const app = hubward({ authenticator, principal: ({ subject }) => findStaff(subject) });

/** The principal of `app`. */
export type Staff = typeof app extends App<infer P> ? P : never;
export type PlainPrincipal = Principal;

export const staff = app.policy("Staff", hasRole("doctor", "nurse"));
export const doctors = app.policy("Doctors", ({ principal }) => principal.hasRole("doctor"));
export const ownWard = app.policy("OwnWard", ({ principal }, ward: string) => principal.department === ward);
export const ownPatient = app.policy("OwnPatient", async (_context, patient: { readonly ward: string }) => {
  await Promise.resolve();
  return patient.ward === "icu";
});
