/** Who a guard let in with a request, for the handlers behind it. */

import type { GuardingApp } from "../../app/http.js";
import type { Admission } from "../../core/auth/policy.js";

/** Beside the requests, not on them: what is not a member can be neither logged nor overwritten by accident. */
const admissions = new WeakMap<object, WeakMap<object, Admission<unknown>>>();

export function rememberAdmission<P>({ http }: GuardingApp<P>, request: object, admission: Admission<P>): void {
  const ofApp = admissions.get(http) ?? new WeakMap<object, Admission<unknown>>();
  admissions.set(http, ofApp.set(request, admission));
}

/** Who the last guard let in with this request, or undefined where none did. */
export function findAdmission<P>({ http }: GuardingApp<P>, request: object): Admission<P> | undefined {
  return admissions.get(http)?.get(request) as Admission<P> | undefined;
}

/**
 * Who asks, on a route behind `requirePolicy`.
 * @throws TypeError on a route that no policy of this application guards
 */
export function admissionOf<P>(app: GuardingApp<P>, request: object): Admission<P> {
  const admission = findAdmission(app, request);
  if (admission === undefined)
    throw new TypeError("admissionOf: no requirePolicy of this application guards the route");
  return admission;
}
