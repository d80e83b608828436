/**
 * A node:http request as the core's plain value. Credentials are lifted out of the URL and the headers here,
 * and cut from the request, before any other listener or logger can see them.
 */

import type { IncomingMessage } from "node:http";
import { rawPathOf, readBearer, saysBearer } from "../../app/http.js";
import type { BearerCredential, ForwardedHeaders } from "../../core/auth/credential.js";
import { Secret } from "../../core/auth/secret.js";
import type { CookieNames } from "../../core/endpoint.js";
import type { HttpRequest } from "../../core/http.js";
import { takeOwnCookies } from "./cookies.js";
import { forgetDistinctHeaders } from "./distinct-headers.js";

/** The path as hubs are found by it, or undefined when it is no path at all. */
export function pathOf(url: string): string | undefined {
  const raw = rawPathOf(url);
  if (raw === undefined || !raw.includes("%")) return raw;
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}

/** What stands in front of us makes of a request. */
export interface Edge {
  /** Whose request it is. */
  readonly remoteAddress: string | undefined;
  readonly forwarded: ForwardedHeaders | undefined;
  /** Default false. */
  readonly isSecure?: boolean | undefined;
  /** Query parameters that hold a credential, beside `access_token`. Default none. */
  readonly secrets?: readonly string[] | undefined;
  /** Of a request that has cookies. */
  readonly cookieNames?: CookieNames | undefined;
}

/** Takes the request's credentials out of it and returns what is left as a value, with them beside it. */
export function takeRequest(request: IncomingMessage, path: string, edge: Edge): HttpRequest {
  const { headers, method = "GET" } = request;
  const bearers: BearerCredential[] = [];
  const { remoteAddress, forwarded, isSecure, cookieNames, secrets } = edge;
  const isReadable = takeAuthorization(request, bearers);
  const query = takeQuery(request, bearers, secrets);
  return {
    method,
    path,
    query,
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    },
    bearers,
    forwarded,
    cookies: cookieNames && takeOwnCookies(request, cookieNames, isReadable),
    isSecure,
    remoteAddress,
  };
}

const NO_QUERY: ReadonlyMap<string, string> = new Map();

function takeQuery(
  request: IncomingMessage,
  bearers: BearerCredential[],
  secrets: readonly string[] | undefined,
): ReadonlyMap<string, string> {
  const url = request.url ?? "/";
  const start = url.indexOf("?");
  if (start === -1) return NO_QUERY;
  const query = new Map<string, string>();
  const kept: string[] = [];
  const pieces = url.slice(start + 1).split("&");
  for (const piece of pieces) {
    const [name, value] = readPair(piece);
    const key = name.toLowerCase();
    if (key === "access_token" || secrets?.includes(key) === true) {
      if (value !== "") bearers.push({ kind: "bearer", token: new Secret(value), source: "query" });
      continue;
    }
    kept.push(piece);
    if (piece === "") continue;
    const before = query.get(key);
    query.set(key, before === undefined ? value : `${before},${value}`);
  }
  if (kept.length < pieces.length) {
    request.url = url.slice(0, start) + (kept.length === 0 ? "" : `?${kept.join("&")}`);
  }
  return query;
}

/** One `name=value` of a query, decoded as a form is (WHATWG URL, application/x-www-form-urlencoded). */
function readPair(piece: string): readonly [name: string, value: string] {
  if (piece.includes("%") || piece.includes("+")) return [...new URLSearchParams(piece)][0] ?? ["", ""];
  const end = piece.indexOf("=");
  return end === -1 ? [piece, ""] : [piece.slice(0, end), piece.slice(end + 1)];
}

const AUTHORIZATION = "authorization";
const DPOP = "dpop";
const REMOVED = "[removed]";

/** Cuts the header out. Several are one value here, with commas between, as node:http has it. */
function takeProof(request: IncomingMessage): Secret | undefined {
  const { headers, rawHeaders } = request;
  const proof = headers[DPOP];
  if (proof === undefined) return undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === DPOP) rawHeaders[index + 1] = REMOVED;
  }
  delete headers[DPOP];
  forgetDistinctHeaders(request, DPOP);
  return new Secret(String(proof));
}

/**
 * Reads the raw headers, because node:http's own view keeps the first of several Authorization headers only. False
 * where one was meant for a bearer and holds none.
 */
function takeAuthorization(request: IncomingMessage, bearers: BearerCredential[]): boolean {
  const { headers, rawHeaders } = request;
  const proof = takeProof(request);
  let isReadable = true;
  if (headers.authorization === undefined) return isReadable;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length !== AUTHORIZATION.length || name.toLowerCase() !== AUTHORIZATION) continue;
    const bearer = readBearer(rawHeaders[index + 1], request, () => proof);
    if (bearer !== undefined) bearers.push(bearer);
    else if (saysBearer(rawHeaders[index + 1])) isReadable = false;
    rawHeaders[index + 1] = REMOVED;
  }
  delete headers.authorization;
  forgetDistinctHeaders(request, AUTHORIZATION);
  return isReadable;
}
