/**
 * What is looked at before a request's credential is. Cookies travel by themselves, so whoever uses one says from
 * where: an exact Origin (security against CSRF); a login must be JSON, which no plain form can send.
 */

import { refusal } from "./replies.js";

/** POST or 405. */
export function checkMethod(request: Request): Response | undefined {
  return request.method === "POST" ? undefined : refusal(405, "invalid_request", { allow: "POST" });
}

/** An Origin from the list or 403. A request without one passes only where no cookie is the credential. */
export function checkOrigin(
  request: Request,
  allowedOrigins: ReadonlySet<string>,
  { required }: { readonly required: boolean },
): Response | undefined {
  const origin = request.headers.get("origin");
  const isAllowed = origin === null ? !required : allowedOrigins.has(origin);
  return isAllowed ? undefined : refusal(403, "origin_denied");
}

/** `application/json`, with or without parameters, or 415. */
export function checkIsJson(request: Request): Response | undefined {
  const mediaType = request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  return mediaType === "application/json" ? undefined : refusal(415, "invalid_request");
}
