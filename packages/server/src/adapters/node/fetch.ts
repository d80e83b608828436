/** Policies for whatever answers a web Request with a web Response: route handlers of SvelteKit, Next.js and others. */

import { decideRequest, type GuardingApp } from "../../app/http.js";
import { refusalReply } from "../../core/admission/refusal-reply.js";
import type { Admission, Policy } from "../../core/auth/policy.js";
import { HubwardError } from "../../core/errors.js";
import type { HttpReply } from "../../core/http.js";

export type GuardedFetch<P, Rest extends readonly unknown[]> = (
  request: Request,
  admission: Admission<P>,
  ...rest: Rest
) => Response | Promise<Response>;

/** `Rest`: whatever the framework passes beside the request, such as a route's parameters. */
export type FetchHandler<Rest extends readonly unknown[]> = (request: Request, ...rest: Rest) => Promise<Response>;

/**
 * `guardFetch(app, staff, handler)`: answers 400, 401, 403 or 503 with the reason itself, otherwise the handler's
 * Response; a HubwardError that it throws is answered, too, and any other error is the caller's. With a resource:
 * `guardFetch(app, ownWard, handler, (request) => wardOf(request.url))`.
 * A body takes as long as its sender likes: where one counts, read it first and call `app.http.authorize` then.
 */
export function guardFetch<P, Rest extends readonly unknown[]>(
  app: GuardingApp<P>,
  policy: Policy<P>,
  handler: GuardedFetch<P, Rest>,
): FetchHandler<Rest>;
export function guardFetch<P, R, Rest extends readonly unknown[]>(
  app: GuardingApp<P>,
  policy: Policy<P, R>,
  handler: GuardedFetch<P, Rest>,
  resource: (request: Request, ...rest: Rest) => NoInfer<R>,
): FetchHandler<Rest>;
export function guardFetch<P, Rest extends readonly unknown[]>(
  app: GuardingApp<P>,
  policy: Policy<P, never>,
  handler: GuardedFetch<P, Rest>,
  resource?: (request: Request, ...rest: Rest) => unknown,
): FetchHandler<Rest> {
  return async (request, ...rest) => {
    const decision = await decideRequest(app, request, policy, resource && (() => resource(request, ...rest)));
    if (!decision.isAllowed) return toResponse(decision.reply);
    try {
      return await handler(request, decision.admission, ...rest);
    } catch (error) {
      if (error instanceof HubwardError) return refusalResponse(error);
      throw error;
    }
  };
}

/** `refusalReply` as a web Response: the status, challenge and reason of what `app.http` threw. */
export function refusalResponse(error: HubwardError): Response {
  return toResponse(refusalReply(error));
}

function toResponse({ status, headers, body }: HttpReply): Response {
  // An empty text would be announced as one: Content-Type: text/plain.
  return new Response(body === "" ? null : body, { status, headers });
}
