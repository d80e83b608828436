/** Options of {@link jwt}, checked and filled in. */

import type { Clock, EpochMs } from "../../core/clock.js";
import { assertAlgorithms, type Algorithm } from "./algorithms.js";
import type { ClaimRules } from "./claims.js";
import type { KeySource } from "./key-source.js";
import {
  assertKeySource,
  assertRange,
  assertText,
  assertTexts,
  resolveAudience,
  resolveRequiredClaims,
  type ClientAudience,
} from "./option-checks.js";
import { normalizeType, type HeaderRules } from "./token-header.js";

export interface JwtOptions {
  /** The `iss` every token must carry, compared character by character. */
  readonly issuer: string;
  /**
   * For whom a token must be: our name or names, of which its `aud` must contain at least one; or the clients it may
   * have been issued to, for issuers whose access tokens have no `aud`.
   */
  readonly audience: string | readonly string[] | ClientAudience;
  /**
   * Where the issuer's keys are: `jwks`, `discover`, `publicKey`, `localJwks`, `sharedSecret`, or a KeySource of one's
   * own. A source serves one issuer only.
   */
  readonly keys: KeySource;
  /**
   * Allowed `alg` values, each one that `keys` can serve. Default: all that `keys` can serve, which for a single key
   * is the one of its type.
   */
  readonly algorithms?: readonly Algorithm[] | undefined;
  /**
   * Accepted `typ` values. Default `at+jwt` and `application/at+jwt` (RFC 9068 4). Some issuers write `JWT` into
   * access tokens (Entra does); naming it here also lets in whatever else they sign for the same audience, ID tokens
   * above all, so give the hub an audience of its own.
   */
  readonly types?: readonly string[] | undefined;
  /** Accept tokens without any `typ`, for issuers that write none. Default false. */
  readonly allowMissingType?: boolean | undefined;
  /**
   * What else a token must say, by top-level claim: this text exactly, one of these, or `true` for anything at all.
   * For issuers that tell their kinds of tokens apart by a claim (RFC 8725 3.12). Default: nothing.
   */
  readonly requiredClaims?: Readonly<Record<string, string | readonly string[] | true>> | undefined;
  /** Top-level claim that names the tenant, for example `tid`. Once set, every token must carry it. Default: none. */
  readonly tenantClaim?: string | undefined;
  /**
   * How far the issuer's clock may run ahead, for `nbf` and `iat` only; there is no leeway on `exp`.
   * Seconds, 0 to 300, default 60.
   */
  readonly clockSkewSeconds?: number | undefined;
  /**
   * Longest life of a token, `exp - iat`; `iat` is then required. Seconds. Default: not limited. Set it to what the
   * issuer really uses: revocations must be remembered for as long as a token can live.
   */
  readonly maxTokenAgeSeconds?: number | undefined;
  /** Longest token, in bytes, 64 to 65536, default 8192. */
  readonly maxTokenBytes?: number | undefined;
  /**
   * Verified tokens remembered until they expire or are the least recently used. Count, default 10,000; 0 remembers
   * none. Each holds its claims: a few kilobytes.
   */
  readonly maxCachedTokens?: number | undefined;
  /** Default: the system's clock. */
  readonly clock?: Pick<Clock, "now"> | undefined;
}

export const jwtDefaults = {
  types: ["at+jwt", "application/at+jwt"],
  allowMissingType: false,
  clockSkewSeconds: 60,
  maxTokenBytes: 8192,
  maxCachedTokens: 10_000,
} as const;

export interface ResolvedJwtOptions {
  readonly keys: KeySource;
  readonly maxTokenBytes: number;
  readonly header: HeaderRules;
  readonly claims: ClaimRules;
  readonly maxCachedTokens: number;
  readonly now: () => EpochMs;
}

/** @throws TypeError, RangeError */
export function resolveJwtOptions(options: JwtOptions): ResolvedJwtOptions {
  const { issuer, keys, tenantClaim, maxTokenAgeSeconds, clock } = options;
  const {
    types = jwtDefaults.types,
    allowMissingType = jwtDefaults.allowMissingType,
    clockSkewSeconds = jwtDefaults.clockSkewSeconds,
    maxTokenBytes = jwtDefaults.maxTokenBytes,
    maxCachedTokens = jwtDefaults.maxCachedTokens,
  } = options;
  assertText("jwt.issuer", issuer);
  assertTexts("jwt.types", types);
  if (tenantClaim !== undefined) assertText("jwt.tenantClaim", tenantClaim);
  if (typeof allowMissingType !== "boolean") throw new TypeError("jwt.allowMissingType: true or false");
  assertRange("jwt.clockSkewSeconds", clockSkewSeconds, 0, 300);
  assertRange("jwt.maxTokenBytes", maxTokenBytes, 64, 65_536);
  assertRange("jwt.maxCachedTokens", maxCachedTokens, 0, 10_000_000);
  if (maxTokenAgeSeconds !== undefined) assertRange("jwt.maxTokenAgeSeconds", maxTokenAgeSeconds, 1, 1e9);
  return {
    keys,
    maxTokenBytes,
    header: {
      algorithms: resolveAlgorithms(options),
      types: new Set(types.map(normalizeType)),
      allowMissingType,
    },
    claims: {
      issuer,
      ...resolveAudience("jwt", options.audience),
      requiredClaims: resolveRequiredClaims("jwt", options.requiredClaims ?? {}),
      tenantClaim,
      clockSkewMs: clockSkewSeconds * 1000,
      maxTokenAgeMs: maxTokenAgeSeconds === undefined ? undefined : maxTokenAgeSeconds * 1000,
    },
    maxCachedTokens,
    now: clock === undefined ? () => Date.now() as EpochMs : () => clock.now(),
  };
}

function resolveAlgorithms({ keys, algorithms }: JwtOptions): ReadonlySet<Algorithm> {
  assertKeySource("jwt.keys", keys);
  const servable: readonly Algorithm[] = keys.algorithms;
  assertAlgorithms(servable);
  if (algorithms === undefined) return new Set(servable);
  assertAlgorithms(algorithms);
  if (!algorithms.every((algorithm) => servable.includes(algorithm))) {
    throw new RangeError("jwt.algorithms: the keys cannot serve every algorithm named");
  }
  return new Set(algorithms);
}
