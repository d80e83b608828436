/** Reads a small JSON body, such as a login form, without trusting its declared length. */

import { refusal } from "./replies.js";
import { checkIsJson } from "./request-checks.js";

export type JsonReading =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly response: Response };

/** Default limit for a login body: 4 KiB. */
export const defaultMaxJsonBytes = 4096;

/**
 * Reads the body as JSON in UTF-8. Refuses with 415 when it is declared as anything else, 413 as soon as more than
 * `maxBytes` have been announced or have arrived, 400 when it is not JSON or broke off. The value can be any JSON:
 * the caller checks its shape. A body that comes too slowly is for the HTTP server's timeouts.
 * @throws TypeError when the body has been read before.
 */
export async function readJson(request: Request, maxBytes: number = defaultMaxJsonBytes): Promise<JsonReading> {
  if (request.bodyUsed) throw new TypeError("readJson: the body has been read before");
  const refused = checkIsJson(request);
  if (refused !== undefined) return { ok: false, response: refused };
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) return tooBig();
  try {
    const bytes = await readBytes(request, maxBytes);
    if (bytes === undefined) return tooBig();
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return { ok: true, value };
  } catch {
    return { ok: false, response: refusal(400, "invalid_request") };
  }
}

/** The body, or undefined when it is longer than `maxBytes`; the rest is then not read. */
async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) return undefined; // leaving the loop cancels the stream
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooBig(): JsonReading {
  return { ok: false, response: refusal(413, "message_too_big") };
}
