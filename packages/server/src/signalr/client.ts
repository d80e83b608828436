/** What a SignalR client says about itself, and what follows from it. */

import type { HttpRequest } from "../core/http.js";

export interface ClientKind {
  /** One of Microsoft's own clients: it reads reasons from Close messages, not from HTTP statuses. */
  readonly isStock: boolean;
  /** It sends its token in headers only, on every transport, so it needs no ticket. */
  readonly sendsHeadersOnly: boolean;
  /**
   * It takes every WebSocket close code but 1000 for a failure of the transport, which may overtake the Close message in
   * front of it: then the reason is lost, and so is that the client is not to come back.
   * @see WebSocketsTransport.cs of Microsoft.AspNetCore.Http.Connections.Client
   */
  readonly takesCodeForFailure: boolean;
}

/**
 * `Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; 20.20.2)`: browsers may not set User-Agent, so there the
 * client uses X-SignalR-User-Agent. Clients of 2019 and before name themselves nowhere.
 */
export function clientKind({ header }: HttpRequest): ClientKind {
  const name = header("x-signalr-user-agent") ?? header("user-agent") ?? "";
  const isStock = name.startsWith("Microsoft SignalR/");
  const isNoScript = isStock && /; (?:\.NET|Java)(?:;|\))/.test(name);
  return { isStock, sendsHeadersOnly: isNoScript, takesCodeForFailure: isNoScript };
}
