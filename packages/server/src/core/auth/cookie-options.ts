/** The option that lets a bearer token stand in a cookie. */

export interface CookieOptions {
  /** Complete, prefix included. */
  readonly name: string;
  /**
   * Takes a name without `__Host-`, on loopback alone: requests to `localhost`, and no allowed origin but loopback's.
   * For development over http. Default false.
   */
  readonly insecureLoopback?: boolean | undefined;
}

export interface CookieRule {
  readonly name: string;
  readonly isLoopbackOnly: boolean;
}

/** The prefix by which a browser keeps other hosts and plain http from planting a cookie (RFC 6265bis 4.1.3.2). */
const PREFIX = "__Host-";
/** Begins the names of cookies that are ours alone. */
export const RESERVED_COOKIE_PREFIX = "__Host-hubward-";
/** A token of RFC 9110 5.6.2, short enough to leave room for its value. */
const NAME_PATTERN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
const LOOPBACK_PATTERN = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/**
 * `false` switches off what `fallback` switched on.
 * @throws TypeError for a name that cannot be meant, or that protects nothing
 */
export function resolveCookie(
  where: string,
  cookie: string | CookieOptions | false | undefined,
  fallback: CookieRule | undefined,
): CookieRule | undefined {
  if (cookie === undefined) return fallback;
  if (cookie === false) return undefined;
  const { name, insecureLoopback = false } = typeof cookie === "string" ? { name: cookie } : cookie;
  if (typeof name !== "string" || !NAME_PATTERN.test(name) || name === PREFIX)
    throw new TypeError(`${where}.cookie: a name such as "__Host-access"`);
  if (name.startsWith(RESERVED_COOKIE_PREFIX))
    throw new TypeError(`${where}.cookie: names that begin with ${RESERVED_COOKIE_PREFIX} are reserved`);
  if (name.startsWith(PREFIX)) return { name, isLoopbackOnly: false };
  // Other prefixes ask for https and leave subdomains the right to plant it.
  if (!insecureLoopback || name.startsWith("__")) {
    throw new TypeError(
      `${where}.cookie: ${JSON.stringify(name)} does not begin with ${PREFIX}, so a subdomain or plain http could plant ` +
        `one. Over http on loopback, for development: { name: "access", insecureLoopback: true }`,
    );
  }
  return { name, isLoopbackOnly: true };
}

/**
 * A cookie counts for pages that are named. @throws TypeError where none is, or where one that is not on loopback
 * is beside a cookie for loopback
 */
export function assertCookieOrigins(where: string, rule: CookieRule | undefined, origins: ReadonlySet<string>): void {
  if (rule === undefined) return;
  if (origins.size === 0)
    throw new TypeError(`${where}.cookie: needs allowedOrigins, with the origin of your own pages`);
  if (rule.isLoopbackOnly && ![...origins].every((origin) => isLoopbackHost(origin.replace(/^https?:\/\//, ""))))
    throw new TypeError(`${where}.cookie: insecureLoopback beside an allowed origin that is not on loopback`);
}

/** @param host as a Host header has it, with or without a port */
export function isLoopbackHost(host: string | undefined): boolean {
  return host !== undefined && LOOPBACK_PATTERN.test(host);
}
