/** The two policies everyone needs: by role and by claim. */

import type { PolicyContext } from "../core/auth/policy.js";
import type { PrincipalBase } from "../core/auth/principal.js";

/** Allows principals with at least one of the roles: `app.policy("Staff", hasRole("doctor", "nurse"))`. */
export function hasRole(...roles: readonly string[]): (context: PolicyContext<PrincipalBase>) => boolean {
  if (roles.length === 0) throw new TypeError("hasRole: at least one role");
  return ({ principal }) => principal.hasRole(...roles);
}

/**
 * Allows credentials whose claim is one of the values, or a list that holds one of them. Without values: any
 * credential that has the claim at all.
 */
export function hasClaim(name: string, ...values: readonly unknown[]): (context: PolicyContext<unknown>) => boolean {
  return ({ authentication }) => {
    if (!Object.hasOwn(authentication.claims, name)) return false;
    const claim = authentication.claims[name];
    if (values.length === 0) return claim !== null && claim !== undefined && claim !== false;
    const held: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
    return held.some((value) => values.includes(value));
  };
}
