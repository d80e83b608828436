/** A plain reply on a node:http response. */

import type { ServerResponse } from "node:http";
import type { HttpReply } from "../../core/http.js";

/** Answers, beside headers that were set before. Where another answer has begun already, it is cut off instead. */
export function sendReply(response: ServerResponse, { status, headers, body }: HttpReply): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
}
