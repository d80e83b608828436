/**
 * A credential that a gateway forwards, and what stands beside it: one request names one identity, however many
 * vouch for it.
 */

import { HubwardError } from "@hubward/wire";
import { sameIdentity, type Identity } from "../ids.js";
import type { Authentication } from "../auth/authentication.js";
import type { Authenticator } from "../auth/authenticator.js";
import type {
  BearerCredential,
  Credential,
  ForwardedCredential,
  ForwardedHeaders,
  UnbelievableHeaders,
} from "../auth/credential.js";
import { MissingCredential } from "./refusal-reply.js";

/** What a request presented does not fit together (RFC 6750 2: one way per request). `detail` says what, in constants. */
export class CredentialConflict extends HubwardError {
  constructor(detail: string) {
    super("invalid_request", { detail });
  }
}

const UNBELIEVABLE: Readonly<Record<UnbelievableHeaders["why"], string>> = {
  untrusted: "identity headers from an address that is no trusted proxy",
  duplicate: "an identity header stands there more than once",
  overflow: "more headers than the server reads stand beside the identity headers: one of them may be missing",
};

const NO_GATEWAY = "a bearer without the gateway's identity headers, which are required here";
const NO_BEARER = "the gateway's identity headers without a bearer, which is required here";

/** What a gateway said, where it may be believed. @throws CredentialConflict */
export function believe(forwarded: ForwardedHeaders | undefined): ForwardedCredential["headers"] | undefined {
  if (forwarded?.kind === "unbelievable") throw new CredentialConflict(UNBELIEVABLE[forwarded.why]);
  return forwarded?.headers;
}

/** The request's credential: its bearer, what a gateway forwarded, or both. @throws CredentialConflict */
export function joinCredentials(
  bearer: BearerCredential | undefined,
  forwarded: ForwardedHeaders | undefined,
): Credential | undefined {
  const headers = believe(forwarded);
  return headers === undefined ? bearer : { kind: "forwarded", headers, bearer };
}

/** @throws CredentialConflict when two that vouch for one request name two identities */
export function assertSameIdentity(one: Identity, other: Identity): void {
  if (!sameIdentity(one, other)) throw new CredentialConflict("the bearer and the gateway name different identities");
}

/** @throws (or rejects with) what {@link Authenticator.authenticate} does, and invalid_request */
export function authenticateCredential(
  authenticator: Authenticator,
  credential: Credential,
): Authentication | Promise<Authentication> {
  const { forwarded } = authenticator;
  if (credential.kind === "bearer") {
    if (forwarded !== undefined && forwarded.bearer !== "optional") throw new MissingCredential(NO_GATEWAY);
    return authenticator.authenticate(credential);
  }
  const { bearer, headers } = credential;
  if (bearer !== undefined) return authenticateBoth(authenticator, bearer, headers);
  if (forwarded?.bearer === "required") throw new MissingCredential(NO_BEARER);
  return authenticateForwarded(authenticator, headers);
}

/** The gateway's word alone. @throws (or rejects with) what {@link Authenticator.authenticate} does */
export function authenticateForwarded(
  { forwarded }: Authenticator,
  headers: ForwardedCredential["headers"],
): Authentication | Promise<Authentication> {
  if (forwarded === undefined) throw new TypeError("headers were forwarded to an authenticator that reads none");
  return forwarded.authenticate(headers);
}

/** The bearer's own claims count; the sooner of the two ends is the end. */
async function authenticateBoth(
  authenticator: Authenticator,
  bearer: BearerCredential,
  headers: ForwardedCredential["headers"],
): Promise<Authentication> {
  if (authenticator.forwarded?.bearer === "refused") {
    throw new CredentialConflict("a bearer stands beside the gateway's identity, and nothing here verifies it");
  }
  // Each in a promise of its own, begun before either can throw: a rejection nobody hears would end the process.
  const [own, edge] = await Promise.all([
    (async () => authenticator.authenticate(bearer))(),
    (async () => authenticateForwarded(authenticator, headers))(),
  ]);
  assertSameIdentity(own, edge);
  return own.expiresAt <= edge.expiresAt ? own : Object.freeze({ ...own, expiresAt: edge.expiresAt });
}
