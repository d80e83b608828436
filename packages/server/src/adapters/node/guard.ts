/** Policies for plain node:http routes: the handler runs only for those the policy allows. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { decideRequest, replyToFailure, type GuardingApp } from "../../app/http.js";
import type { Admission, Policy } from "../../core/auth/policy.js";
import { sendReply } from "./send-reply.js";

export type GuardedHandler<P> = (
  request: IncomingMessage,
  response: ServerResponse,
  admission: Admission<P>,
) => void | Promise<void>;

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * `requirePolicy(app, staff, handler)`: answers 401, 403 or 503 with the reason itself, otherwise runs the
 * handler with who asks. With a resource: `requirePolicy(app, ownWard, handler, (request) => wardOf(request))`.
 * A resource that cannot be read out of the request is a 400. A handler that fails is a 500, unless it has begun
 * to answer, and is told to telemetry; it never ends the process.
 * A body takes as long as its sender likes: where one counts, read it first and call `app.http.authorize` then.
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
    const decision = await decideRequest(app, request, policy, resource && (() => resource(request)));
    if (!decision.isAllowed) return sendReply(response, decision.reply);
    try {
      await handler(request, response, decision.admission);
    } catch (error) {
      sendReply(response, replyToFailure(app.http, `route ${request.method ?? ""}`, error));
    }
  };
}
