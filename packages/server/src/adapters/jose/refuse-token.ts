/** The one way a token is refused. */

import { HubwardError } from "@hubward/wire";

/**
 * Makes the `invalid_token` error. The peer learns nothing but the name; `why` becomes the cause, for logs.
 * `why` must be a constant: whatever stands in a token stays out of errors, and so do the messages of JSON.parse,
 * which quote their input.
 */
export function refuseToken(why: string, cause?: Error): HubwardError {
  return new HubwardError("invalid_token", { cause: new Error(why, cause === undefined ? undefined : { cause }) });
}
