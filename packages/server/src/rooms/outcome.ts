/** What the client of a request is told of what has become of it. */

import { HubwardError } from "@hubward/wire";
import type { CallControl } from "../core/dispatch/call-control.js";
import type { Outcome } from "../core/dispatch/dispatcher.js";
import { HubError, isRefusal } from "../core/errors.js";

/** Why a request came to nothing; undefined where it was done. */
export function refusalOf(outcome: Outcome, control: CallControl): HubwardError | undefined {
  if (outcome.kind === "refused") return outcome.error;
  // Whatever its handler gave: it is not for who the caller is by now.
  if (control.refusal !== undefined) return control.refusal;
  if (outcome.kind === "value") return undefined;
  if (outcome.kind !== "failed") return new HubwardError("internal_error");
  const { error } = outcome;
  if (isRefusal(error)) return error;
  return error instanceof HubError
    ? new HubwardError("application_error", { detail: error.message })
    : new HubwardError("internal_error");
}
