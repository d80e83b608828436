/** The other way round: whatever answers a web Request with a web Response, as a listener of node:http. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";

/** Never rejects. */
export type FetchListener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * `fetchListener(logout)`: for node:http as it is, for Express as a handler, and for Fastify behind `reply.hijack()`
 * (with `request.raw` and `reply.raw`). The handler sees method, path with query, headers and the body as it comes; the
 * host in its URL is always `localhost`. Nobody may have read the body before: mount it in front of body parsers. A
 * handler that throws is a 500 without a word.
 */
export function fetchListener(answer: (request: Request) => Response | Promise<Response>): FetchListener {
  return async (request, response) => {
    let reply: Response;
    try {
      // Other forms of a request's target are for proxies (RFC 9112 3.2).
      if (request.url?.startsWith("/") === true) reply = await answer(toRequest(request, request.url));
      else reply = new Response(null, { status: 400 });
    } catch {
      reply = new Response(null, { status: 500 });
    }
    try {
      const body = Buffer.from(await reply.arrayBuffer());
      if (response.destroyed) return;
      // What still comes of a body that nobody wanted must not be taken for the next request, nor be waited for.
      if (!request.complete) response.setHeader("connection", "close");
      response.setHeaders(reply.headers).writeHead(reply.status).end(body);
    } catch {
      response.destroy();
    }
  };
}

/** @throws TypeError for a method that a Request refuses, and a body that was read before */
function toRequest(request: IncomingMessage, target: string): Request {
  const { method = "GET" } = request;
  if (request.readableDidRead) throw new TypeError("fetchListener: the body has been read before");
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(request.headersDistinct)) {
    for (const value of values) headers.append(name, value);
  }
  const hasBody = method !== "GET" && method !== "HEAD";
  const init = hasBody ? { body: Readable.toWeb(request), duplex: "half" as const } : {};
  return new Request(`http://localhost${target}`, { method, headers, ...init });
}
