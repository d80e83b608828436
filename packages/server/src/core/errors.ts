/** What an application throws on purpose, and the catalogue's own error beside it. */

export { HubwardError } from "@hubward/wire";

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
