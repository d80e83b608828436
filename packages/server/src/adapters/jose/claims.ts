/** The claims of a token whose signature holds: who it names, for whom it is, and until when. */

import type { Authentication } from "../../core/auth/authentication.js";
import type { EpochMs } from "../../core/clock.js";
import { HubwardError } from "@hubward/wire";
import { refuseToken } from "./refuse-token.js";
import { ownMember } from "./strict-json.js";

export interface ClaimRules {
  readonly issuer: string;
  readonly audience: ReadonlySet<string>;
  /** In place of `audience`, where it is defined. */
  readonly clientIds: ReadonlySet<string> | undefined;
  /** Accepted values by claim; undefined accepts any. */
  readonly requiredClaims: ReadonlyMap<string, ReadonlySet<string> | undefined>;
  readonly tenantClaim: string | undefined;
  readonly clockSkewMs: number;
  readonly maxTokenAgeMs: number | undefined;
}

type Claims = Readonly<Record<string, unknown>>;

/** Longest identifier taken from a claim, in UTF-16 code units. */
const MAX_IDENTIFIER_LENGTH = 512;
/** The last instant a Date can hold (ECMA-262 21.4.1.1). */
const MAX_EPOCH_MS = 8.64e15;
/** Control characters forge log lines; two lone surrogates become the same bytes in every store. */
const UNFIT_FOR_IDENTIFIERS = /[\p{Cc}\p{Cs}]/u;

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
  if (ownMember(claims, "iss") !== rules.issuer) throw refuseToken("the issuer is another");
  if (rules.clientIds === undefined) assertAudience(ownMember(claims, "aud"), rules.audience);
  else assertClient(claims, rules.clientIds);
  for (const [name, accepted] of rules.requiredClaims) assertClaim(ownMember(claims, name), accepted);
  // RFC 8417 2.2: a security event or logout token says something about somebody; it is never a bearer's.
  if (Object.hasOwn(claims, "events")) throw refuseToken("this is a security event token");

  const expiresAt = readInstant(claims, "exp");
  if (expiresAt === undefined) throw refuseToken("the expiry is missing");
  const issuedAt = readInstant(claims, "iat");
  const notBefore = readInstant(claims, "nbf");
  const latestStart = now + rules.clockSkewMs;
  if (notBefore !== undefined && notBefore > latestStart) throw refuseToken("the token is not valid yet");
  if (issuedAt !== undefined && issuedAt > latestStart) throw refuseToken("the token was issued in the future");
  if (rules.maxTokenAgeMs !== undefined && !(expiresAt - (issuedAt ?? NaN) <= rules.maxTokenAgeMs)) {
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
    issuedAt,
    expiresAt,
    claims,
  };
  // Last of all: only a token that is good in every other way is worth telling its bearer to refresh.
  if (now >= expiresAt) throw new HubwardError("token_expired");
  freezeDeeply(claims);
  return Object.freeze(authentication);
}

/** RFC 7519 4.1.3: a string or an array of strings; one of them must be us. */
function assertAudience(audience: unknown, ours: ReadonlySet<string>): void {
  const named: readonly unknown[] = Array.isArray(audience) ? audience : [audience];
  const isWellFormed = named.every((name) => typeof name === "string");
  if (!isWellFormed || !named.some((name) => ours.has(name))) throw refuseToken("the audience is another");
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

/**
 * A NumericDate (RFC 7519 2: seconds, fractions allowed) in whole milliseconds, rounded down. Numbers that are no
 * instant are refused: a timer armed with 1e308 fires at once.
 */
function readInstant(claims: Claims, name: "exp" | "iat" | "nbf"): EpochMs | undefined {
  const value = ownMember(claims, name);
  if (value === undefined) return undefined;
  const ms = typeof value === "number" ? Math.floor(value * 1000) : NaN;
  if (!(ms >= 0 && ms <= MAX_EPOCH_MS)) throw refuseToken("a date is not an instant");
  return ms as EpochMs;
}

function readIdentifier(claims: Claims, name: string): string | undefined {
  const value = ownMember(claims, name);
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "" || value.length > MAX_IDENTIFIER_LENGTH) {
    throw refuseToken("an identifier is not a string of reasonable length");
  }
  if (UNFIT_FOR_IDENTIFIERS.test(value)) throw refuseToken("an identifier holds control characters or broken Unicode");
  return value;
}

/** The depth was bounded when the JSON was parsed. */
function freezeDeeply(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const member of Object.values(value)) freezeDeeply(member);
  Object.freeze(value);
}
