/** Policies as middleware of Express 5. */

import type { NextFunction, Request, Response } from "express";
import { decideRequest, type GuardingApp } from "../../app/http.js";
import { refusalReply } from "../../core/admission/refusal-reply.js";
import type { Policy } from "../../core/auth/policy.js";
import { HubwardError } from "../../core/errors.js";
import { rememberAdmission } from "../node/admissions.js";
import { sendReply } from "../node/send-reply.js";

/** Fits every route, whatever its parameters. */
export type PolicyMiddleware = <Params>(
  request: Request<Params>,
  response: Response,
  next: NextFunction,
) => Promise<void>;

/** Fits the routes that have the parameters its resource is read from. */
export type ResourcePolicyMiddleware<Params> = (
  request: Request<Params>,
  response: Response,
  next: NextFunction,
) => Promise<void>;

/**
 * `express.get("/patients", requirePolicy(app, staff), handler)`: answers 400, 401, 403 or 503 with the reason
 * itself; who was let in is `admissionOf(app, request)` from then on. With a resource:
 * `requirePolicy(app, ownWard, (request: Request<{ ward: string }>) => request.params.ward)`. A resource that cannot
 * be read out of the request is a 400.
 * Behind whatever reads the body, as `express.json()`: a body takes as long as its sender likes, and this decides when it is
 * reached.
 */
export function requirePolicy<P>(app: GuardingApp<P>, policy: Policy<P>): PolicyMiddleware;
export function requirePolicy<P, R, Params = Request["params"]>(
  app: GuardingApp<P>,
  policy: Policy<P, R>,
  resource: (request: Request<Params>) => NoInfer<R>,
): ResourcePolicyMiddleware<Params>;
export function requirePolicy<P, Params = Request["params"]>(
  app: GuardingApp<P>,
  policy: Policy<P, never>,
  resource?: (request: Request<Params>) => unknown,
): ResourcePolicyMiddleware<Params> {
  return async (request, response, next) => {
    const decision = await decideRequest(app, request, policy, resource && (() => resource(request)));
    if (!decision.isAllowed) return sendReply(response, decision.reply);
    rememberAdmission(app, request, decision.admission);
    next();
  };
}

/**
 * Error middleware, `express.use(answerRefusals)` after the routes: answers a HubwardError that a handler threw, as
 * `app.http.require` does, the way a guard would. Other errors, and answers that have begun, are left to the next.
 */
export function answerRefusals(error: unknown, _request: Request, response: Response, next: NextFunction): void {
  if (error instanceof HubwardError && !response.headersSent) sendReply(response, refusalReply(error));
  else next(error);
}
