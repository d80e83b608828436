/** What an application may set, and what holds when it does not. */

import { createAuditTrail, type Audit, type AuditTrail } from "../core/audit.js";
import type { Authenticator } from "../core/auth/authenticator.js";
import type { DpopPolicy, DpopVerifier } from "../core/auth/dpop.js";
import type { Principal, PrincipalMapping } from "../core/auth/principal.js";
import type { Clock } from "../core/clock.js";
import {
  resolveOutboxOptions,
  type OutboxOptions,
  type ResolvedOutboxOptions,
} from "../core/connection/outbox-options.js";
import type { ConnectionTimes } from "../core/connection/connection.js";
import { resolveHubOptions, type HubOptions, type HubSettings } from "../core/dispatch/hub-settings.js";
import type { IdempotencyStore } from "../core/dispatch/idempotency-store.js";
import type { PrincipalIdProvider } from "../core/admission/admission.js";
import { resolveAllowedOrigins } from "../core/admission/origin.js";
import { assertCookieOrigins } from "../core/auth/cookie-options.js";
import type { RevocationLog } from "../core/auth/revocation-log.js";
import { revocationDefaults } from "../core/auth/revocation.js";
import { resolveLimits, type LimitOptions, type ResolvedLimits } from "../core/limits/limit-options.js";
import type { Random } from "../core/random.js";
import type { Telemetry } from "../core/telemetry.js";
import { createMemoryIdempotencyStore } from "../memory/idempotency-store.js";
import { createMemoryRevocationLog } from "../memory/revocation-log.js";
import { jsonLines } from "../platform/json-lines.js";
import { systemClock } from "../platform/system-clock.js";
import { systemRandom } from "../platform/system-crypto.js";

/**
 * Who may connect, and from where. A scope inherits none of it: what was meant for one provider's people must not hold
 * for another's unsaid. Options of a hub hold for every hub of the scope that does not set its own.
 */
export interface ScopeOptions<Attributes extends object = object> extends HubOptions {
  /** Verifies bearer tokens, for hubs and for HTTP routes alike. `jwt()` of `@hubward/server/jose` is one. */
  readonly authenticator: Authenticator;
  /**
   * Who checks that a token which is bound to a key (`cnf.jkt`) comes from who holds it: `dpop()` of
   * `@hubward/server/jose`; or `"checked-upstream"`, a gateway that every request passes. Default: nobody, so such
   * tokens are refused.
   */
  readonly dpop?: DpopVerifier | "checked-upstream" | undefined;
  /** Makes a principal of a verified credential; may ask a directory. */
  readonly principal: PrincipalMapping<Attributes>;
  /**
   * What `toPrincipal({ subject })` and `groups.add({ subject })` mean by `subject`: a badge number, say. Asked at
   * connect and on HTTP routes; anything but a text of at least one character is told to telemetry and refused as
   * `auth_unavailable`. It only addresses: commands, tickets and limits go by tenant, issuer and the token's subject.
   * Default: the token's subject.
   */
  readonly principalId?: PrincipalIdProvider<Principal<NoInfer<Attributes>>> | undefined;
  /**
   * How often may be called and connected, by whom; a scope has those of its application where it says nothing else,
   * counted by itself. `false`: as often as anybody likes. See docs/limits.md.
   */
  readonly limits?: LimitOptions | false | undefined;
  /** Exact origins of the pages that may connect: `https://example.org`. Default none: no browser may. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /**
   * Whether hub paths take a JWT in the `access_token` query parameter. Default false: stock clients that
   * negotiate never need it, and URLs end up in logs (RFC 9700 4.3.2).
   */
  readonly allowQueryToken?: boolean | undefined;
}

export interface HubwardOptions<Attributes extends object = object> extends ScopeOptions<Attributes> {
  /** Where events go. Default JSON lines on standard error. */
  readonly telemetry?: Telemetry | undefined;
  /**
   * Where records of who came, was refused, changed and went are kept: `auditFile(path)`. Default none. One for an
   * application, its scopes included.
   */
  readonly audit?: Audit | undefined;
  /** Remembers commands (`.once`). Default this process's memory, for 24 hours. */
  readonly idempotency?: IdempotencyStore | undefined;
  /**
   * Keeps what was revoked. Until it was read nobody is let in: `ready()`. Default this process's memory, which dies
   * with it: after a restart every revoked token that has not expired passes again.
   */
  readonly revocations?: RevocationLog | undefined;
  /**
   * The longest a token may live (`exp` less `iat`) to be accepted anywhere: revocations are remembered for this long,
   * and a token that lives longer is refused as `invalid_token`. Milliseconds, default 86400000: a day, which the
   * access tokens of the usual providers do not exceed.
   */
  readonly maxTokenAgeMs?: number | undefined;
  /**
   * How far the clocks of issuers may be ahead of this one. After `requireReauthentication` and `issuedBefore`, tokens
   * issued within it are refused, too. Milliseconds, default 60000; 0 where the issuer runs on this machine.
   */
  readonly maxIssuerSkewMs?: number | undefined;
  readonly outbox?: OutboxOptions | undefined;
  /**
   * Time from the open socket to a complete protocol handshake, and what each `connected` and `disconnected` hook may
   * take: a connection whose `connected` takes longer ends, `close()` waits no longer. Milliseconds, default 15000.
   */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Silence after which a client counts as gone; not counted while its call is handled. Milliseconds, default 30000. */
  readonly clientTimeoutMs?: number | undefined;
  /** Silence of ours after which a ping is sent. Milliseconds, default 15000. */
  readonly keepAliveMs?: number | undefined;
  /** Groups one connection may be in. Default 100. */
  readonly maxGroupsPerConnection?: number | undefined;
  /**
   * How long a connection whose credential has ended waits for a new one, where its client has shown that it can bring
   * one. Milliseconds, default 10000. Behind `requireReauthentication` `maxIssuerSkewMs` longer: tokens that pass are
   * issued from then on.
   */
  readonly graceMs?: number | undefined;
  /**
   * How long an answer is waited for: of each policy, of the principal mapping, of the authenticator. What takes longer
   * counts as failed (`auth_unavailable`), whatever it says later. Milliseconds, default 5000: longer than the fetches
   * of keys and introspection have by themselves, shorter than the grace, so that another try fits in.
   */
  readonly policyTimeoutMs?: number | undefined;
  /**
   * How often every connection's credential is mapped and judged again, as `recheck` does, for changes nobody tells of;
   * spread over the interval. A mapping that fails then costs connections their standing, as it must.
   * Milliseconds, default never.
   */
  readonly recheckEveryMs?: number | undefined;
  /** For tests. */
  readonly clock?: Clock | undefined;
  /** For tests. */
  readonly random?: Random | undefined;
}

export interface ResolvedScopeOptions<Attributes extends object> {
  readonly authenticator: Authenticator;
  readonly dpop: DpopPolicy;
  readonly principal: PrincipalMapping<Attributes>;
  readonly principalId: PrincipalIdProvider<Principal<Attributes>> | undefined;
  readonly allowedOrigins: ReadonlySet<string>;
  readonly allowQueryToken: boolean;
  readonly hub: HubSettings;
  readonly limits: ResolvedLimits;
}

/** What all scopes of an application have in common. */
export interface ResolvedCommonOptions {
  readonly telemetry: Telemetry;
  readonly trail: AuditTrail | undefined;
  readonly idempotency: IdempotencyStore;
  readonly revocations: RevocationLog;
  readonly maxTokenAgeMs: number;
  readonly maxIssuerSkewMs: number;
  readonly outbox: ResolvedOutboxOptions;
  readonly times: ConnectionTimes;
  readonly maxGroupsPerConnection: number;
  readonly policyTimeoutMs: number;
  readonly recheckEveryMs: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

export interface ResolvedOptions<Attributes extends object>
  extends ResolvedCommonOptions, ResolvedScopeOptions<Attributes> {}

export interface HubwardDefaults {
  readonly handshakeTimeoutMs: number;
  readonly clientTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly maxGroupsPerConnection: number;
  readonly graceMs: number;
  readonly maxTokenAgeMs: number;
  readonly policyTimeoutMs: number;
}

/** Beyond it, clocks are wrong rather than ahead. */
const MAX_ISSUER_SKEW_MS = 600_000;

/** ASP.NET Core's own defaults where it has one. */
export const hubwardDefaults: HubwardDefaults = {
  handshakeTimeoutMs: 15_000,
  clientTimeoutMs: 30_000,
  keepAliveMs: 15_000,
  maxGroupsPerConnection: 100,
  graceMs: 10_000,
  maxTokenAgeMs: 86_400_000,
  policyTimeoutMs: 5_000,
};

/** @throws RangeError | TypeError for options that cannot be meant */
export function resolveScopeOptions<Attributes extends object>(
  where: string,
  options: ScopeOptions<Attributes>,
  hubs?: HubSettings,
  limits?: ResolvedLimits,
): ResolvedScopeOptions<Attributes> {
  if (typeof options.authenticator?.authenticate !== "function")
    throw new TypeError(`${where}: authenticator is required`);
  if (typeof options.principal !== "function") throw new TypeError(`${where}: principal is required`);
  if (options.principalId !== undefined && typeof options.principalId !== "function")
    throw new TypeError(`${where}.principalId: a function`);
  assertDpop(where, options);
  const allowedOrigins = resolveAllowedOrigins(options.allowedOrigins ?? []);
  // A cookie says who may connect, as the authenticator does.
  const hub = resolveHubOptions(where, options, hubs && { ...hubs, cookie: undefined });
  assertCookieOrigins(where, hub.cookie, allowedOrigins);
  return {
    authenticator: options.authenticator,
    dpop: options.dpop,
    principal: options.principal,
    principalId: options.principalId,
    allowedOrigins,
    allowQueryToken: options.allowQueryToken ?? false,
    hub,
    limits: resolveLimits(where, options.limits, limits),
  };
}

/** @throws RangeError | TypeError for options that cannot be meant */
export function resolveOptions<Attributes extends object>(
  options: HubwardOptions<Attributes>,
): ResolvedOptions<Attributes> {
  const scope = resolveScopeOptions("hubward", options);
  const { audit, clock = systemClock, random = systemRandom } = options;
  if (audit !== undefined && typeof audit.record !== "function")
    throw new TypeError("hubward.audit: a sink such as auditFile(path)");
  const whole = (name: string, value: number): number => {
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`hubward.${name}: a whole number of at least 1`);
    return value;
  };
  const maxIssuerSkewMs = options.maxIssuerSkewMs ?? revocationDefaults.skewMs;
  if (!Number.isInteger(maxIssuerSkewMs) || maxIssuerSkewMs < 0 || maxIssuerSkewMs > MAX_ISSUER_SKEW_MS)
    throw new RangeError(`hubward.maxIssuerSkewMs: a whole number from 0 to ${MAX_ISSUER_SKEW_MS}`);
  const { revocations = createMemoryRevocationLog({ clock, random }) } = options;
  if (typeof revocations.append !== "function") throw new TypeError("hubward.revocations: a RevocationLog");
  const count = (name: keyof HubwardDefaults): number => whole(name, options[name] ?? hubwardDefaults[name]);
  const { recheckEveryMs } = options;
  return {
    ...scope,
    revocations,
    maxTokenAgeMs: count("maxTokenAgeMs"),
    maxIssuerSkewMs,
    telemetry: guarded(options.telemetry ?? jsonLines()),
    trail: audit === undefined ? undefined : createAuditTrail({ audit, clock, random }),
    idempotency: options.idempotency ?? createMemoryIdempotencyStore({ clock }),
    outbox: resolveOutboxOptions(options.outbox),
    times: {
      handshakeTimeoutMs: count("handshakeTimeoutMs"),
      clientTimeoutMs: count("clientTimeoutMs"),
      keepAliveMs: count("keepAliveMs"),
      graceMs: count("graceMs"),
      claimsGraceMs: count("graceMs") + maxIssuerSkewMs,
    },
    maxGroupsPerConnection: count("maxGroupsPerConnection"),
    policyTimeoutMs: count("policyTimeoutMs"),
    recheckEveryMs: recheckEveryMs === undefined ? undefined : whole("recheckEveryMs", recheckEveryMs),
    clock,
    random,
  };
}

/** @throws TypeError */
function assertDpop(where: string, { dpop, authenticator }: Pick<ScopeOptions, "dpop" | "authenticator">): void {
  if (dpop === undefined || dpop === "checked-upstream") return;
  if (typeof dpop?.verify !== "function" || typeof dpop.nonce !== "function")
    throw new TypeError(`${where}.dpop: dpop() of @hubward/server/jose, or "checked-upstream"`);
  const { forwarded } = authenticator;
  if (dpop.isRequired && forwarded !== undefined && forwarded.bearer !== "required")
    throw new TypeError(`${where}.dpop: required, and a gateway's word alone would be enough`);
}

/** A sink that fails must not fail what it is told about. */
function guarded(telemetry: Telemetry): Telemetry {
  return (event) => {
    try {
      telemetry(event);
    } catch {
      // There is nowhere left to say it.
    }
  };
}
