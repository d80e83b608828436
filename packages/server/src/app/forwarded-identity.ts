/** The authenticator for identity that a gateway has verified and forwards in plain headers. */

import type { Authentication } from "../core/auth/authentication.js";
import type { Authenticator } from "../core/auth/authenticator.js";
import type { ForwardedCredential } from "../core/auth/credential.js";
import type { EpochMs } from "../core/clock.js";
import { HubwardError } from "../core/errors.js";
import {
  resolveForwardedIdentityOptions,
  type ForwardedIdentityOptions,
  type ResolvedForwardedIdentityOptions,
} from "./forwarded-identity-options.js";

type Headers = ForwardedCredential["headers"];

/** Longest identifier taken from a header, in characters. */
const MAX_IDENTIFIER_LENGTH = 512;
/** Longest value taken as a claim, in characters. */
const MAX_CLAIM_LENGTH = 4096;
/**
 * Visible ASCII and spaces. Headers have no agreed encoding beyond it (RFC 9110 5.5), so a name would arrive as
 * something else than the gateway meant; it must encode what does not fit.
 */
const TEXT_PATTERN = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
/** Whole or fractional seconds since 1970 (NumericDate, RFC 7519 2); milliseconds have too many digits. */
const SECONDS_PATTERN = /^\d{9,11}(?:\.\d{1,9})?$/;

/**
 * Believes a gateway that says who asks in headers of its own, from the `trustedProxies` of `attach` and from nobody
 * else: a request from elsewhere that carries such a header is refused, because it is an attack or a forgotten entry
 * in that list, and neither should pass as an anonymous request.
 *
 * ```ts
 * const authenticator = forwardedIdentity({ issuer: "https://login.example.com/", maxLifeSeconds: 300 });
 * attach(server, hubward({ authenticator, principal }), { trustedProxies: ["10.0.0.0/8"] });
 * ```
 *
 * With `bearer` the application verifies the token, too; both must name the same identity. The gateway must cut these
 * headers from what clients send. Refusals are `token_expired` when nothing but the expiry is wrong, `invalid_token`
 * for all else about the headers, `invalid_request` when two credentials disagree.
 * @throws TypeError, RangeError for options that could not be safe
 */
export function forwardedIdentity(options: ForwardedIdentityOptions): Authenticator {
  const rules = resolveForwardedIdentityOptions(options);
  const { bearer } = options;
  return {
    issuer: rules.issuers.length === 1 ? rules.issuers[0] : undefined,
    authenticate: (credential) =>
      bearer === undefined ? Promise.reject(new HubwardError("invalid_token")) : bearer.authenticate(credential),
    forwarded: {
      headers: rules.allHeaders,
      trustedOnly: true,
      bearer: bearer === undefined ? "refused" : rules.require === "either" ? "optional" : "required",
      authenticate: (headers) => readIdentity(headers, rules),
    },
  };
}

function readIdentity(headers: Headers, rules: ResolvedForwardedIdentityOptions): Authentication {
  const { names } = rules;
  const now = rules.now();
  const expiresAt = readExpiry(headers, rules, now);
  const roles = readText(headers, names.roles, MAX_CLAIM_LENGTH);
  const claims: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [claim, header] of rules.claims) {
    const value = readText(headers, header, MAX_CLAIM_LENGTH);
    if (value !== undefined) claims[claim] = value;
  }
  if (roles !== undefined) claims["roles"] = Object.freeze(readList(roles));
  const authentication: Authentication = {
    tenant: names.tenant === undefined ? undefined : readRequired(headers, names.tenant, "the tenant"),
    issuer: readIssuer(headers, rules),
    subject: readRequired(headers, names.subject, "the subject"),
    clientId: undefined,
    sessionId: readText(headers, names.session, MAX_IDENTIFIER_LENGTH),
    tokenId: undefined,
    keyId: undefined,
    // Said anew with each request, so since when the person has been signed in is not known.
    issuedAt: undefined,
    expiresAt,
    claims: Object.freeze(claims),
  };
  if (now >= expiresAt) throw new HubwardError("token_expired");
  return Object.freeze(authentication);
}

function readIssuer(headers: Headers, { names, issuers }: ResolvedForwardedIdentityOptions): string {
  const issuer = names.issuer === undefined ? issuers[0] : readRequired(headers, names.issuer, "the issuer");
  if (issuer === undefined || !issuers.includes(issuer)) throw refuse("the issuer is none of ours");
  return issuer;
}

/** The header's instant, and never later than the configured life allows. */
function readExpiry(headers: Headers, { names, maxLifeMs }: ResolvedForwardedIdentityOptions, now: EpochMs): EpochMs {
  const value = readText(headers, names.expires, MAX_IDENTIFIER_LENGTH);
  if (value !== undefined && !SECONDS_PATTERN.test(value)) throw refuse("the expiry is not in seconds since 1970");
  if (value === undefined && maxLifeMs === undefined) throw refuse("the expiry is missing");
  const said = value === undefined ? Infinity : Math.floor(Number(value) * 1000);
  return Math.min(said, now + (maxLifeMs ?? Infinity)) as EpochMs;
}

function readRequired(headers: Headers, name: string, what: string): string {
  const value = readText(headers, name, MAX_IDENTIFIER_LENGTH);
  if (value === undefined) throw refuse(`${what} is missing`);
  return value;
}

function readText(headers: Headers, name: string | undefined, maxLength: number): string | undefined {
  const value = name === undefined ? undefined : headers.get(name)?.reveal();
  if (value === undefined) return undefined;
  if (value.length > maxLength || !TEXT_PATTERN.test(value)) {
    throw refuse("a value is not visible ASCII of reasonable length");
  }
  return value;
}

function readList(value: string): readonly string[] {
  return value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** The detail may reach the peer: it names what is wrong, never a value. */
function refuse(detail: string): HubwardError {
  return new HubwardError("invalid_token", { detail: `forwarded identity: ${detail}` });
}
