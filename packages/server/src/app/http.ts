/** The same credential and the same policies for ordinary HTTP routes. */

import { HubwardError } from "@hubward/wire";
import type { Admitter } from "../core/admission/admission.js";
import { cookieOfRoute } from "../core/admission/cookie.js";
import { assertMayTry } from "../core/admission/failed-credential.js";
import { joinCredentials } from "../core/admission/forwarded.js";
import { judgeAmbientOrigin } from "../core/admission/origin.js";
import { MissingCredential, refusalReply } from "../core/admission/refusal-reply.js";
import { refuseRequest, type Applicant, type RefusalPorts } from "../core/admission/refused-attempt.js";
import type { Admission, Policy, PolicyFailure, Requirement } from "../core/auth/policy.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import type { BearerCredential, Credential, ForwardedHeaders } from "../core/auth/credential.js";
import { readCookie } from "../core/auth/cookie-header.js";
import type { CookieRule } from "../core/auth/cookie-options.js";
import { isTicket } from "../core/auth/tickets.js";
import { Secret } from "../core/auth/secret.js";
import type { HttpReply } from "../core/http.js";

/** Anything with headers: node:http's IncomingMessage, a web Request, a framework's request. */
export interface RequestWithHeaders {
  readonly headers: { get(name: string): string | null } | { readonly [Name in ReadHeader]?: string | undefined };
  /** Without one, a cookie counts as it does for a POST. */
  readonly method?: string | undefined;
  /** With a query, relative or not: its path alone is read, by which a DPoP proof names the request. */
  readonly url?: string | undefined;
  /** The same, before a framework took a prefix off. */
  readonly originalUrl?: string | undefined;
  /**
   * Who the client is, where whoever asks knows it: an IP address, not a proxy's. Told with a refusal, and credentials
   * that fail count for it as at a hub (`limits.authentication`). Default: nobody is counted.
   */
  readonly remoteAddress?: string | undefined;
}

type ReadHeader = "authorization" | "dpop" | "cookie" | "host" | "origin" | FetchMetadata;

/** What browsers say of a request's context (W3C Fetch Metadata). */
type FetchMetadata = `sec-fetch-${"site" | "mode" | "dest"}`;

/**
 * Every refusal is told to telemetry and the audit, as `request.refused`. What is decided holds for that moment: a body
 * takes as long as its sender likes, so a route reads it first, and asks then.
 */
export interface HttpAuthentication<P> {
  /**
   * Who asks, by `Authorization: Bearer`, or `DPoP` with its proof; queries and tickets are no credential here. The application's `cookie` is
   * one where no bearer stands: from pages of this origin, or for a GET that a person navigates to. What a gateway
   * forwarded counts where the request, or at least its `headers`, is the one that an attached server received. A
   * browser may have sent that for any page, so an Origin must then be one of `allowedOrigins`; without one,
   * `Sec-Fetch-Site` must be `same-origin` or `none`, or the request a navigation. A browser that sends neither (an old
   * one, or one over plain HTTP) is let through as a client that is no browser: no route may change anything by GET.
   * @throws HubwardError invalid_token | token_expired | invalid_dpop_proof | use_dpop_nonce | forbidden |
   * auth_unavailable | invalid_request | origin_denied | rate_limited; `refusalReply` answers it
   */
  authenticate(request: RequestWithHeaders): Promise<Admission<P>>;
  /** Who asks, if the policy allows it. @throws HubwardError as `authenticate`, and forbidden */
  authorize(request: RequestWithHeaders, policy: Policy<P>): Promise<Admission<P>>;
  authorize<R>(request: RequestWithHeaders, policy: Policy<P, R>, resource: NoInfer<R>): Promise<Admission<P>>;
  /**
   * Asks one more policy about who was let in already, and whether that was revoked since.
   * @throws HubwardError forbidden | auth_unavailable | a revocation's reason
   */
  require(admission: Admission<P>, policy: Policy<P>): Promise<void>;
  require<R>(admission: Admission<P>, policy: Policy<P, R>, resource: NoInfer<R>): Promise<void>;
  /** Tells telemetry that a route's own code failed. */
  failed(where: string, error: unknown): void;
}

/** Where the policies of a route's guard come from. */
export interface GuardingApp<P> {
  readonly http: HttpAuthentication<P>;
}

/** What a route's guard found: who may go on, or what to answer instead. */
export type GuardDecision<P> =
  | { readonly isAllowed: true; readonly admission: Admission<P> }
  | { readonly isAllowed: false; readonly reply: HttpReply };

/**
 * Decides about one request, for the guards of all frameworks; never rejects. The resource is read only for who is
 * known already: nobody else's request is looked into that far. One that cannot be read is a 400.
 */
export async function decideRequest<P>(
  { http }: GuardingApp<P>,
  request: RequestWithHeaders,
  policy: Policy<P, never>,
  readResource: (() => unknown) | undefined,
): Promise<GuardDecision<P>> {
  try {
    const admission = await http.authenticate(request);
    await http.require(admission, policy as Policy<P, unknown>, readOrRefuse(readResource));
    return { isAllowed: true, admission };
  } catch (error) {
    return { isAllowed: false, reply: replyToFailure(http, "route guard", error) };
  }
}

/** The answer to what a route threw. What is not the catalogue's is told to telemetry, and to the peer a bare 500. */
export function replyToFailure(
  http: Pick<HttpAuthentication<never>, "failed">,
  where: string,
  error: unknown,
): HttpReply {
  if (error instanceof HubwardError) return refusalReply(error);
  http.failed(where, error);
  return refusalReply(new HubwardError("internal_error"));
}

function readOrRefuse(readResource: (() => unknown) | undefined): unknown {
  try {
    return readResource?.();
  } catch (cause) {
    throw cause instanceof HubwardError ? cause : new HubwardError("invalid_request", { cause });
  }
}

/** One b64token (RFC 6750 2.1) or token68 (RFC 9449 7.1), which are the same; the scheme's case is free. */
const BEARER_PATTERN = /^(Bearer|DPoP) +([A-Za-z0-9\-._~+/]+=*) *$/i;

/**
 * The token of a header's value, or undefined when it holds another scheme or nothing.
 * @param readProof the value of the `DPoP` header beside it, asked for in that scheme alone
 */
export function readBearer(
  authorization: string | null | undefined,
  { method, url, originalUrl }: Omit<RequestWithHeaders, "headers">,
  readProof: () => Secret | undefined,
): BearerCredential | undefined {
  const [, scheme, token] = BEARER_PATTERN.exec(authorization ?? "") ?? [];
  if (token === undefined) return undefined;
  const bearer = { kind: "bearer", token: new Secret(token), source: "header" } as const;
  if (scheme?.toLowerCase() !== "dpop") return bearer;
  return { ...bearer, dpop: { proof: readProof(), method, path: rawPathOf(originalUrl ?? url) } };
}

/** The path of a request's URL as it stands there, or undefined when it has none. */
export function rawPathOf(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  const end = url.indexOf("?");
  // A proxy's way of asking names the whole URL (RFC 9112 3.2.2), and so does a web Request.
  const raw = (end === -1 ? url : url.slice(0, end)).replace(/^https?:\/\/[^/]*/i, "");
  return raw.startsWith("/") ? raw : undefined;
}

/** Whether a header's value is meant to be a bearer token of either scheme, readable or not. */
export function saysBearer(authorization: string | null | undefined): boolean {
  return /^\s*(?:bearer|dpop)\b/i.test(authorization ?? "");
}

export interface HttpAuthenticationPorts<P> extends RefusalPorts {
  readonly admitter: Admitter<P>;
  readonly onFailure: PolicyFailure;
  /** What adapters cut out of requests, by the requests' own `headers`. */
  readonly forwarded: Pick<WeakMap<object, ForwardedHeaders>, "get">;
  readonly allowedOrigins: ReadonlySet<string>;
  readonly cookie: CookieRule | undefined;
}

export function createHttpAuthentication<P extends PrincipalBase>(
  ports: HttpAuthenticationPorts<P>,
): HttpAuthentication<P> {
  const { admitter, onFailure, forwarded, allowedOrigins, cookie: rule } = ports;
  /** Where who was let in came from, for what is refused later. */
  const addresses = new WeakMap<Admission<P>, string>();

  /** The cookie, where nothing else says who asks. */
  function readRouteCookie({ headers, method }: RequestWithHeaders): BearerCredential | undefined {
    if (rule === undefined || forwarded.get(headers) !== undefined) return undefined;
    if (saysBearer(headerOf(headers, "authorization"))) return undefined;
    const header = (name: string): string | undefined => headerOf(headers, name as "cookie") ?? undefined;
    return cookieOfRoute(readCookie(header("cookie") ?? "", rule.name), rule, { method, header }, allowedOrigins);
  }

  /** @throws HubwardError where nothing was presented, or what may not stand there */
  function credentialOf(request: RequestWithHeaders): Credential {
    const { headers } = request;
    const bearer = readBearer(headerOf(headers, "authorization"), request, () => {
      const proof = headerOf(headers, "dpop") ?? undefined;
      return proof === undefined ? undefined : new Secret(proof);
    });
    if (bearer !== undefined && isTicket(bearer.token)) throw new HubwardError("invalid_token");
    const credential = joinCredentials(bearer, forwarded.get(headers)) ?? readRouteCookie(request);
    if (credential === undefined) throw new MissingCredential(undefined, admitter.challenge);
    // A gateway knows people by cookies, which a browser sends along for any page.
    const isAmbient = credential.kind === "forwarded";
    const refusal = isAmbient ? judgeAmbientOrigin((name) => headerOf(headers, name), allowedOrigins) : undefined;
    if (refusal !== undefined) throw refusal;
    return credential;
  }

  async function authenticate(request: RequestWithHeaders): Promise<Admission<P>> {
    const { remoteAddress } = request;
    const applicant: Applicant = { authentication: undefined, roles: [] };
    try {
      const credential = credentialOf(request);
      assertMayTry({ remoteAddress }, ports.failed.tokens);
      applicant.authentication = await admitter.authenticate(credential);
      const admission = await admitter.identify(applicant.authentication);
      if (remoteAddress !== undefined) addresses.set(admission, remoteAddress);
      return admission;
    } catch (error) {
      if (error instanceof HubwardError) refuseRequest({ remoteAddress }, ports, error, applicant);
      throw error;
    }
  }

  async function requireOf(admission: Admission<P>, policy: Policy<P, never>, resource?: unknown): Promise<void> {
    const requirement: Requirement<P> = { policy, resource: () => resource };
    try {
      await admitter.authorize(admission, [requirement], []);
    } catch (error) {
      const { authentication, principal } = admission;
      const asker = { remoteAddress: addresses.get(admission) };
      if (error instanceof HubwardError) refuseRequest(asker, ports, error, { authentication, roles: principal.roles });
      throw error;
    }
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

function headerOf(headers: RequestWithHeaders["headers"], name: ReadHeader): string | null | undefined {
  return isFetchHeaders(headers) ? headers.get(name) : headers[name];
}

function isFetchHeaders(headers: RequestWithHeaders["headers"]): headers is { get(name: string): string | null } {
  return "get" in headers && typeof headers.get === "function";
}
