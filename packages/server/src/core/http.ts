/**
 * HTTP as the core sees it: plain values an adapter makes and answers. Credentials were lifted out of the URL
 * before a request became one of these.
 */

import type { BearerCredential, ForwardedHeaders } from "./auth/credential.js";

export interface HttpRequest {
  readonly method: string;
  /** Percent-decoded once, without the query. */
  readonly path: string;
  /** Names lower-cased; the first value of each. Never holds `access_token`. */
  readonly query: ReadonlyMap<string, string>;
  /** By lower-cased name. Never holds `authorization`. */
  readonly header: (name: string) => string | undefined;
  /** Every bearer presented: `Authorization: Bearer`, and each `access_token` in the query. */
  readonly bearers: readonly BearerCredential[];
  /** Of the headers a gateway speaks through, if it is to speak at all (`Endpoint.forwarded`). */
  readonly forwarded?: ForwardedHeaders | undefined;
  readonly remoteAddress: string | undefined;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
