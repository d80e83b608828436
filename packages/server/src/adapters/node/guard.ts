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
 * The handler's own errors are passed on.
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
    let admission: Admission<P>;
    try {
      admission = await app.http.authorize(request, policy as Policy<P, unknown>, resource?.(request));
    } catch (error) {
      if (!(error instanceof HubwardError)) throw error;
      const { status, headers, body } = refusalReply(error);
      response.writeHead(status, headers).end(body);
      return;
    }
    await handler(request, response, admission);
  };
}
