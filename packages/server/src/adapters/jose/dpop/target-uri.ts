/** The address a proof is made for, in one spelling (RFC 9449 4.3 with RFC 3986 6.2.2 and 6.2.3). */

const MAX_LENGTH = 2048;
const UNRESERVED = /^[A-Za-z0-9._~-]$/;

/**
 * Scheme, host, port and path; query and fragment are left out. Case of scheme and host, default ports, dot segments
 * and needless percent-encoding make no difference; case of the path and a closing slash do. Undefined for what is no
 * absolute http or https address of reasonable length, and where it holds credentials.
 */
export function normalizeTargetUri(address: string): string | undefined {
  // The parser below drops line breaks and turns backslashes; nobody who means well writes them.
  if (address.length > MAX_LENGTH || /[^\x21-\x7e]|\\/.test(address)) return undefined;
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return undefined;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return undefined;
  if (url.username !== "" || url.password !== "") return undefined;
  const path = url.pathname.replace(/%[0-9A-Fa-f]{2}/g, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return UNRESERVED.test(character) ? character : escape.toUpperCase();
  });
  return `${url.protocol}//${url.host}${path}`;
}
