/** Policies for plain node:http routes: the handler runs only for those the policy allows. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { HttpAuthentication } from "../../app/http.js";
import { refusalReply } from "../../core/admission/refusal-reply.js";
import type { Admission, Policy } from "../../core/auth/policy.js";
import { HubwardError } from "../../core/errors.js";

export type GuardedHandler<P> = (
  request: IncomingMessage,
  response: ServerResponse,
  admission: Admission<P>,
) => void | Promise<void>;

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Where the policies come from. */
export interface GuardingApp<P> {
  readonly http: HttpAuthentication<P>;
}

/**
 * `requirePolicy(app, staff, handler)`: answers 401, 403 or 503 with the reason itself, otherwise runs the
 * handler with who asks. With a resource: `requirePolicy(app, ownWard, handler, (request) => wardOf(request))`.
 * A resource that cannot be read out of the request is a 400. A handler that fails is a 500, unless it has begun
 * to answer, and is told to telemetry; it never ends the process.
 */
export function requirePolicy<P>(app: GuardingApp<P>, policy: Policy<P>, handler: GuardedHandler<P>): RequestHandler;
export function requirePolicy<P, R>(
  app: GuardingApp<P>,
  policy: Policy<P, R>,
  handler: GuardedHandler<P>,
  resource: (request: IncomingMessage) => NoInfer<R>,
): RequestHandler;
export function requirePolicy<P>(
  app: GuardingApp<P>,
  policy: Policy<P, never>,
  handler: GuardedHandler<P>,
  resource?: (request: IncomingMessage) => unknown,
): RequestHandler {
  return async (request, response) => {
    try {
      const admission = await app.http.authenticate(request);
      await app.http.require(admission, policy as Policy<P, unknown>, readResource(request, resource));
      await handler(request, response, admission);
    } catch (error) {
      if (!(error instanceof HubwardError)) app.http.failed(`route ${request.method ?? ""}`, error);
      if (response.headersSent) return void response.destroy();
      const refusal = error instanceof HubwardError ? error : new HubwardError("internal_error");
      const { status, headers, body } = refusalReply(refusal);
      response.writeHead(status, headers).end(body);
    }
  };
}

/** Only for who is known already: nobody else's request is read that far. */
function readResource(
  request: IncomingMessage,
  resource: ((request: IncomingMessage) => unknown) | undefined,
): unknown {
  try {
    return resource?.(request);
  } catch (cause) {
    throw cause instanceof HubwardError ? cause : new HubwardError("invalid_request", { cause });
  }
}
