/** The headers in which a gateway says who asks, lifted out of a request before any other listener sees them. */

import type { IncomingMessage } from "node:http";
import type { ForwardedHeaders } from "../../core/auth/credential.js";
import { Secret } from "../../core/auth/secret.js";
import type { ForwardedPort } from "../../core/endpoint.js";
import { forgetDistinctHeaders } from "./distinct-headers.js";

/** Names and values that Node keeps of a request where `server.maxHeadersCount` was left as it is. */
const DEFAULT_MAX_RAW_HEADERS = 2_000;

const REMOVED = "[removed]";

/** What was cut out already, for other applications on the same server: each judges it by its own list of proxies. */
const cutOut = new WeakMap<IncomingMessage, Map<string, Secret[]>>();

/** Cuts the headers out, whoever sent them, and returns what they are worth; undefined where none stood there. */
export function takeForwarded(
  request: IncomingMessage,
  { headers: names, trustedOnly }: Pick<ForwardedPort, "headers" | "trustedOnly">,
  isTrusted: boolean,
): ForwardedHeaders | undefined {
  cut(request, names);
  const all = cutOut.get(request);
  if (all === undefined) return undefined;
  const found = new Map<string, Secret>();
  let isDuplicate = false;
  for (const name of names) {
    const values = all.get(name) ?? [];
    if (values.length > 1) isDuplicate = true;
    const [value] = values;
    // Proxies write an empty header for what they do not know.
    if (value !== undefined && value.length > 0) found.set(name, value);
  }
  if (found.size === 0 && !isDuplicate) return undefined;
  // Node drops what is beyond its limit without a word: an expiry or a role may be among it.
  if (request.rawHeaders.length >= maxRawHeadersOf(request)) return { kind: "unbelievable", why: "overflow" };
  if (trustedOnly && !isTrusted) return { kind: "unbelievable", why: "untrusted" };
  return isDuplicate ? { kind: "unbelievable", why: "duplicate" } : { kind: "forwarded", headers: found };
}

/** Names and values, of the server that read the request: node:http notes it at the socket, which no type says. */
function maxRawHeadersOf({ socket }: IncomingMessage): number {
  const { server } = socket as { readonly server?: { readonly maxHeadersCount?: number | null } };
  const count = server?.maxHeadersCount;
  if (typeof count !== "number") return DEFAULT_MAX_RAW_HEADERS;
  return count > 0 ? 2 * count : Infinity;
}

/** By the raw headers: node:http's own view joins several of a name into one. */
function cut(request: IncomingMessage, names: readonly string[]): void {
  const { headers, rawHeaders } = request;
  for (const name of names) {
    const all = cutOut.get(request) ?? new Map<string, Secret[]>();
    const values = all.get(name) ?? [];
    const before = values.length;
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const value = rawHeaders[index + 1] ?? "";
      if (rawHeaders[index]?.toLowerCase() !== name || value === REMOVED) continue;
      values.push(new Secret(value));
      rawHeaders[index + 1] = REMOVED;
    }
    // Node shows fewer headers than it keeps raw ones: what it does not show is cut out, too.
    if (values.length === before && headers[name] === undefined) continue;
    cutOut.set(request, all.set(name, values));
    delete headers[name];
    forgetDistinctHeaders(request, name);
  }
}
