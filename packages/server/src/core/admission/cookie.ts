/**
 * A bearer token in a cookie: an ambient credential, which a browser sends along for any page. It counts where the
 * request's own headers say that a page of ours made it, and where nothing else vouches for who asks.
 */

import { HubwardError } from "@hubward/wire";
import { isLoopbackHost, type CookieRule } from "../auth/cookie-options.js";
import type { ReadCookie } from "../auth/cookie-header.js";
import type { BearerCredential } from "../auth/credential.js";
import { isTicket } from "../auth/tickets.js";
import type { HttpRequest } from "../http.js";
import { CredentialConflict } from "./forwarded.js";

type Header = HttpRequest["header"];
type Origins = ReadonlySet<string>;

/** A cookie that does not count in this request. `detail` says why, in constants. */
export class CookieRefused extends HubwardError {}

const DENIED = "a cookie counts only for pages of allowedOrigins on this very origin, and this request does not say so";
const NOT_LOOPBACK = "a cookie without __Host- counts on loopback only";
const UNREADABLE: Readonly<Record<"several" | "malformed", string>> = {
  several: "the cookie stands there more than once",
  malformed: "the cookie's value is none that a browser would keep",
};

/**
 * The cookie of a request to a hub, where no bearer and no gateway says who asks.
 * @throws HubwardError origin_denied | invalid_request | invalid_token
 */
export function cookieOf(
  request: HttpRequest,
  rule: CookieRule | undefined,
  origins: Origins,
): BearerCredential | undefined {
  if (request.bearers.length > 0 || request.forwarded !== undefined) return undefined;
  return cookieBeside(request, rule, origins);
}

/** The same beside a bearer that does not count, which is for the caller to know. */
export function cookieBeside(
  { method, header, cookies }: HttpRequest,
  rule: CookieRule | undefined,
  origins: Origins,
): BearerCredential | undefined {
  const cookie = cookies?.access;
  if (cookie === undefined || rule === undefined) return undefined;
  // A page names its origin when it opens a socket, and does not when it reads from where it came from.
  const isReading = method === "GET" && header("upgrade") === undefined;
  const isOurs = isReading ? isReadByOwnPage(header, origins) : isSentByOwnPage(header, origins);
  return believeCookie(cookie, rule, header, isOurs);
}

/** The cookie of a request to an ordinary route. Safe methods may also be a person's own navigation. */
export function cookieOfRoute(
  cookie: ReadCookie | undefined,
  rule: CookieRule,
  { method, header }: { readonly method: string | undefined; readonly header: Header },
  origins: Origins,
): BearerCredential | undefined {
  if (cookie === undefined) return undefined;
  const isSafe = method === "GET" || method === "HEAD";
  const isOurs = isSafe ? isRead(header, origins) : isSentByOwnPage(header, origins);
  return believeCookie(cookie, rule, header, isOurs);
}

function believeCookie(
  cookie: ReadCookie,
  rule: CookieRule,
  header: Header,
  isOurs: boolean,
): BearerCredential | undefined {
  // Emptied: how some applications sign out.
  if (typeof cookie === "object" && cookie.length === 0) return undefined;
  if (!isOurs) throw new CookieRefused("origin_denied", { detail: DENIED });
  if (rule.isLoopbackOnly && !isLoopbackHost(header("host")))
    throw new CookieRefused("invalid_request", { detail: NOT_LOOPBACK });
  if (typeof cookie === "string") throw new CredentialConflict(UNREADABLE[cookie]);
  // A ticket is good in the place where it was given, and this is none.
  if (isTicket(cookie)) throw new HubwardError("invalid_token");
  return { kind: "bearer", token: cookie, source: "cookie" };
}

/** POST, DELETE and the like, and WebSockets: the page's origin is named. What a browser adds must not contradict it. */
function isSentByOwnPage(header: Header, origins: Origins): boolean {
  const site = header("sec-fetch-site");
  return (site === undefined || site === "same-origin") && origins.has(header("origin") ?? "");
}

/** EventSource and fetch of the same origin name none; only the browser's own word tells then. */
function isReadByOwnPage(header: Header, origins: Origins): boolean {
  if (header("origin") !== undefined) return isSentByOwnPage(header, origins);
  return header("sec-fetch-site") === "same-origin";
}

/** Or an address that a person opened, or a link they followed from wherever it was: no page reads what comes of it. */
function isRead(header: Header, origins: Origins): boolean {
  if (isReadByOwnPage(header, origins)) return true;
  if (header("origin") !== undefined) return false;
  const isNavigation = header("sec-fetch-mode") === "navigate" && header("sec-fetch-dest") === "document";
  return header("sec-fetch-site") === "none" || isNavigation;
}
