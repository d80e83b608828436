/** What an application throws on purpose, and the catalogue's own error beside it. */

import { HubwardError } from "@hubward/wire";

export { HubwardError };

/**
 * Thrown by a hub method to tell the caller something: the message reaches the client, in .NET's wording
 * (`HubException`). Everything else a method throws is hidden from the client and logged.
 */
export class HubError extends Error {
  override readonly name = "HubError";
}

/** What a client answered instead of a result. Its message is the client's own: peer data, of bounded length. */
export class ClientError extends Error {
  override readonly name = "ClientError";
}

/**
 * Why a client gave no result. Its reason says what became of that client, which may be another than the caller:
 * a call that fails of it tells its caller nothing.
 */
export class NoClientResult extends HubwardError {}

/** Whether an error is the catalogue's word to the caller itself. */
export function isRefusal(error: unknown): error is HubwardError {
  return error instanceof HubwardError && !(error instanceof NoClientResult);
}

/** Anything thrown, as what may be told: what is not of the catalogue stays inside. */
export function asHubwardError(error: unknown): HubwardError {
  return error instanceof HubwardError ? error : new HubwardError("internal_error", { cause: error });
}
