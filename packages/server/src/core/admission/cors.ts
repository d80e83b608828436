/**
 * Which pages may read our answers (Fetch, CORS protocol). Exact origins only, because credentials are allowed: a
 * browser would send a person's along for any page.
 */

import { HubwardError } from "@hubward/wire";
import type { HttpAnswer, HttpReply, HttpRequest } from "../http.js";

/** What stock clients send. */
const ALLOWED_HEADERS = "authorization, content-type, x-requested-with, x-signalr-user-agent";
/** What clients with a key send and read besides (RFC 9449 4.1, 8.2). */
const DPOP_HEADER = "dpop";
const EXPOSED_HEADERS = "DPoP-Nonce, WWW-Authenticate";
const ALLOWED_METHODS = "GET, POST, DELETE";
/** How long a browser may remember a preflight. Seconds: an origin that is taken off the list is soon off. */
const MAX_AGE_SECONDS = 600;

/** A browser's question before a request that no form could have sent. Comes without any credential. */
export function isPreflight({ method, header }: HttpRequest): boolean {
  return (
    method === "OPTIONS" && header("origin") !== undefined && header("access-control-request-method") !== undefined
  );
}

/** The answer to a preflight, or why there is none but a refusal. `takesProofs`: whether pages may show DPoP proofs. */
export function answerPreflight(
  request: HttpRequest,
  allowed: ReadonlySet<string>,
  takesProofs = false,
): HttpReply | HubwardError {
  if (!allowed.has(request.header("origin") ?? "")) return new HubwardError("origin_denied");
  return {
    status: 204,
    headers: {
      "access-control-allow-methods": ALLOWED_METHODS,
      "access-control-allow-headers": takesProofs ? `${ALLOWED_HEADERS}, ${DPOP_HEADER}` : ALLOWED_HEADERS,
      "access-control-max-age": String(MAX_AGE_SECONDS),
    },
    body: "",
  };
}

/** Adds what lets a page of an allowed origin read the answer, refusals too; to any other it stays unreadable. */
export function shareWith<Answer extends HttpAnswer>(
  answer: Answer,
  { header }: HttpRequest,
  allowed: ReadonlySet<string>,
  takesProofs = false,
): Answer {
  const origin = header("origin");
  const shared: Record<string, string> = { ...answer.headers, vary: "Origin" };
  if (origin !== undefined && allowed.has(origin)) {
    shared["access-control-allow-origin"] = origin;
    shared["access-control-allow-credentials"] = "true";
    if (takesProofs) shared["access-control-expose-headers"] = EXPOSED_HEADERS;
  }
  return { ...answer, headers: shared };
}
