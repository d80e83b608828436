/** Node's second view of a request's headers, which keeps what is cut out of the first. */

import { IncomingMessage } from "node:http";
import { Socket } from "node:net";

/**
 * Node keeps `headersDistinct` once somebody in front has asked for it, tokens and all; asking for it here only to
 * clean it would cost a tenth of a whole connect.
 */
export function forgetDistinctHeaders(request: IncomingMessage, name: string): void {
  if (keptDistinctHeaders === undefined) return;
  const kept = (request as unknown as Record<symbol, unknown>)[keptDistinctHeaders];
  if (kept !== null && kept !== undefined) delete request.headersDistinct[name];
}

/** Where Node keeps them: found once, on a request of our own that has been asked. */
const keptDistinctHeaders = findDistinctHeaders(new IncomingMessage(new Socket()));

function findDistinctHeaders(asked: IncomingMessage): symbol | undefined {
  if (typeof asked.headersDistinct !== "object") return undefined;
  return Object.getOwnPropertySymbols(asked).find(({ description }) => description === "kHeadersDistinct");
}
