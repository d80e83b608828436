/** Which pages may talk to us: exact origins, because a browser sends a person's ambient rights along. */

import { HubwardError } from "@hubward/wire";
import type { HttpRequest } from "../http.js";

/** An Origin as a browser writes it: scheme, host, port where it is not the scheme's own. */
const ORIGIN_PATTERN = /^https?:\/\/[a-z0-9.-]+(?::\d{1,5})?$|^https?:\/\/\[[0-9a-f:]+\](?::\d{1,5})?$/;

/** @throws RangeError for an entry no browser would ever send, such as one with a path or a wildcard. */
export function resolveAllowedOrigins(origins: readonly string[]): ReadonlySet<string> {
  for (const origin of origins) {
    if (!ORIGIN_PATTERN.test(origin))
      throw new RangeError(`allowedOrigins: ${JSON.stringify(origin)} is not an origin such as "https://example.org"`);
  }
  return new Set(origins);
}

/** Node's own fetch sends Sec-Fetch-Mode: it alone does not make a browser. */
export function isFromBrowser({ header }: HttpRequest): boolean {
  return header("origin") !== undefined || header("sec-fetch-site") !== undefined;
}

/** For requests where a browser always names its origin (POST, DELETE, WebSocket upgrade). */
export function judgeOrigin(request: HttpRequest, allowed: ReadonlySet<string>): HubwardError | undefined {
  if (!isFromBrowser(request)) return undefined;
  const origin = request.header("origin");
  return origin !== undefined && allowed.has(origin) ? undefined : new HubwardError("origin_denied");
}

/**
 * For requests where a browser names no origin when the page is of our own (EventSource, poll GETs): only
 * `Sec-Fetch-Site` tells then, and of browsers too old to send it nothing does. Those are let through, because what
 * they ask for needs a bearer or the connection's secret id, neither of which a browser adds by itself.
 */
export function judgeReadingOrigin(request: HttpRequest, allowed: ReadonlySet<string>): HubwardError | undefined {
  const isSameOrigin = request.header("origin") === undefined && request.header("sec-fetch-site") === "same-origin";
  return isSameOrigin ? undefined : judgeOrigin(request, allowed);
}

/**
 * For the application's own routes, asked with a credential that a browser sends along for any page. A page of the
 * same origin names none where it only reads, and neither does whoever follows a link, which is let through.
 * `Sec-Fetch-Site` tells those from another page's requests; a browser that does not send it (an old one, or one over
 * plain HTTP) cannot be told from a client that is none.
 *
 * @param header by lower-case name; undefined or null where the request has none
 */
export function judgeAmbientOrigin(
  header: (name: "origin" | "sec-fetch-site" | "sec-fetch-mode") => string | null | undefined,
  allowed: ReadonlySet<string>,
): HubwardError | undefined {
  const origin = header("origin") ?? undefined;
  const site = header("sec-fetch-site") ?? "none";
  const isWelcome =
    origin === undefined
      ? site === "none" || site === "same-origin" || header("sec-fetch-mode") === "navigate"
      : allowed.has(origin);
  return isWelcome ? undefined : new HubwardError("origin_denied");
}
