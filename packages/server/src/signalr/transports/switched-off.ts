/** The answer where a hub does not offer the transport that is asked for. */

import type { TransportName } from "@hubward/wire";
import { textReply } from "../../core/admission/refusal-reply.js";
import type { Hub } from "../../core/dispatch/hub.js";
import type { HttpReply } from "../../core/http.js";

/** Undefined where it does. The text is .NET's. */
export function switchedOff<P>(transport: TransportName, { settings }: Hub<P>): HttpReply | undefined {
  if (settings.transports.has(transport)) return undefined;
  return textReply(404, `${transport} transport not supported by this end point type`);
}
