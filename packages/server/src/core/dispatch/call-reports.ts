/** What has become of a connection's calls, as telemetry is told, for every protocol alike. */

import { HubwardError } from "@hubward/wire";
import { PolicyRefusal } from "../auth/policy.js";
import type { Clock } from "../clock.js";
import type { Connection } from "../connection/connection.js";
import { HubError, isRefusal } from "../errors.js";
import { RefusalTally } from "../limits/refusal-tally.js";
import type { Telemetry } from "../telemetry.js";
import type { CallControl } from "./call-control.js";
import type { Outcome } from "./dispatcher.js";

export interface CallReportsSetup<P> {
  readonly connection: Connection<P>;
  /** What it is connected to: a hub's path, or that of rooms. */
  readonly path: string;
  readonly telemetry: Telemetry;
  readonly clock: Pick<Clock, "monotonic">;
}

export class CallReports<P> {
  readonly #setup: CallReportsSetup<P>;
  /** Of calls over the rate: whoever floods must not flood the log as well. */
  #overRate: RefusalTally | undefined;

  constructor(setup: CallReportsSetup<P>) {
    this.#setup = setup;
  }

  /** Of one that went well there is nothing to tell. */
  outcome(outcome: Outcome, control: CallControl): void {
    if (outcome.kind === "refused") return this.refusal(outcome.error, outcome.method);
    if (outcome.kind === "failed") this.failure(outcome.error, outcome.method, control);
  }

  /** A method threw. `method`: as declared. */
  failure(error: unknown, method: string, control: CallControl): void {
    if (error instanceof HubError || control.explains(error)) return;
    // The method was let in, but something it tried was not: a join, a send, a check of its own.
    if (isRefusal(error)) return this.refusal(error, method);
    const { connection, path, telemetry } = this.#setup;
    telemetry({ event: "application.failed", where: `${path} ${method}`, connectionId: connection.id, error });
  }

  /** `method`: as declared, where it was found; what the peer called it is no word for a log. */
  refusal(error: HubwardError, method: string | undefined): void {
    if (error.reason !== "rate_limited") return this.#tell(error, method, 1);
    const count = (this.#overRate ??= new RefusalTally()).add(this.#setup.clock.monotonic());
    if (count > 0) this.#tell(error, method, count);
  }

  /** The connection ended: tells what was only counted. */
  ended(): void {
    const count = this.#overRate?.end(this.#setup.clock.monotonic()) ?? 0;
    if (count > 0) this.#tell(new HubwardError("rate_limited"), undefined, count);
  }

  #tell(error: HubwardError, method: string | undefined, count: number): void {
    const { connection, path, telemetry } = this.#setup;
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
}
