/** From a bearer credential to someone who may connect: verify, map to a principal, ask the hub's policies. */

import { HubwardError } from "@hubward/wire";
import type { Authentication } from "../auth/authentication.js";
import type { Authenticator } from "../auth/authenticator.js";
import type { BearerCredential, Credential, ForwardedCredential } from "../auth/credential.js";
import type { RevocationCheck } from "../auth/revocation-gate.js";
import { judge, type Admission, type PolicyContext, type PolicyFailure, type Requirement } from "../auth/policy.js";
import { createPrincipal, type Principal, type PrincipalMapping } from "../auth/principal.js";
import type { DpopPolicy } from "../auth/dpop.js";
import type { Clock } from "../clock.js";
import type { Deadline } from "../deadline.js";
import type { HttpRequest } from "../http.js";
import type { ConnectionId } from "../ids.js";
import { challengeOf, demandProofs } from "./dpop.js";
import { authenticateCredential, authenticateForwarded } from "./forwarded.js";

export interface Admitter<P> {
  /** What is asked of who presents nothing: a `WWW-Authenticate`. */
  readonly challenge: string;
  /**
   * @throws HubwardError invalid_token | token_expired | invalid_dpop_proof | use_dpop_nonce | auth_unavailable |
   * invalid_request, and RevokedCredential for one that verifies and was revoked
   */
  authenticate(credential: Credential): Promise<Authentication>;
  /** What a gateway says of the one who shows a ticket. @throws HubwardError as `authenticate` */
  authenticateForwarded(headers: ForwardedCredential["headers"]): Promise<Authentication>;
  /**
   * @throws HubwardError forbidden | auth_unavailable | what the application's mapping or `principalId` threw | a
   * revocation's reason, which may have come while the mapping was asked
   */
  identify(authentication: Authentication): Promise<Admission<P>>;
  /** How often the mapping was asked so far: `askedAt` of the admission asked for last. */
  readonly asked: number;
  /** @throws HubwardError forbidden | auth_unavailable | a revocation's reason, as `identify` */
  authorize(admission: Admission<P>, requirements: readonly Requirement<P>[], args: readonly unknown[]): Promise<void>;
  /** Why what was verified before, and has waited since, may not go on now; undefined when it may. */
  refusal(authentication: Authentication, connectionId?: ConnectionId): HubwardError | undefined;
}

/**
 * What sends address a principal by, as .NET's IUserIdProvider: a text of at least one character. Several principals
 * of one tenant and issuer may share it and are then addressed together. Who somebody is remains the subject.
 */
export type PrincipalIdProvider<P> = (context: PolicyContext<P>) => string;

export interface AdmitterPorts<Attributes extends object> {
  readonly authenticator: Authenticator;
  /** Default: nobody checks proofs, so tokens that need one are refused. */
  readonly dpop?: DpopPolicy;
  readonly mapping: PrincipalMapping<Attributes>;
  /** Default: the subject. */
  readonly principalId?: PrincipalIdProvider<Principal<Attributes>> | undefined;
  readonly revocations: RevocationCheck;
  readonly onFailure: PolicyFailure;
  /** How long the authenticator, the mapping and each policy may take. */
  readonly deadline: Deadline;
}

export function createAdmitter<Attributes extends object>({
  authenticator: verifying,
  dpop,
  mapping,
  principalId = ({ principal }) => principal.subject,
  revocations,
  onFailure,
  deadline,
}: AdmitterPorts<Attributes>): Admitter<Principal<Attributes>> {
  const authenticator = demandProofs(verifying, dpop);
  const watch = { failed: onFailure, deadline };
  let asked = 0;

  /** What is neither the catalogue's word nor a plain no counts as "nobody can say yes". */
  function unavailable(where: string, error: unknown): HubwardError {
    if (error instanceof HubwardError) return error;
    onFailure(where, error);
    return new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause: error });
  }

  async function authenticated(ask: () => Authentication | Promise<Authentication>): Promise<Authentication> {
    let authentication: Authentication;
    try {
      // Connections are found by what it says: nobody may change that behind our back.
      authentication = Object.freeze(await deadline(ask()));
    } catch (error) {
      throw unavailable("authenticator", error);
    }
    revocations.assertWelcome(authentication);
    return authentication;
  }

  /** The last word, as what was asked before may have taken its time. */
  function assertStands(authentication: Authentication): void {
    const refusal = revocations.refusal(authentication);
    if (refusal !== undefined) throw refusal;
  }

  /** Without one nobody could reach this principal, and with a wrong one somebody else would be reached. */
  function idOf(context: PolicyContext<Principal<Attributes>>): string {
    try {
      const id: unknown = principalId(context);
      // Its failure would be nobody's to hear, and so the end of the process.
      if (id instanceof Promise) id.catch(() => undefined);
      if (typeof id !== "string" || id === "") throw new TypeError("principalId: a text of at least one character");
      return id;
    } catch (error) {
      throw unavailable("principalId", error);
    }
  }

  return {
    challenge: challengeOf(dpop),
    authenticate: (credential) => authenticated(() => authenticateCredential(authenticator, credential)),
    authenticateForwarded: (headers) => authenticated(() => authenticateForwarded(authenticator, headers)),
    async identify(authentication) {
      const askedAt = ++asked;
      try {
        const attributes = await deadline(mapping(authentication));
        if (attributes === null) throw new HubwardError("forbidden");
        const principal = createPrincipal(authentication, attributes);
        const principalId = idOf({ authentication, principal });
        assertStands(authentication);
        return Object.freeze({ authentication, principal, principalId, askedAt });
      } catch (error) {
        throw unavailable("principal", error);
      }
    },
    async authorize(admission, requirements, args) {
      const refusal = await judge(requirements, admission, args, watch);
      if (refusal !== undefined) throw refusal;
      assertStands(admission.authentication);
    },
    refusal: (authentication, connectionId) => revocations.refusal(authentication, connectionId),
    get asked() {
      return asked;
    },
  };
}

/**
 * The one bearer a request presents. @throws HubwardError invalid_request when two differ, be it in their scheme (RFC
 * 6750 2: one way per request).
 */
export function bearerOf({ bearers }: HttpRequest): BearerCredential | undefined {
  const first = bearers[0];
  for (const { token, dpop } of bearers) {
    // All came from the same peer: there is nobody to time.
    const isSame = token.reveal() === first?.token.reveal() && (dpop === undefined) === (first.dpop === undefined);
    if (!isSame) throw new HubwardError("invalid_request");
  }
  return first;
}

/** Life a token must still have to be worth a connection. Milliseconds. */
const MIN_REMAINING_MS = 10_000;

/** Refuses a credential about to end, which would only connect to be closed again. @throws HubwardError token_expired */
export function assertWorthConnecting({ issuedAt, expiresAt }: Authentication, clock: Pick<Clock, "now">): void {
  const lifetimeMs = issuedAt === undefined ? Infinity : Math.max(0, expiresAt - issuedAt);
  if (expiresAt - clock.now() < Math.min(MIN_REMAINING_MS, lifetimeMs / 5)) throw new HubwardError("token_expired");
}
