/** Cookies of ours, lifted out of a request before any other listener sees them. The others stay. */

import type { IncomingMessage } from "node:http";
import { takeCookies, type ReadCookie } from "../../core/auth/cookie-header.js";
import type { CookieNames } from "../../core/endpoint.js";
import type { OwnCookies } from "../../core/http.js";
import { forgetDistinctHeaders } from "./distinct-headers.js";

/**
 * By the raw headers: there may be several, and one name in two of them is one too many.
 * @param doesAccessCount false beside a bearer that could not be read: it is refused, not passed over
 */
export function takeOwnCookies(
  request: IncomingMessage,
  { access, binding }: CookieNames,
  doesAccessCount: boolean,
): OwnCookies | undefined {
  const { headers, rawHeaders } = request;
  const names = [access, binding].filter((name) => name !== undefined);
  const found = new Map<string, ReadCookie>();
  const kept: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() !== "cookie") continue;
    const rest = takeCookies(rawHeaders[index + 1] ?? "", names, found);
    rawHeaders[index + 1] = rest;
    if (rest !== "") kept.push(rest);
  }
  if (found.size === 0) return undefined;
  if (kept.length === 0) delete headers.cookie;
  else headers.cookie = kept.join("; ");
  forgetDistinctHeaders(request, "cookie");
  return {
    access: access === undefined || !doesAccessCount ? undefined : found.get(access),
    binding: binding === undefined ? undefined : found.get(binding),
  };
}
