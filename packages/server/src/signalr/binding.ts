/**
 * Binds a connection to the browser that negotiated it. The URL of a stream holds its id and its ticket for as long as
 * it lives; over https a cookie, one for each browser and hub, makes a URL that leaked worth nothing by itself. Clients
 * that keep no cookies never show it, and it is asked of nobody who has not shown it.
 */

import { RESERVED_COOKIE_PREFIX } from "../core/auth/cookie-options.js";
import type { Digest } from "../core/digest.js";
import type { HttpRequest } from "../core/http.js";
import type { Random } from "../core/random.js";

/** What a connect attempt knows of its browser. */
export interface Binding {
  /** Of the cookie's value. */
  browser: string;
  /** Whether a later request has shown it: from then on each one must. */
  isShown: boolean;
}

const VALUE_BYTES = 32;
const VALUE_PATTERN = /^[\w-]{43}$/;

/** One for each hub, however many connections, so that a browser's share of cookies is never used up by them. */
export function bindingCookieName(hubPath: string): string {
  return RESERVED_COOKIE_PREFIX + hubPath.slice(1).toLowerCase().replaceAll("/", ".");
}

/** Which browser asks: a hash of what it shows, or undefined. */
export function browserOf(request: HttpRequest, digest: Digest): string | undefined {
  const value = shownValue(request);
  return value === undefined ? undefined : digest(value);
}

/**
 * For a negotiate over https. A browser that has the cookie keeps it, so that its other connections do; another is
 * given one. Nothing over http, where a browser would not take it.
 */
export function bind(
  request: HttpRequest,
  hubPath: string,
  { digest, random }: { readonly digest: Digest; readonly random: Random },
): { readonly binding: Binding; readonly setCookie: string | undefined } | undefined {
  if (request.isSecure !== true) return undefined;
  const shown = shownValue(request);
  const value = shown ?? random.secret(VALUE_BYTES);
  const setCookie = `${bindingCookieName(hubPath)}=${value}; Path=/; Secure; HttpOnly; SameSite=Strict`;
  return {
    binding: { browser: digest(value), isShown: false },
    setCookie: shown === undefined ? setCookie : undefined,
  };
}

/**
 * Whether this browser may use the attempt, which its credential opens already; notes that it has shown its cookie.
 * Two tabs that negotiate at once are given two values, and the browser keeps one of them: what it shows when its
 * attempt gets its transport is the one that counts.
 */
export function isOfBrowser(
  { binding, isAttached }: { readonly binding?: Binding | undefined; readonly isAttached: boolean },
  browser: string | undefined,
): boolean {
  if (binding === undefined || (browser === undefined && !binding.isShown)) return true;
  if (browser !== undefined && !binding.isShown && !isAttached) binding.browser = browser;
  if (browser !== binding.browser) return !binding.isShown;
  binding.isShown = true;
  return true;
}

function shownValue({ cookies }: HttpRequest): string | undefined {
  const cookie = cookies?.binding;
  const value = typeof cookie === "object" ? cookie.reveal() : "";
  return VALUE_PATTERN.test(value) ? value : undefined;
}
