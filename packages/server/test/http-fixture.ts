/** HTTP requests as an adapter would hand them to the core. */

import type { HttpAnswer, HttpReply, HttpRequest, RequestBody } from "../src/core/http.js";
import { readCookie, type ReadCookie } from "../src/core/auth/cookie-header.js";
import { Secret } from "../src/core/auth/secret.js";

export interface TestRequest {
  readonly method?: string;
  readonly path?: string;
  /** As in a URL: `negotiateVersion=1`. Names are lower-cased, as adapters do. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bearers in the Authorization header. */
  readonly bearers?: readonly string[];
  /** Bearers in the query. */
  readonly queryBearers?: readonly string[];
  /** Cookies of ours, as an adapter lifted them out. */
  readonly cookies?: { readonly access?: string; readonly binding?: string };
  readonly isSecure?: boolean;
  readonly remoteAddress?: string;
}

export function requestOf({
  method = "POST",
  path = "/hubs/ward/negotiate",
  query = "",
  headers = {},
  bearers = [],
  queryBearers = [],
  cookies,
  isSecure,
  remoteAddress = "192.0.2.7",
}: TestRequest = {}): HttpRequest {
  const pairs = [...new URLSearchParams(query)].map(([name, value]) => [name.toLowerCase(), value] as const);
  return {
    method,
    path,
    query: new Map(pairs.reverse()),
    header: (name) => headers[name],
    bearers: [
      ...bearers.map((token) => ({ kind: "bearer", token: new Secret(token), source: "header" }) as const),
      ...queryBearers.map((token) => ({ kind: "bearer", token: new Secret(token), source: "query" }) as const),
    ],
    cookies: cookies && { access: readOf(cookies.access), binding: readOf(cookies.binding) },
    isSecure,
    remoteAddress,
  };
}

function readOf(value: string | undefined): ReadCookie | undefined {
  return value === undefined ? undefined : readCookie(`name=${value}`, "name");
}

/** A body that has arrived whole. */
export function bodyOfText(content: string | Uint8Array = ""): RequestBody {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return {
    read: (maxBytes) => Promise.resolve(bytes.length > maxBytes ? { kind: "too-large" } : { kind: "whole", bytes }),
    abandon: () => undefined,
  };
}

/** A reply that is given at once; the test fails when it is deferred. */
export function plainReply(answer: HttpAnswer): HttpReply {
  if ("open" in answer) throw new TypeError("the reply was deferred");
  return answer;
}
