/** Rules under test: what fails is told, and nobody is in a hurry unless the test says so. */

import type { PolicyFailure, PolicyWatch } from "../src/core/auth/policy.js";
import type { Deadline } from "../src/core/deadline.js";

export const patient: Deadline = (answer) => answer;

export function patientWatch(failed: PolicyFailure = () => undefined): PolicyWatch {
  return { failed, deadline: patient };
}
