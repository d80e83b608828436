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

/** Nothing was presented where a credential is required, or only half of it. `detail` is for the log alone. */
export class MissingCredential extends HubwardError {
  constructor(detail = "no credential was presented") {
    super("invalid_token", { detail });
  }
}

/** `{"error":"<reason>"}` with the catalogue's status; 401 carries the challenge, waiting reasons Retry-After. */
export function refusalReply(error: HubwardError): HttpReply {
  if (error instanceof MissingCredential) return unauthenticatedReply;
  const status = reasons[error.reason].httpStatus ?? 500;
  const headers: Record<string, string> = { ...NO_STORE, "content-type": "application/json; charset=utf-8" };
  if (status === 401) headers["www-authenticate"] = 'Bearer error="invalid_token"';
  if (status === 503 || status === 429) headers["retry-after"] = String(Math.ceil(error.retryAfterSeconds ?? 1));
  return { status, headers, body: JSON.stringify({ error: error.message }) };
}

/** A plain refusal of the transport's own, such as an unknown connection id. */
export function textReply(status: number, body: string, headers: Readonly<Record<string, string>> = {}): HttpReply {
  return { status, headers: { ...NO_STORE, "content-type": "text/plain", ...headers }, body };
}
