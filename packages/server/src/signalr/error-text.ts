/**
 * What a failed call says. Refusals speak the catalogue; the rest is .NET's wording to the letter, because
 * clients match on it (DefaultHubDispatcher.cs, ErrorMessageHelper.cs).
 */

import { HubError, isRefusal, type HubwardError } from "../core/errors.js";
import type { Outcome } from "../core/dispatch/dispatcher.js";

export type Failure = Exclude<Outcome, { kind: "value" } | { kind: "stream" }>;

/**
 * The Completion's error text. `target` is the name as the caller wrote it, which .NET repeats for what it could not
 * call; what it could is named as declared.
 */
export function errorText(outcome: Failure, target: string, hasDetails: boolean): string {
  switch (outcome.kind) {
    case "refused":
      return refusalText(outcome.error, target);
    case "cancelled":
      return notInvoked(target);
    case "wrong-mode":
      return outcome.isStream
        ? `The client attempted to invoke the streaming '${outcome.method}' method with a non-streaming invocation.`
        : `The client attempted to invoke the non-streaming '${outcome.method}' method with a streaming invocation.`;
    case "wrong-uploads":
      return `${unexpected(outcome.method)} HubException: Client sent ${outcome.sent} stream(s), Hub method expects ${outcome.expected}.`;
    case "failed":
      return failureText(unexpected(outcome.method), outcome.error, hasDetails);
  }
}

/** A stream that broke off after it had begun. */
export function streamErrorText(error: unknown, hasDetails: boolean): string {
  return failureText("An error occurred on the server while streaming results.", error, hasDetails);
}

export function notAStream(target: string): string {
  return `The value returned by the streaming method '${target}' is not a ChannelReader<> or IAsyncEnumerable<>.`;
}

export function idInUse(invocationId: string): string {
  return `Invocation ID '${invocationId}' is already in use.`;
}

/** Also for a result that has no form on the wire. */
export function notInvoked(target: string): string {
  return `Failed to invoke '${target}' due to an error on the server.`;
}

function unexpected(method: string): string {
  return `An unexpected error occurred invoking '${method}' on the server.`;
}

function failureText(first: string, error: unknown, hasDetails: boolean): string {
  if (isRefusal(error)) return error.message;
  if (error instanceof HubError) return `${first} HubException: ${error.message}`;
  return hasDetails && error instanceof Error ? `${first} ${error.name}: ${error.message}` : first;
}

function refusalText(error: HubwardError, target: string): string {
  if (error.reason === "bad_arguments") return notInvoked(target);
  if (error.reason === "method_not_found") return `${notInvoked(target)} HubException: Method does not exist.`;
  return error.message;
}
