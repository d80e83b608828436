/**
 * What a failed call says. Refusals speak the catalogue; the rest is .NET's wording to the letter, because
 * clients match on it (DefaultHubDispatcher.cs, ErrorMessageHelper.cs).
 */

import { HubError, HubwardError } from "../core/errors.js";
import type { Outcome } from "../core/dispatch/dispatcher.js";

/** The Completion's error text, or undefined for a value. `target` is the name as the caller wrote it. */
export function errorText(outcome: Exclude<Outcome, { kind: "value" }>, target: string, uploads: number): string {
  switch (outcome.kind) {
    case "refused":
      return refusalText(outcome.error, target);
    case "wrong-mode":
      return uploads > 0
        ? `Client sent ${uploads} stream(s), Hub method expects 0.`
        : `The client attempted to invoke the non-streaming '${target}' method with a streaming invocation.`;
    case "failed": {
      if (outcome.error instanceof HubwardError) return outcome.error.message;
      const first = `An unexpected error occurred invoking '${target}' on the server.`;
      return outcome.error instanceof HubError ? `${first} HubException: ${outcome.error.message}` : first;
    }
  }
}

function refusalText(error: HubwardError, target: string): string {
  if (error.reason === "bad_arguments") return notInvoked(target);
  if (error.reason === "method_not_found") return `${notInvoked(target)} HubException: Method does not exist.`;
  return error.message;
}

/** Also for a result that has no form on the wire. */
export function notInvoked(target: string): string {
  return `Failed to invoke '${target}' due to an error on the server.`;
}
