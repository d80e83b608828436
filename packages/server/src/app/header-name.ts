/** Names of headers that an application chooses. */

/** A token (RFC 9110 5.6.2). */
const NAME_PATTERN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
/** Headers with a meaning of their own that a gateway's word must not take the place of. */
const TAKEN = new Set(["authorization", "cookie", "host", "origin", "connection", "upgrade", "content-length"]);

/** @throws TypeError for what cannot be a header of a gateway's own */
export function assertHeaderName(where: string, name: unknown): asserts name is string {
  if (typeof name !== "string" || !NAME_PATTERN.test(name)) throw new TypeError(`${where}: the name of a header`);
  const lower = name.toLowerCase();
  if (TAKEN.has(lower) || lower.startsWith("sec-")) throw new TypeError(`${where}: ${lower} has a meaning of its own`);
}
