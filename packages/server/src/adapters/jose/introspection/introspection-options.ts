/** Options of {@link introspection}, checked and filled in. */

import type { Clock } from "../../../core/clock.js";
import { Secret } from "../../../core/auth/secret.js";
import { systemClock } from "../../../platform/system-clock.js";
import type { ClaimRules } from "../claims.js";
import { readKeyAddress } from "../key-address.js";
import {
  assertRange,
  assertText,
  resolveAudience,
  resolveRequiredClaims,
  type ClientAudience,
} from "../option-checks.js";
import type { FormToPost } from "../fetch-document.js";
import { readCertificates } from "../remote-key-options.js";

/** How the hub proves to the issuer that it may ask. */
export interface IntrospectionClient {
  readonly id: string;
  /** Kept in a type that does not print. */
  readonly secret: Secret | string;
  /** RFC 6749 2.3.1. Default `client_secret_basic`. */
  readonly method?: "client_secret_basic" | "client_secret_post" | undefined;
}

export interface IntrospectionOptions {
  /** The issuer's introspection endpoint: https. Never learnt from a token. */
  readonly endpoint: string | URL;
  readonly client: IntrospectionClient;
  /** Whose tokens these are. An answer that names an `iss` must name this one, character by character. */
  readonly issuer: string;
  /**
   * For whom a token must be: our name or names, of which `aud` must contain at least one; or the clients it may have
   * been issued to. `any`: the issuer calls a token active only where it is for the client that asks (RFC 7662 4);
   * answers must then have a `token_type`, which tells access tokens from refresh tokens.
   */
  readonly audience: string | readonly string[] | ClientAudience | "any";
  /** What else an answer must say, as in `jwt()`. Default: nothing. */
  readonly requiredClaims?: Readonly<Record<string, string | readonly string[] | true>> | undefined;
  /** Top-level member that names the tenant. Once set, every answer must carry it. Default: none. */
  readonly tenantClaim?: string | undefined;
  /** How far the issuer's clock may run ahead, for `nbf` and `iat` only. Seconds, 0 to 300, default 60. */
  readonly clockSkewSeconds?: number | undefined;
  /** Longest life of a token, `exp - iat`; both are then required. Seconds. Default: not limited. */
  readonly maxTokenAgeSeconds?: number | undefined;
  /**
   * How long one answer may count on a live connection, and so how late it notices that a token was taken back:
   * `expiresAt` is `exp` or this much after the question, whichever comes first, and the client then has to authenticate
   * anew. Also stands in where answers have no `exp`. Seconds, 1 to 1e9, default 60. `"exp"`: the expiry alone, which
   * answers must then have; a token that was taken back goes on until it has come.
   */
  readonly maxAnswerSeconds?: number | "exp" | undefined;
  /**
   * How long an answer serves without asking again, at most until `exp`, and at most half of `maxAnswerSeconds`.
   * Milliseconds, 0 to 60,000, default 60,000: with the other default, 30 s.
   */
  readonly maxAgeMs?: number | undefined;
  /** How long `not active` is remembered. Milliseconds, 0 to 60,000, default 5000. */
  readonly maxInactiveAgeMs?: number | undefined;
  /** Answers remembered, of good tokens and of refused ones alike. Count each, default 10,000; 0 remembers none. */
  readonly maxCachedTokens?: number | undefined;
  /** Total time of one question, waiting for its turn included. Milliseconds, default 1000. */
  readonly timeoutMs?: number | undefined;
  /** Longest body of an answer, in bytes, default 65,536. */
  readonly maxBytes?: number | undefined;
  /** Longest token, in bytes, 64 to 65,536, default 8192. */
  readonly maxTokenBytes?: number | undefined;
  /** Questions under way at once. Count, default 32. */
  readonly maxConcurrent?: number | undefined;
  /** Questions that wait for their turn; beyond them tokens are `auth_unavailable` at once. Count, default 1000. */
  readonly maxWaiting?: number | undefined;
  /** Certificate authorities in PEM for an internal provider; they replace the system's. Default: the system's. */
  readonly ca?: string | readonly string[] | undefined;
  /** Whether http is good enough for `localhost`, 127.0.0.0/8 and ::1. For tests and development; default false. */
  readonly allowLoopbackHttp?: boolean | undefined;
  /** Told of each question that got no answer. The error quotes nothing of it. */
  readonly onFailure?: ((error: Error) => void) | undefined;
  /** Time and timers. Default: the system's. */
  readonly clock?: Clock | undefined;
}

export interface IntrospectionDefaults {
  readonly clockSkewSeconds: number;
  readonly maxAnswerSeconds: number;
  readonly maxAgeMs: number;
  readonly maxInactiveAgeMs: number;
  readonly maxCachedTokens: number;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxTokenBytes: number;
  readonly maxConcurrent: number;
  readonly maxWaiting: number;
}

export const introspectionDefaults: IntrospectionDefaults = Object.freeze({
  clockSkewSeconds: 60,
  maxAnswerSeconds: 60,
  maxAgeMs: 60_000,
  maxInactiveAgeMs: 5000,
  maxCachedTokens: 10_000,
  timeoutMs: 1000,
  maxBytes: 64 * 1024,
  maxTokenBytes: 8192,
  maxConcurrent: 32,
  maxWaiting: 1000,
});

export interface ResolvedIntrospectionOptions extends Omit<IntrospectionDefaults, "maxAnswerSeconds"> {
  readonly endpoint: URL;
  readonly formFor: (token: string) => FormToPost;
  readonly claims: ClaimRules;
  readonly ca: readonly string[] | undefined;
  readonly onFailure: (error: Error) => void;
  readonly clock: Clock;
}

/** @throws TypeError, RangeError */
export function resolveIntrospectionOptions(options: IntrospectionOptions): ResolvedIntrospectionOptions {
  const { issuer, audience, tenantClaim, maxTokenAgeSeconds, onFailure, clock } = options;
  const { maxAnswerSeconds = introspectionDefaults.maxAnswerSeconds } = options;
  assertText("introspection.issuer", issuer);
  if (tenantClaim !== undefined) assertText("introspection.tenantClaim", tenantClaim);
  if (onFailure !== undefined && typeof onFailure !== "function") {
    throw new TypeError("introspection.onFailure: a function");
  }
  const allowLoopbackHttp = options.allowLoopbackHttp ?? false;
  if (typeof allowLoopbackHttp !== "boolean") throw new TypeError("introspection.allowLoopbackHttp: true or false");
  const clockSkewSeconds = readNumber(options, "clockSkewSeconds", 0, 300);
  return {
    endpoint: readKeyAddress(options.endpoint, allowLoopbackHttp, "introspection endpoint"),
    formFor: formsOf(options.client),
    claims: {
      issuer,
      mayOmitIssuer: true,
      ...(audience === "any"
        ? { audience, clientIds: undefined }
        : resolveAudience("introspection", audience satisfies string | readonly string[] | ClientAudience)),
      requiredClaims: resolveRequiredClaims("introspection", options.requiredClaims ?? {}),
      tenantClaim,
      clockSkewMs: clockSkewSeconds * 1000,
      maxTokenAgeMs: readSeconds("maxTokenAgeSeconds", maxTokenAgeSeconds),
      maxRemainingMs: readSeconds("maxAnswerSeconds", maxAnswerSeconds === "exp" ? undefined : maxAnswerSeconds),
    },
    clockSkewSeconds,
    maxAgeMs: readNumber(options, "maxAgeMs", 0, 60_000),
    maxInactiveAgeMs: readNumber(options, "maxInactiveAgeMs", 0, 60_000),
    maxCachedTokens: readNumber(options, "maxCachedTokens", 0, 10_000_000),
    timeoutMs: readNumber(options, "timeoutMs", 50, 60_000),
    maxBytes: readNumber(options, "maxBytes", 1024, 16 * 1024 * 1024),
    maxTokenBytes: readNumber(options, "maxTokenBytes", 64, 65_536),
    maxConcurrent: readNumber(options, "maxConcurrent", 1, 10_000),
    maxWaiting: readNumber(options, "maxWaiting", 0, 1_000_000),
    ca: readCertificates("introspection.ca", options.ca),
    onFailure: onFailure ?? (() => undefined),
    clock: clock ?? systemClock,
  };
}

function readNumber(
  options: IntrospectionOptions,
  name: Exclude<keyof IntrospectionDefaults, "maxAnswerSeconds">,
  min: number,
  max: number,
): number {
  const value = options[name] ?? introspectionDefaults[name];
  assertRange(`introspection.${name}`, value, min, max);
  return value;
}

function readSeconds(name: "maxTokenAgeSeconds" | "maxAnswerSeconds", seconds: number | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  assertRange(`introspection.${name}`, seconds, 1, 1e9);
  return seconds * 1000;
}

/** The form for each token, with the client's proof where its method says (RFC 6749 2.3.1, RFC 7662 2.1). */
function formsOf({ id, secret, method = "client_secret_basic" }: IntrospectionClient): (token: string) => FormToPost {
  assertText("introspection.client.id", id);
  const kept = secret instanceof Secret ? secret : new Secret(secret);
  assertText("introspection.client.secret", kept.reveal());
  const write = (members: Readonly<Record<string, string>>): Secret =>
    new Secret(new URLSearchParams(members).toString());
  switch (method) {
    case "client_secret_basic": {
      // Both are form-encoded first, so that a colon in the id is none in the header.
      const pair = [id, kept.reveal()].map((text) => new URLSearchParams({ "": text }).toString().slice(1)).join(":");
      const authorization = new Secret(`Basic ${Buffer.from(pair).toString("base64")}`);
      return (token) => ({ body: write({ token, token_type_hint: "access_token" }), authorization });
    }
    case "client_secret_post":
      return (token) => ({
        body: write({ token, token_type_hint: "access_token", client_id: id, client_secret: kept.reveal() }),
        authorization: undefined,
      });
    default:
      throw new TypeError("introspection.client.method: client_secret_basic or client_secret_post");
  }
}
