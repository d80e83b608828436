/** The other view of a request's headers that Node has, which must not keep what was cut out of the first. */

import type { IncomingMessage } from "node:http";

/**
 * Node keeps `headersDistinct` once somebody in front has asked for it, tokens and all; asking for it here only to
 * clean it would cost a tenth of a whole connect.
 */
export function forgetDistinctHeaders(request: IncomingMessage, name: string): void {
  for (const symbol of Object.getOwnPropertySymbols(request)) {
    if (symbol.description !== "kHeadersDistinct") continue;
    const kept = (request as unknown as Record<symbol, unknown>)[symbol];
    if (kept !== null && kept !== undefined) delete request.headersDistinct[name];
  }
}
