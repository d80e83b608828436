/** What the receivers of an issuer's messages have in common: the request's outside, and replies that nobody caches. */

import { HubwardError } from "@hubward/wire";

/** Answers one request. Never rejects because of what the request holds; the path is not looked at. */
export type EventReceiver = (request: Request) => Promise<Response>;

export type ReceivedBody =
  { readonly kind: "whole"; readonly text: string } | { readonly kind: "too-large" } | { readonly kind: "broken" };

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads the body as UTF-8 text of at most this many bytes, whatever length it claims.
 * @throws TypeError (rejects) when somebody, such as a body parser, has read it before
 */
export async function readText(request: Request, maxBytes: number): Promise<ReceivedBody> {
  if (request.bodyUsed) throw new TypeError("the body has been read before: mount this in front of body parsers");
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) return { kind: "too-large" };
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of request.body ?? []) {
      length += chunk.byteLength;
      if (length > maxBytes) return { kind: "too-large" }; // leaving the loop cancels the stream
      chunks.push(chunk);
    }
    return { kind: "whole", text: decoder.decode(Buffer.concat(chunks, length)) };
  } catch {
    return { kind: "broken" };
  }
}

/** Without parameters, lower-cased; undefined where there is none. */
export function mediaTypeOf(request: Request): string | undefined {
  return request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
}

export function emptyReply(status: number, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(null, { status, headers: { "cache-control": "no-store", ...headers } });
}

export function jsonReply(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}

/** Something that passes: whoever sent the message sends it again. */
export function unavailableReply(body: object, error: unknown): Response {
  const [, seconds = "1"] = error instanceof HubwardError ? (/retry_after=(\d+)/.exec(error.message) ?? []) : [];
  return jsonReply(503, body, { "retry-after": seconds });
}

/** Tells whoever listens; a listener that fails changes nothing. */
export function tell(listener: ((error: Error) => void) | undefined, error: unknown): void {
  try {
    listener?.(error instanceof Error ? error : new Error("the message could not be handled", { cause: error }));
  } catch {
    // There is nowhere left to say it.
  }
}
