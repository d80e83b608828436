/** A refusal as an HTTP answer: status, challenge, and the reason where a client can read it. */

import { HubwardError, reasons } from "@hubward/wire";
import type { HttpReply } from "../http.js";

const NO_STORE = { "cache-control": "no-store" } as const;

/** No credential was presented: a bare challenge, without an error code (RFC 6750 3.1). */
export const unauthenticatedReply: HttpReply = {
  status: 401,
  headers: { ...NO_STORE, "www-authenticate": "Bearer" },
  body: "",
};

/**
 * Nothing was presented where a credential is required, or only half of it. `detail` is for the log alone; `challenge`
 * names the schemes that are taken.
 */
export class MissingCredential extends HubwardError {
  readonly challenge: string;

  constructor(detail = "no credential was presented", challenge = "Bearer") {
    super("invalid_token", { detail });
    this.challenge = challenge;
  }
}

/** A token that is bound to a key, or the proof beside it, is no good here. `detail` says why, in constants. */
export class DpopRefused extends HubwardError {
  declare readonly reason: "invalid_token" | "token_expired" | "invalid_dpop_proof" | "use_dpop_nonce";
  /** `WWW-Authenticate`, and `DPoP-Nonce` where proofs need one (RFC 9449 7.1, 9). */
  readonly challenge: Readonly<Record<string, string>>;

  constructor(
    reason: DpopRefused["reason"],
    {
      algorithms,
      nonce,
      detail,
      cause,
    }: {
      /** Of proofs; undefined where none is taken. */
      readonly algorithms: readonly string[] | undefined;
      readonly nonce: string | undefined;
      readonly detail: string | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(reason, { detail, cause });
    const error = reason === "token_expired" ? "invalid_token" : reason;
    const algs = algorithms === undefined ? "" : `, algs="${algorithms.join(" ")}"`;
    const challenge = { "www-authenticate": `DPoP error="${error}"${algs}` };
    this.challenge = nonce === undefined ? challenge : { ...challenge, "dpop-nonce": nonce };
  }
}

/** `{"error":"<reason>"}` with the catalogue's status; 401 carries the challenge, waiting reasons Retry-After. */
export function refusalReply(error: HubwardError): HttpReply {
  if (error instanceof MissingCredential) return unauthenticated(error);
  const status = reasons[error.reason].httpStatus ?? 500;
  const headers: Record<string, string> = { ...NO_STORE, "content-type": "application/json; charset=utf-8" };
  if (status === 401) headers["www-authenticate"] = 'Bearer error="invalid_token"';
  if (error instanceof DpopRefused) Object.assign(headers, error.challenge);
  if (status === 503 || status === 429) headers["retry-after"] = String(Math.ceil(error.retryAfterSeconds ?? 1));
  return { status, headers, body: JSON.stringify({ error: error.message }) };
}

function unauthenticated({ challenge }: MissingCredential): HttpReply {
  const { headers } = unauthenticatedReply;
  if (headers["www-authenticate"] === challenge) return unauthenticatedReply;
  return { ...unauthenticatedReply, headers: { ...headers, "www-authenticate": challenge } };
}

/** A plain refusal of the transport's own, such as an unknown connection id. */
export function textReply(status: number, body: string, headers: Readonly<Record<string, string>> = {}): HttpReply {
  return { status, headers: { ...NO_STORE, "content-type": "text/plain", ...headers }, body };
}
