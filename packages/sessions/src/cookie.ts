/** The one cookie of a login session, written and read (RFC 6265). */

export interface SessionCookie {
  /** Complete, prefix included. */
  readonly name: string;
  readonly path: string;
  readonly isSecure: boolean;
}

export type CookieReading =
  | { readonly found: "none" }
  | { readonly found: "one"; readonly value: string }
  /** Several cookies of our name: another path, domain or port has planted one, and nothing tells which is ours. */
  | { readonly found: "several" };

/**
 * `Secure` and the name prefix `__Secure-` (RFC 6265bis 4.1.3.1) come together, and exactly with https: over http
 * a browser would store neither.
 * @throws TypeError for a name or path that a Set-Cookie line cannot hold.
 */
export function describeCookie(name: string, path: string, isSecure: boolean): SessionCookie {
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(name) || name.startsWith("__")) {
    throw new TypeError("cookieName: at most 64 characters of an RFC 6265 token, without a prefix of its own");
  }
  if (!/^\/[\x21-\x3A\x3C-\x7E]{0,255}$/.test(path)) throw new TypeError("cookiePath: an absolute path");
  return { name: isSecure ? `__Secure-${name}` : name, path, isSecure };
}

/** The Set-Cookie line that keeps `value` for `maxAgeSeconds`. */
export function writeCookie(cookie: SessionCookie, value: string, maxAgeSeconds: number): string {
  const secure = cookie.isSecure ? "; Secure" : "";
  return `${cookie.name}=${value}; Max-Age=${maxAgeSeconds}; Path=${cookie.path}; HttpOnly; SameSite=Strict${secure}`;
}

/** The Set-Cookie line that makes a browser forget it. */
export function clearCookie(cookie: SessionCookie): string {
  return writeCookie(cookie, "", 0);
}

/** Looks for our cookie in a Cookie header. Names compare exactly; quotes are part of a value. */
export function readCookie(cookie: SessionCookie, header: string | null): CookieReading {
  let value: string | undefined;
  for (const pair of header?.split(";") ?? []) {
    const equals = pair.indexOf("=");
    if (equals === -1 || trimSpace(pair.slice(0, equals)) !== cookie.name) continue;
    if (value !== undefined) return { found: "several" };
    value = trimSpace(pair.slice(equals + 1));
  }
  return value === undefined ? { found: "none" } : { found: "one", value };
}

/**
 * Takes away spaces and tabs only. `trim()` would make a name behind a no-break space pass for ours, and browsers
 * give such a name none of the protection of the prefix.
 */
function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
