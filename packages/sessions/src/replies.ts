/** The replies of the session endpoints. None may be cached; an error is a constant name from the catalogue. */

import { inspect } from "node:util";

/** What a refused request is told: names as in the catalogue of reasons. */
export type RefusalName =
  "invalid_request" | "message_too_big" | "origin_denied" | "invalid_token" | "session_revoked" | "refresh_superseded";

type ReplyHeaders = Readonly<Record<string, string>>;

export function jsonReply(status: number, body: unknown, headers: ReplyHeaders = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}

export function emptyReply(headers: ReplyHeaders): Response {
  return new Response(null, { status: 204, headers: { "cache-control": "no-store", ...headers } });
}

export function refusal(status: number, error: RefusalName, headers: ReplyHeaders = {}): Response {
  return jsonReply(status, { error }, headers);
}

/** Something that passes: the credential is kept, nothing is said about it, and no cookie is touched. */
export function unavailable(): Response {
  return jsonReply(503, { error: "auth_unavailable;action=retry-after;retry_after=1" }, { "retry-after": "1" });
}

/** Keeps the tokens in a reply from being printed with it: console.log shows the status alone. */
export function withoutPrinting(reply: Response): Response {
  return Object.defineProperty(reply, inspect.custom, { value: () => `Response { status: ${reply.status} }` });
}
