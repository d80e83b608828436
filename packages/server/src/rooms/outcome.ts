/** What has become of a request: what its client is told, and what telemetry is. */

import { HubwardError } from "@hubward/wire";
import { PolicyRefusal } from "../core/auth/policy.js";
import type { Clock } from "../core/clock.js";
import type { Connection } from "../core/connection/connection.js";
import type { CallControl } from "../core/dispatch/call-control.js";
import type { Outcome } from "../core/dispatch/dispatcher.js";
import { HubError, isRefusal } from "../core/errors.js";
import type { RefusalTally } from "../core/limits/refusal-tally.js";
import type { Telemetry } from "../core/telemetry.js";

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

export interface Reporting<P> {
  readonly connection: Connection<P>;
  readonly path: string;
  readonly telemetry: Telemetry;
  readonly clock: Pick<Clock, "monotonic">;
  /** Of calls over the rate: whoever floods must not flood the log as well. */
  readonly overRate: RefusalTally;
}

export function reportOutcome<P>(outcome: Outcome, control: CallControl, reporting: Reporting<P>): void {
  if (outcome.kind === "refused") return reportRefusal(outcome.error, outcome.method, reporting);
  if (outcome.kind !== "failed") return;
  const { error, method } = outcome;
  if (error instanceof HubError) return;
  // What a handler throws because it was told to stop is no failure of its own.
  if (control.isCancelled && error instanceof HubwardError) return;
  if (isRefusal(error)) return reportRefusal(error, method, reporting);
  const { connection, path, telemetry } = reporting;
  telemetry({ event: "application.failed", where: `${path} ${method}`, connectionId: connection.id, error });
}

function reportRefusal<P>(error: HubwardError, method: string | undefined, reporting: Reporting<P>): void {
  const count = error.reason === "rate_limited" ? reporting.overRate.add(reporting.clock.monotonic()) : 1;
  if (count > 0) tellRefusal(error, method, count, reporting);
}

/** The connection ended: tells what was only counted. */
export function reportRest<P>(reporting: Reporting<P>): void {
  const count = reporting.overRate.end(reporting.clock.monotonic());
  if (count > 0) tellRefusal(new HubwardError("rate_limited"), undefined, count, reporting);
}

function tellRefusal<P>(
  error: HubwardError,
  method: string | undefined,
  count: number,
  { connection, path, telemetry }: Reporting<P>,
): void {
  telemetry({
    event: "call.refused",
    connectionId: connection.id,
    hub: path,
    method,
    reason: error.reason,
    policy: error instanceof PolicyRefusal ? error.policy : undefined,
    subject: connection.authentication.subject,
    count,
  });
}
