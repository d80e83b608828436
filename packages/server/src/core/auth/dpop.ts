/** Port: whether somebody holds the key that a token is bound to (RFC 9449). */

import type { Secret } from "./secret.js";

/** What stood beside a token of the `DPoP` scheme, before anything believes it. */
export interface DpopPresentation {
  /** The header's value, of any length; several headers are one value with commas. Undefined: there was none. */
  readonly proof: Secret | undefined;
  /** The request's, as it stood there. Undefined where it is not known, which no proof passes. */
  readonly method: string | undefined;
  /** The request's path, not decoded and without a query. Undefined as `method`. */
  readonly path: string | undefined;
}

export interface DpopQuestion {
  readonly proof: Secret;
  readonly method: string;
  readonly path: string;
  readonly accessToken: Secret;
  /** The token's own `cnf.jkt`. */
  readonly keyThumbprint: string;
}

export type DpopVerdict =
  | {
      readonly kind: "accepted";
      /** The key's thumbprint (RFC 7638, SHA-256), to be compared with the token's `cnf.jkt`. */
      readonly keyThumbprint: string;
    }
  /**
   * What to answer with 401 and `WWW-Authenticate: DPoP error="…"` (RFC 9449 7.1 and 9): with `use_dpop_nonce` goes a
   * `DPoP-Nonce`. `why` is a constant.
   */
  | { readonly kind: "refused"; readonly error: "invalid_dpop_proof" | "use_dpop_nonce"; readonly why: string }
  /** Nobody can say whether it was used before: 503. */
  | { readonly kind: "unavailable" };

export interface DpopVerifier {
  /** Whether tokens that are bound to no key are refused. */
  readonly isRequired: boolean;
  /** Of proofs, for challenges. */
  readonly algorithms: readonly string[];
  /** What proofs must hold by now, for `DPoP-Nonce`. Undefined where they need none. */
  nonce(): string | undefined;
  /**
   * Verifies one proof for one request and uses it up. Bounds it before reading it, and never throws (or rejects) for
   * anything in a request.
   */
  verify(question: DpopQuestion): DpopVerdict | Promise<DpopVerdict>;
}

/** Who checks proofs: a verifier; a gateway in front that nobody can go round; or nobody, so that no bound token passes. */
export type DpopPolicy = DpopVerifier | "checked-upstream" | undefined;
