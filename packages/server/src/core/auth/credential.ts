/** What a peer presented to say who it is, before anything believes it. */

import type { DpopPresentation } from "./dpop.js";
import type { Secret } from "./secret.js";

export interface BearerCredential {
  readonly kind: "bearer";
  readonly token: Secret;
  /** Where it stood. A bearer in the query or in a cookie is a mode that must be switched on; `message`: in band. */
  readonly source: "header" | "query" | "cookie" | "message";
  /** What stood beside it, where it was presented in the `DPoP` scheme. */
  readonly dpop?: DpopPresentation | undefined;
}

/** Who a gateway says is asking, in headers of its own. Adapters make one only of what they may believe. */
export interface ForwardedCredential {
  readonly kind: "forwarded";
  /** By lower-cased name; only headers that were there, each once, none empty. */
  readonly headers: ReadonlyMap<string, Secret>;
  /** A bearer token that stood beside them; never a ticket. */
  readonly bearer: BearerCredential | undefined;
}

export type Credential = BearerCredential | ForwardedCredential;

/** Forwarded headers that must not be believed, and why. */
export interface UnbelievableHeaders {
  readonly kind: "unbelievable";
  /**
   * They came from a peer that is no trusted proxy; one of them stood there more than once; or the request had as many
   * headers as are read, or more, so that one may be missing.
   */
  readonly why: "untrusted" | "duplicate" | "overflow";
}

/** What an adapter found in the headers a gateway speaks through. */
export type ForwardedHeaders = Omit<ForwardedCredential, "bearer"> | UnbelievableHeaders;
