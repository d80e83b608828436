/**
 * The recipe: Hubward's policies as a decorator of NestJS, who was let in as a parameter of a handler, and the filter
 * that answers refusals. For Nest on Express; on Fastify the filter's last line is Fastify's.
 */

import {
  Catch,
  createParamDecorator,
  UseGuards,
  type ArgumentsHost,
  type ExceptionFilter,
  type ExecutionContext,
} from "@nestjs/common";
import { HubwardError, refusalReply, type Admission, type App, type Policy } from "@hubward/server";
import type { Request, Response } from "express";
import { app } from "../ward.mjs";

export type Staff = typeof app extends App<infer P> ? P : never;

const admissions = new WeakMap<Request, Admission<Staff>>();

/** `@RequirePolicy(staff)` on a controller or a handler; with a resource, `@RequirePolicy(ownWard, ({ params }) => …)`. */
export function RequirePolicy(policy: Policy<Staff>): ClassDecorator & MethodDecorator;
export function RequirePolicy<R>(
  policy: Policy<Staff, R>,
  resource: (request: Request<Record<string, string>>) => NoInfer<R>,
): ClassDecorator & MethodDecorator;
export function RequirePolicy(
  policy: Policy<Staff, never>,
  resource?: (request: Request<Record<string, string>>) => unknown,
): ClassDecorator & MethodDecorator {
  return UseGuards({
    async canActivate(context: ExecutionContext): Promise<boolean> {
      const request = context.switchToHttp().getRequest<Request<Record<string, string>>>();
      const admission = await app.http.authenticate(request);
      await app.http.require(admission, policy as Policy<Staff, unknown>, resource?.(request));
      admissions.set(request, admission);
      return true;
    },
  });
}

/** `handler(@Caller() caller: Admission<Staff>)`: who was let in. */
export const Caller = createParamDecorator((_data: unknown, context: ExecutionContext): Admission<Staff> => {
  const admission = admissions.get(context.switchToHttp().getRequest<Request>());
  if (admission === undefined) throw new TypeError("@Caller(): no @RequirePolicy guards this handler");
  return admission;
});

/** Answers what a guard, or `app.http.require` in a handler, refused: 401, 403 or 503 with the reason. */
@Catch(HubwardError)
export class RefusalFilter implements ExceptionFilter<HubwardError> {
  catch(error: HubwardError, host: ArgumentsHost): void {
    const { status, headers, body } = refusalReply(error);
    host.switchToHttp().getResponse<Response>().status(status).set(headers).end(body);
  }
}
