/** Policies as hooks of Fastify 5. */

import type { FastifyReply, FastifyRequest, RouteGenericInterface } from "fastify";
import { decideRequest, type GuardingApp } from "../../app/http.js";
import { refusalReply } from "../../core/admission/refusal-reply.js";
import type { Policy } from "../../core/auth/policy.js";
import { HubwardError } from "../../core/errors.js";
import type { HttpReply } from "../../core/http.js";
import { rememberAdmission } from "../node/admissions.js";

/** Fits every route, as `onRequest`, `preHandler` or any hook between them. */
export type PolicyHook = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/** Fits the routes that have what its resource is read from. A body is there from `preValidation` on. */
export type ResourcePolicyHook<Route extends RouteGenericInterface> = (
  request: FastifyRequest<Route>,
  reply: FastifyReply,
) => Promise<unknown>;

/**
 * `fastify.get("/patients", { onRequest: requirePolicy(app, staff) }, handler)`: answers 400, 401, 403 or 503 with
 * the reason itself; who was let in is `admissionOf(app, request)` from then on. With a resource:
 * `requirePolicy(app, ownWard, (request: FastifyRequest<WardRoute>) => request.params.ward)`. A resource that cannot
 * be read out of the request is a 400.
 * Where a body counts, as `preHandler`: a body takes as long as its sender likes, and this decides when it is reached.
 */
export function requirePolicy<P>(app: GuardingApp<P>, policy: Policy<P>): PolicyHook;
export function requirePolicy<P, R, Route extends RouteGenericInterface>(
  app: GuardingApp<P>,
  policy: Policy<P, R>,
  resource: (request: FastifyRequest<Route>) => NoInfer<R>,
): ResourcePolicyHook<Route>;
export function requirePolicy<P, Route extends RouteGenericInterface>(
  app: GuardingApp<P>,
  policy: Policy<P, never>,
  resource?: (request: FastifyRequest<Route>) => unknown,
): ResourcePolicyHook<Route> {
  return async (request, reply) => {
    const decision = await decideRequest(app, request, policy, resource && (() => resource(request)));
    if (!decision.isAllowed) return answer(reply, decision.reply);
    rememberAdmission(app, request, decision.admission);
    return undefined;
  };
}

/**
 * Error handler, `fastify.setErrorHandler(answerRefusals)`: answers a HubwardError that a handler threw, as
 * `app.http.require` does, the way a guard would. Throws whatever else there is again, for the handler above.
 */
export function answerRefusals(error: unknown, _request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof HubwardError) return answer(reply, refusalReply(error));
  throw error;
}

function answer(reply: FastifyReply, { status, headers, body }: HttpReply): FastifyReply {
  // An empty text would be announced as one: Content-Type: text/plain.
  return reply
    .code(status)
    .headers(headers)
    .send(body === "" ? undefined : body);
}
