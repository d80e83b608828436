/** Policies as middleware of Hono. */

import type { Context, Env, MiddlewareHandler } from "hono";
import type { StatusCode } from "hono/utils/http-status";
import { decideRequest, type GuardingApp, type RequestWithHeaders } from "../../app/http.js";
import { refusalReply } from "../../core/admission/refusal-reply.js";
import type { Admission, Policy } from "../../core/auth/policy.js";
import { HubwardError } from "../../core/errors.js";
import type { HttpReply } from "../../core/http.js";

/** What handlers behind a guard find: `context.get("admission")`, or `context.var.admission`. */
export interface AdmissionEnv<P> extends Env {
  Variables: { admission: Admission<P> };
}

/**
 * `hono.get("/patients", requirePolicy(app, staff), handler)`: answers 400, 401, 403 or 503 with the reason itself;
 * who was let in is `context.get("admission")` from then on. With a resource:
 * `requirePolicy(app, ownWard, (context) => context.req.param("ward") ?? "")`. A resource that cannot be read out of
 * the request is a 400.
 * A body that a handler reads behind it takes as long as its sender likes: where one counts, read it first and call
 * `app.http.authorize` then.
 */
export function requirePolicy<P>(app: GuardingApp<P>, policy: Policy<P>): MiddlewareHandler<AdmissionEnv<P>>;
export function requirePolicy<P, R, Path extends string>(
  app: GuardingApp<P>,
  policy: Policy<P, R>,
  resource: (context: Context<AdmissionEnv<P>, Path>) => NoInfer<R>,
): MiddlewareHandler<AdmissionEnv<P>, Path>;
export function requirePolicy<P, Path extends string>(
  app: GuardingApp<P>,
  policy: Policy<P, never>,
  resource?: (context: Context<AdmissionEnv<P>, Path>) => unknown,
): MiddlewareHandler<AdmissionEnv<P>, Path> {
  return async (context, next) => {
    const decision = await decideRequest(app, receivedBy(context), policy, resource && (() => resource(context)));
    if (!decision.isAllowed) return answer(context, decision.reply);
    context.set("admission", decision.admission);
    return next();
  };
}

/**
 * Error handler, `hono.onError(answerRefusals)`: answers a HubwardError that a handler threw, as `app.http.require`
 * does, the way a guard would. Throws whatever else there is again, for Hono's own.
 */
export function answerRefusals(error: Error, context: Context): Response {
  if (error instanceof HubwardError) return answer(context, refusalReply(error));
  throw error;
}

/**
 * On Node.js the request that the server received, because what a gateway forwarded goes with that alone; the web
 * Request where there is no other, or where middleware has put another credential into it.
 */
function receivedBy({ env, req: { raw } }: Context): RequestWithHeaders {
  const { incoming } = (env ?? {}) as { readonly incoming?: RequestWithHeaders & { readonly headers: NodeHeaders } };
  const isSame =
    incoming !== undefined &&
    raw.headers.get("authorization") === (incoming.headers.authorization ?? null) &&
    raw.headers.get("cookie") === (incoming.headers.cookie ?? null);
  return isSame ? incoming : raw;
}

interface NodeHeaders {
  readonly authorization?: string;
  readonly cookie?: string;
}

/** By the context, so that headers which others have set on it are kept. */
function answer(context: Context, { status, headers, body }: HttpReply): Response {
  // An empty text would be announced as one: Content-Type: text/plain.
  return context.newResponse(body === "" ? null : body, { status: status as StatusCode, headers: { ...headers } });
}
