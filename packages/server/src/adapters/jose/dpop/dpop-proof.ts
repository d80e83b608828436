/** Whether somebody holds the key a token is bound to: the proof of RFC 9449, apart from HTTP. */

import { HubwardError } from "@hubward/wire";
import type { DpopVerdict } from "../../../core/auth/dpop.js";
import type { Clock } from "../../../core/clock.js";
import { systemClock } from "../../../platform/system-clock.js";
import type { Algorithm } from "../algorithms.js";
import { readIdentifier, readInstant, type Claims } from "../claim-values.js";
import { refuseToken } from "../refuse-token.js";
import { readClaims } from "../signed-token.js";
import { ownMember, parseStrictObject } from "../strict-json.js";
import { createTokenReader, type HeaderRules } from "../token-header.js";
import { hashToken } from "../token-hash.js";
import type { DpopNonces } from "./dpop-nonces.js";
import type { DpopReplays } from "./dpop-replays.js";
import { readProofKey, type ProofKey } from "./proof-key.js";
import { normalizeTargetUri } from "./target-uri.js";

export interface DpopProofInput {
  /** The one `DPoP` header of the request. Two of them are a request to refuse before. */
  readonly proof: string;
  /** The request's method as it stood in the request. Compared with regard to case. */
  readonly method: string;
  /**
   * The request's address as the client knows it: from configuration, never from a `Host` header. Several where it is
   * known by several, any of which will do.
   */
  readonly url: string | readonly string[];
  /** The access token beside the proof: its hash must be in it. Left out where there is none, at a token endpoint. */
  readonly accessToken?: string | undefined;
  /** The token's own `cnf.jkt` (`Authentication.keyThumbprint`): the proof's key must be that one. */
  readonly keyThumbprint?: string | undefined;
  /** Where proofs must hold a nonce of ours. */
  readonly nonces?: Pick<DpopNonces, "accepts"> | undefined;
  /** Where proofs are used up. Only one that is good in every other way is. */
  readonly replays: DpopReplays;
  /** Default ES256, EdDSA and RS256; HS256 is refused. */
  readonly algorithms?: readonly Exclude<Algorithm, "HS256">[] | undefined;
  /** Default: the system's. */
  readonly clock?: Pick<Clock, "now"> | undefined;
}

/** Of proofs, where nothing else is said: all that are supported. */
export const dpopAlgorithms = ["ES256", "EdDSA", "RS256"] as const;
const MAX_PROOF_LENGTH = 8192;
/** How old a proof may be, and how far the client's clock may run ahead. Milliseconds. */
const MAX_AGE_MS = 60_000;
const MAX_AHEAD_MS = 5000;

/**
 * Verifies one proof (RFC 9449 4.3): type, asymmetric algorithm, signature by the public key it brings, method,
 * address without query and fragment, time (60 s old at most, 5 s ahead at most), access token, nonce; and that it is
 * used for the first time.
 * @throws TypeError (rejects) when `url` is no absolute http or https address, RangeError for an algorithm that could
 * not be safe; never for anything in the proof
 */
export async function verifyDpopProof(input: DpopProofInput): Promise<DpopVerdict> {
  const { algorithms = dpopAlgorithms, clock = systemClock } = input;
  const targetUris = [input.url].flat().map(normalizeTargetUri);
  if (targetUris.length === 0 || targetUris.includes(undefined))
    throw new TypeError("verifyDpopProof.url: an absolute http or https address");
  if (!algorithms.every((name) => (dpopAlgorithms as readonly string[]).includes(name))) {
    throw new RangeError("verifyDpopProof.algorithms: only ES256, EdDSA and RS256 are supported");
  }
  try {
    const header = { algorithms: new Set(algorithms), types: new Set(["dpop+jwt"]), allowMissingType: false };
    const { claims, key } = verifySignature(input.proof, header);
    const { tokenId, targetUri, forMs } = assertClaims(claims, input, targetUris, clock.now());
    if (input.keyThumbprint !== undefined && input.keyThumbprint !== key.thumbprint) {
      throw refuseToken("the token is bound to another key");
    }
    const nonce = ownMember(claims, "nonce");
    if (input.nonces !== undefined && !(typeof nonce === "string" && input.nonces.accepts(nonce))) {
      return { kind: "refused", error: "use_dpop_nonce", why: "the nonce is missing or too old" };
    }
    // Last of all: only a proof that is good in every other way is worth remembering.
    const use = await input.replays.spend({ keyThumbprint: key.thumbprint, targetUri, tokenId }, forMs);
    if (use === "unavailable") return { kind: "unavailable" };
    if (use === "again") throw refuseToken("the proof was used before");
    return { kind: "accepted", keyThumbprint: key.thumbprint };
  } catch (error) {
    if (!(error instanceof HubwardError)) throw error;
    const why = error.cause instanceof Error ? error.cause.message : "the proof is malformed";
    return { kind: "refused", error: "invalid_dpop_proof", why };
  }
}

function verifySignature(proof: string, rules: HeaderRules): { readonly claims: Claims; readonly key: ProofKey } {
  if (typeof proof !== "string" || proof.length > MAX_PROOF_LENGTH) throw refuseToken("the proof is too long");
  // A reader of its own: what strangers write into headers is not worth remembering.
  const parts = createTokenReader(rules)(proof);
  const header = parseStrictObject(Buffer.from(proof.slice(0, proof.indexOf(".")), "base64url"));
  const key = readProofKey(header === undefined ? undefined : ownMember(header, "jwk"), parts.header.algorithm);
  return { claims: readClaims(parts, key.key), key };
}

/** All but the nonce, and for how long the proof would still be accepted. */
function assertClaims(
  claims: Claims,
  { method, accessToken }: DpopProofInput,
  targetUris: readonly (string | undefined)[],
  now: number,
): { readonly tokenId: string; readonly targetUri: string; readonly forMs: number } {
  const tokenId = readIdentifier(claims, "jti");
  if (tokenId === undefined) throw refuseToken("the proof's id is missing");
  if (ownMember(claims, "htm") !== method) throw refuseToken("the method is another");
  const claimedUri = ownMember(claims, "htu");
  const targetUri = typeof claimedUri === "string" ? normalizeTargetUri(claimedUri) : undefined;
  if (targetUri === undefined || !targetUris.includes(targetUri)) {
    throw refuseToken("the address is another");
  }
  const issuedAt = readInstant(claims, "iat");
  if (issuedAt === undefined) throw refuseToken("the proof does not say since when");
  if (issuedAt > now + MAX_AHEAD_MS) throw refuseToken("the proof was made in the future");
  if (now - issuedAt > MAX_AGE_MS) throw refuseToken("the proof is too old");
  if (accessToken !== undefined && ownMember(claims, "ath") !== hashToken(accessToken)) {
    throw refuseToken("the proof is for another token");
  }
  return { tokenId, targetUri, forMs: issuedAt + MAX_AGE_MS - now + 1 };
}
