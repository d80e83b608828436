/** The claims of a token whose signature holds: who it names, for whom it is, and until when. */

import type { Authentication } from "../../core/auth/authentication.js";
import type { EpochMs } from "../../core/clock.js";
import { HubwardError } from "@hubward/wire";
import { assertAudience, freezeDeeply, readIdentifier, readInstant, type Claims } from "./claim-values.js";
import { refuseToken } from "./refuse-token.js";
import { ownMember } from "./strict-json.js";

export interface ClaimRules {
  readonly issuer: string;
  /** Whether `iss` may be missing, because who answers for these claims is known already (RFC 7662 2.2). Default false. */
  readonly mayOmitIssuer?: boolean | undefined;
  /** `any`: whoever answers for these claims has looked at the audience. */
  readonly audience: ReadonlySet<string> | "any";
  /** In place of `audience`, where it is defined. */
  readonly clientIds: ReadonlySet<string> | undefined;
  /** Accepted values by claim; undefined accepts any. */
  readonly requiredClaims: ReadonlyMap<string, ReadonlySet<string> | undefined>;
  readonly tenantClaim: string | undefined;
  readonly clockSkewMs: number;
  readonly maxTokenAgeMs: number | undefined;
  /** The expiry is this far away at most; a missing `exp` is then no fault. Default: `exp` alone decides. */
  readonly maxRemainingMs?: number | undefined;
}

/** A SHA-256 as unpadded base64url. */
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

/**
 * Turns verified claims into a frozen Authentication; `claims` itself is frozen deeply.
 * @throws HubwardError `invalid_token`; `token_expired` only when everything but the expiry holds.
 */
export function authenticateClaims(
  claims: Record<string, unknown>,
  keyId: string | undefined,
  rules: ClaimRules,
  now: EpochMs,
): Authentication {
  const isImplied = rules.mayOmitIssuer === true && !Object.hasOwn(claims, "iss");
  if (!isImplied && ownMember(claims, "iss") !== rules.issuer) throw refuseToken("the issuer is another");
  if (rules.clientIds !== undefined) assertClient(claims, rules.clientIds);
  else if (rules.audience !== "any") assertAudience(ownMember(claims, "aud"), rules.audience);
  for (const [name, accepted] of rules.requiredClaims) assertClaim(ownMember(claims, name), accepted);
  // RFC 8417 2.2: a security event or logout token says something about somebody; it is never a bearer's.
  if (Object.hasOwn(claims, "events")) throw refuseToken("this is a security event token");

  const latestExpiry = rules.maxRemainingMs === undefined ? Infinity : now + rules.maxRemainingMs;
  const endsAt = readInstant(claims, "exp");
  const expiresAt = Math.min(endsAt ?? latestExpiry, latestExpiry) as EpochMs;
  if (expiresAt === Infinity) throw refuseToken("the expiry is missing");
  const issuedAt = readInstant(claims, "iat");
  const notBefore = readInstant(claims, "nbf");
  const latestStart = now + rules.clockSkewMs;
  if (notBefore !== undefined && notBefore > latestStart) throw refuseToken("the token is not valid yet");
  if (issuedAt !== undefined && issuedAt > latestStart) throw refuseToken("the token was issued in the future");
  if (rules.maxTokenAgeMs !== undefined && !((endsAt ?? NaN) - (issuedAt ?? NaN) <= rules.maxTokenAgeMs)) {
    throw refuseToken("the token lives too long or does not say since when");
  }

  const subject = readIdentifier(claims, "sub");
  if (subject === undefined) throw refuseToken("the subject is missing");
  const tenant = rules.tenantClaim === undefined ? undefined : readIdentifier(claims, rules.tenantClaim);
  if (rules.tenantClaim !== undefined && tenant === undefined) throw refuseToken("the tenant is missing");
  const authentication: Authentication = {
    tenant,
    issuer: rules.issuer,
    subject,
    clientId: readIdentifier(claims, "client_id") ?? readIdentifier(claims, "azp"),
    sessionId: readIdentifier(claims, "sid"),
    tokenId: readIdentifier(claims, "jti"),
    keyId,
    keyThumbprint: readKeyThumbprint(claims),
    issuedAt,
    expiresAt,
    claims,
  };
  // Last of all: only a token that is good in every other way is worth telling its bearer to refresh.
  if (now >= expiresAt) throw new HubwardError("token_expired");
  freezeDeeply(claims);
  return Object.freeze(authentication);
}

/** RFC 7519 4.1.3: who is not named by an `aud` that is there must reject the token. */
function assertClient(claims: Claims, clientIds: ReadonlySet<string>): void {
  if (Object.hasOwn(claims, "aud")) throw refuseToken("the audience is another");
  const clientId = ownMember(claims, "client_id");
  if (typeof clientId !== "string" || !clientIds.has(clientId)) throw refuseToken("the client is another");
}

function assertClaim(value: unknown, accepted: ReadonlySet<string> | undefined): void {
  const holds = accepted === undefined ? value !== undefined : typeof value === "string" && accepted.has(value);
  if (!holds) throw refuseToken("a required claim is missing or another");
}

/** RFC 7800 3 and RFC 9449 6.1. Other ways to bind a token are not looked at. */
function readKeyThumbprint(claims: Claims): string | undefined {
  const confirmation = ownMember(claims, "cnf");
  if (confirmation === undefined) return undefined;
  if (typeof confirmation !== "object" || confirmation === null || Array.isArray(confirmation)) {
    throw refuseToken("the confirmation is no object");
  }
  const thumbprint = ownMember(confirmation as Claims, "jkt");
  if (thumbprint === undefined) return undefined;
  if (typeof thumbprint !== "string" || !THUMBPRINT.test(thumbprint)) throw refuseToken("jkt is no thumbprint");
  return thumbprint;
}
