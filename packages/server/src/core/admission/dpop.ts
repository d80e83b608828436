/**
 * The one place where a token that is bound to a key becomes somebody, right behind its verification: no door knows a
 * way round it. A bound token is worth nothing without a proof, an unbound one nothing with one (RFC 9449 7).
 */

import { HubwardError } from "@hubward/wire";
import type { Authentication } from "../auth/authentication.js";
import type { Authenticator, ForwardedAuthenticator } from "../auth/authenticator.js";
import type { BearerCredential } from "../auth/credential.js";
import type { DpopPolicy, DpopVerdict, DpopVerifier } from "../auth/dpop.js";
import { CredentialConflict } from "./forwarded.js";
import { DpopRefused } from "./refusal-reply.js";

const SEVERAL = "more than one DPoP header";
const AS_BEARER = "the token is bound to a key and came without a proof";
const NO_PROOF = "the proof is missing";
const NOT_BOUND = "the token is bound to no key";
const NOT_BY_GATEWAY = "no gateway sees what came this way";
const BY_GATEWAY = "the gateway's token is bound to a key";
const NO_REQUEST = "the request's method or address is not known";
const OTHER_KEY = "the token is bound to another key";

/** What is asked of who presents nothing: the schemes that are taken (RFC 9110 11.6.1). */
export function challengeOf(policy: DpopPolicy): string {
  if (policy === undefined || policy === "checked-upstream") return "Bearer";
  const challenge = `DPoP algs="${policy.algorithms.join(" ")}"`;
  return policy.isRequired ? challenge : `Bearer, ${challenge}`;
}

/** The authenticator, with the demand for proofs behind all that it verifies. */
export function demandProofs(authenticator: Authenticator, policy: DpopPolicy): Authenticator {
  const { issuer, forwarded } = authenticator;
  const verifier = policy === "checked-upstream" ? undefined : policy;
  /** One presentation is proved once, however often it is asked about. */
  const verdicts = new WeakMap<BearerCredential, Promise<DpopVerdict>>();

  function refuse(reason: DpopRefused["reason"], detail: string | undefined, cause?: unknown): DpopRefused {
    return new DpopRefused(reason, { algorithms: verifier?.algorithms, nonce: verifier?.nonce(), detail, cause });
  }

  async function prove(keyThumbprint: string, credential: BearerCredential, by: DpopVerifier): Promise<void> {
    const { dpop, token } = credential;
    if (dpop === undefined) throw refuse("invalid_token", AS_BEARER);
    const { proof, method, path } = dpop;
    if (proof === undefined) throw refuse("invalid_dpop_proof", NO_PROOF);
    if (method === undefined || path === undefined) throw refuse("invalid_dpop_proof", NO_REQUEST);
    let asked = verdicts.get(credential);
    if (asked === undefined) {
      asked = (async () => by.verify({ proof, method, path, accessToken: token, keyThumbprint }))();
      verdicts.set(credential, asked);
    }
    const verdict = await asked;
    if (verdict.kind === "unavailable") throw new HubwardError("auth_unavailable", { retryAfterSeconds: 1 });
    if (verdict.kind === "refused") throw refuse(verdict.error, verdict.why);
    if (verdict.keyThumbprint !== keyThumbprint) throw refuse("invalid_dpop_proof", OTHER_KEY);
  }

  async function assertHeld({ keyThumbprint }: Authentication, credential: BearerCredential): Promise<void> {
    if (keyThumbprint === undefined) {
      if (credential.dpop !== undefined || verifier?.isRequired === true) throw refuse("invalid_token", NOT_BOUND);
    } else if (policy === "checked-upstream") {
      if (credential.source !== "header") throw refuse("invalid_token", NOT_BY_GATEWAY);
    } else if (policy === undefined) {
      throw refuse("invalid_token", AS_BEARER);
    } else {
      await prove(keyThumbprint, credential, policy);
    }
  }

  async function authenticate(credential: BearerCredential): Promise<Authentication> {
    const { dpop } = credential;
    if (dpop?.proof !== undefined && /[\s,]/.test(dpop.proof.reveal())) throw new CredentialConflict(SEVERAL);
    const authentication = await verify(credential);
    const isPlain = authentication.keyThumbprint === undefined && dpop === undefined && verifier?.isRequired !== true;
    if (!isPlain) await assertHeld(authentication, credential);
    return authentication;
  }

  /** What is no good in this scheme is told in this scheme. */
  async function verify(credential: BearerCredential): Promise<Authentication> {
    try {
      return await authenticator.authenticate(credential);
    } catch (error) {
      if (credential.dpop === undefined || !(error instanceof HubwardError)) throw error;
      const { reason } = error;
      if ((reason !== "invalid_token" && reason !== "token_expired") || error instanceof DpopRefused) throw error;
      throw refuse(reason, error.detail, error);
    }
  }

  /** A gateway's own word proves no key. */
  async function authenticateForwarded(
    by: ForwardedAuthenticator,
    headers: Parameters<ForwardedAuthenticator["authenticate"]>[0],
  ): Promise<Authentication> {
    const authentication = await by.authenticate(headers);
    if (authentication.keyThumbprint !== undefined && policy !== "checked-upstream")
      throw refuse("invalid_token", BY_GATEWAY);
    return authentication;
  }

  return {
    issuer,
    authenticate,
    forwarded: forwarded && {
      headers: forwarded.headers,
      trustedOnly: forwarded.trustedOnly,
      bearer: forwarded.bearer,
      authenticate: (headers) => authenticateForwarded(forwarded, headers),
    },
  };
}
