/** The same credential and the same policies for ordinary HTTP routes. */

import { HubwardError } from "@hubward/wire";
import type { Admitter } from "../core/admission/admission.js";
import { MissingCredential } from "../core/admission/refusal-reply.js";
import type { Admission, Policy, PolicyFailure, Requirement } from "../core/auth/policy.js";
import { isTicket } from "../core/auth/tickets.js";
import { Secret } from "../core/auth/secret.js";

/** Anything with headers: node:http's IncomingMessage, a web Request, a framework's request. */
export interface RequestWithHeaders {
  readonly headers: { get(name: string): string | null } | { readonly authorization?: string | undefined };
}

export interface HttpAuthentication<P> {
  /**
   * Who asks, by `Authorization: Bearer`. Cookies, queries and tickets are no credential here.
   * @throws HubwardError invalid_token | token_expired | forbidden | auth_unavailable; `refusalReply` answers it
   */
  authenticate(request: RequestWithHeaders): Promise<Admission<P>>;
  /** Who asks, if the policy allows it. @throws HubwardError as `authenticate`, and forbidden */
  authorize(request: RequestWithHeaders, policy: Policy<P>): Promise<Admission<P>>;
  authorize<R>(request: RequestWithHeaders, policy: Policy<P, R>, resource: NoInfer<R>): Promise<Admission<P>>;
  /** Asks one more policy about who was let in already. @throws HubwardError forbidden | auth_unavailable */
  require(admission: Admission<P>, policy: Policy<P>): Promise<void>;
  require<R>(admission: Admission<P>, policy: Policy<P, R>, resource: NoInfer<R>): Promise<void>;
  /** Tells telemetry that a route's own code failed. */
  failed(where: string, error: unknown): void;
}

/** One b64token (RFC 6750 2.1); the scheme's case is free. */
const BEARER_PATTERN = /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;

/** The bearer token of a header's value, or undefined when it holds another scheme or nothing. */
export function readBearer(authorization: string | null | undefined): Secret | undefined {
  const token = BEARER_PATTERN.exec(authorization ?? "")?.[1];
  return token === undefined ? undefined : new Secret(token);
}

export function createHttpAuthentication<P>(admitter: Admitter<P>, onFailure: PolicyFailure): HttpAuthentication<P> {
  async function authenticate({ headers }: RequestWithHeaders): Promise<Admission<P>> {
    const value = isFetchHeaders(headers) ? headers.get("authorization") : headers.authorization;
    const token = readBearer(value);
    if (token === undefined) throw new MissingCredential();
    if (isTicket(token)) throw new HubwardError("invalid_token");
    const authentication = await admitter.authenticate({ kind: "bearer", token, source: "header" });
    return admitter.identify(authentication);
  }

  function requireOf(admission: Admission<P>, policy: Policy<P, never>, resource?: unknown): Promise<void> {
    const requirement: Requirement<P> = { policy, resource: () => resource };
    return admitter.authorize(admission, [requirement], []);
  }

  return {
    authenticate,
    async authorize(request: RequestWithHeaders, policy: Policy<P, never>, resource?: unknown) {
      const admission = await authenticate(request);
      await requireOf(admission, policy, resource);
      return admission;
    },
    require: requireOf,
    failed: onFailure,
  };
}

function isFetchHeaders(headers: RequestWithHeaders["headers"]): headers is { get(name: string): string | null } {
  return "get" in headers && typeof headers.get === "function";
}
