/** How the sender of a security event is told what was wrong with it (RFC 8935 2.3). */

import { jsonReply } from "./receive.js";

/** RFC 8935 2.4. */
export type EventErrorCode =
  "invalid_request" | "invalid_key" | "invalid_issuer" | "invalid_audience" | "authentication_failed" | "access_denied";

const descriptions: Readonly<Record<EventErrorCode, string>> = {
  invalid_request: "this is no security event token as agreed",
  invalid_key: "the key is none of the issuer's",
  invalid_issuer: "the issuer is another",
  invalid_audience: "the audience is another",
  authentication_failed: "the signature or the authorization does not hold",
  access_denied: "the authorization is not accepted",
};

export function errorReply(
  status: 400 | 401 | 403,
  err: EventErrorCode,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return jsonReply(status, { err, description: descriptions[err] }, { "content-language": "en", ...headers });
}
