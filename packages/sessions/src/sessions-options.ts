/** What an application says when it creates its sessions. */

import type { KeyObject } from "node:crypto";
import { systemClock, type Clock } from "./clock.js";
import { describeCookie, type SessionCookie } from "./cookie.js";
import type { FamilyLimits } from "./family.js";
import { assertRefreshKey } from "./refresh-token.js";
import type { SessionEnded } from "./session-life.js";
import type { Claims, SessionStore } from "./session-store.js";
import { toPublicJwk, type PublicJwk, type SigningKey } from "./signing-key.js";

/** A session as an application sees it. */
export interface SessionDescription {
  readonly sessionId: string;
  readonly subject: string;
  readonly tenant: string | undefined;
  readonly clientId: string;
  /** As given to `start`. */
  readonly claims: Claims;
}

/** One of a person's sessions, as that person may see it. Instants are milliseconds since 1970. */
export interface SessionListing {
  /** What `end` takes; no secret. */
  readonly sessionId: string;
  readonly clientId: string;
  /** Peer data, bounded and without control characters: escape it like any other text. */
  readonly device: string | undefined;
  readonly createdAt: number;
  /** The last refresh, or the start. */
  readonly lastUsedAt: number;
  /** When it is over unless it is refreshed before. */
  readonly expiresAt: number;
}

export interface SessionsOptions {
  /** `iss` of every access token. */
  readonly issuer: string;
  /** `aud` of every access token. */
  readonly audience: string;
  /** Where browsers reach the application, such as `https://ward.example`. With https, and only then, the cookie is Secure. */
  readonly publicOrigin: string;
  /** Signs access tokens. */
  readonly signingKey: SigningKey;
  /** Public halves of keys that signed before, and of one that will next: they stand in the JWKS. Default none. */
  readonly olderKeys?: readonly PublicJwk[] | undefined;
  /** Derives refresh tokens: from `deriveRefreshKey` or `importRefreshKey`. Whoever changes it signs everyone out. */
  readonly refreshKey: KeyObject;
  readonly store: SessionStore;
  /** Origins that may sign in, refresh and sign out, compared exactly. Default: the public origin alone. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** Life of an access token. Seconds, 1 to 3600, default 300. */
  readonly accessTokenSeconds?: number | undefined;
  /** Age without a refresh at which a session is over. Milliseconds, default 14 days. */
  readonly idleLifetimeMs?: number | undefined;
  /** Age at which a session is over in any case. Milliseconds, default 30 days. */
  readonly absoluteLifetimeMs?: number | undefined;
  /** How long a spent refresh token gets its successor once more, for an answer that was lost. Milliseconds, default 10,000. */
  readonly retryWindowMs?: number | undefined;
  /** How long a spent refresh token gets a harmless 409; later it is reuse. Milliseconds, default 60,000. */
  readonly supersededWindowMs?: number | undefined;
  /**
   * Name without a prefix, default `hubward-refresh`. Browsers share cookies between all ports of a host:
   * applications beside each other on localhost need names of their own.
   */
  readonly cookieName?: string | undefined;
  /** The only path below which browsers send the cookie. Default `/auth`. */
  readonly cookiePath?: string | undefined;
  /** `client_id` where `start` is given none. Default: the public origin. */
  readonly clientId?: string | undefined;
  /**
   * The claims of the next access token, asked at each refresh, so that a token does not keep a role that its
   * holder has lost. May run more often than tokens are issued. Default: those given to `start`, for ever.
   */
  readonly currentClaims?: ((session: SessionDescription) => Claims | Promise<Claims>) | undefined;
  /**
   * Whether a session, or its holder, has been revoked elsewhere: asked at each refresh, as the last thing before it
   * is committed, and answered from memory, such as a revocation log's. True ends the session (`onEnded` says
   * `revoked`). When it throws, or gives anything but a boolean, the answer is 503. Default: never.
   */
  readonly isRevoked?: ((session: SessionDescription) => boolean) | undefined;
  /**
   * A session has ended: called after that is durable, and awaited before the request is answered. Normally once
   * for each; again when it threw or the process died, so it must not mind. Not for sessions over by age.
   */
  readonly onEnded?: ((ended: SessionEnded) => void | Promise<void>) | undefined;
  /** Why a 503 was answered: the store's error, or one of the functions above. For a log. Default: forgotten. */
  readonly onFailure?: ((cause: unknown) => void) | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

export const sessionsDefaults = {
  accessTokenSeconds: 300,
  idleLifetimeMs: 1_209_600_000,
  absoluteLifetimeMs: 2_592_000_000,
  retryWindowMs: 10_000,
  supersededWindowMs: 60_000,
  cookieName: "hubward-refresh",
  cookiePath: "/auth",
} as const;

/** 400 days: what browsers keep a cookie at most (RFC 6265bis 5.5). */
const longestLifetimeMs = 34_560_000_000;

export interface ResolvedSessionsOptions {
  readonly issuer: string;
  readonly audience: string;
  readonly signingKey: SigningKey;
  readonly publicKeys: readonly PublicJwk[];
  readonly refreshKey: KeyObject;
  readonly store: SessionStore;
  readonly allowedOrigins: ReadonlySet<string>;
  readonly accessTokenSeconds: number;
  readonly limits: FamilyLimits;
  readonly cookie: SessionCookie;
  readonly clientId: string;
  readonly currentClaims: (session: SessionDescription) => Claims | Promise<Claims>;
  readonly isRevoked: (session: SessionDescription) => boolean;
  readonly onEnded: ((ended: SessionEnded) => void | Promise<void>) | undefined;
  readonly onFailure: (cause: unknown) => void;
  readonly clock: Clock;
}

/** @throws TypeError or RangeError, naming the option. */
export function resolveSessionsOptions({
  issuer,
  audience,
  publicOrigin,
  signingKey,
  olderKeys = [],
  refreshKey,
  store,
  allowedOrigins = [publicOrigin],
  accessTokenSeconds = sessionsDefaults.accessTokenSeconds,
  idleLifetimeMs = sessionsDefaults.idleLifetimeMs,
  absoluteLifetimeMs = sessionsDefaults.absoluteLifetimeMs,
  retryWindowMs = sessionsDefaults.retryWindowMs,
  supersededWindowMs = sessionsDefaults.supersededWindowMs,
  cookieName = sessionsDefaults.cookieName,
  cookiePath = sessionsDefaults.cookiePath,
  clientId = publicOrigin,
  currentClaims = ({ claims }) => claims,
  isRevoked = () => false,
  onEnded,
  onFailure = () => undefined,
  clock = systemClock,
}: SessionsOptions): ResolvedSessionsOptions {
  assertRefreshKey(refreshKey);
  for (const origin of [publicOrigin, ...allowedOrigins]) assertOrigin(origin);
  assertWholeNumber("accessTokenSeconds", accessTokenSeconds, 1, 3600);
  assertWholeNumber("retryWindowMs", retryWindowMs, 0, 60_000);
  assertWholeNumber("supersededWindowMs", supersededWindowMs, retryWindowMs, 600_000);
  assertWholeNumber("idleLifetimeMs", idleLifetimeMs, 1000, longestLifetimeMs);
  assertWholeNumber("absoluteLifetimeMs", absoluteLifetimeMs, 1000, longestLifetimeMs);
  return {
    issuer: assertName("issuer", issuer),
    audience: assertName("audience", audience),
    signingKey,
    publicKeys: distinctKeys([signingKey.publicJwk, ...olderKeys]),
    refreshKey,
    store,
    allowedOrigins: new Set(allowedOrigins),
    accessTokenSeconds,
    limits: { retryWindowMs, supersededWindowMs, idleLifetimeMs, absoluteLifetimeMs },
    cookie: describeCookie(cookieName, cookiePath, publicOrigin.startsWith("https:")),
    clientId: assertName("clientId", clientId),
    currentClaims,
    isRevoked,
    onEnded,
    onFailure,
    clock,
  };
}

/**
 * Checks a name that goes into a token: 1 to 256 characters of well-formed Unicode.
 * @throws TypeError otherwise.
 */
export function assertName(what: string, value: string): string {
  if (typeof value !== "string" || value === "" || value.length > 256 || /\p{Surrogate}/u.test(value)) {
    throw new TypeError(`${what}: a text of 1 to 256 characters`);
  }
  return value;
}

function assertOrigin(value: string): void {
  if (!/^https?:/.test(value) || !URL.canParse(value) || new URL(value).origin !== value) {
    throw new TypeError("publicOrigin, allowedOrigins: an origin as a browser writes it, such as https://ward.example");
  }
}

function assertWholeNumber(what: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${what}: a whole number from ${least} to ${most}`);
  }
}

function distinctKeys(keys: readonly PublicJwk[]): readonly PublicJwk[] {
  return [...new Map(keys.map((key) => toPublicJwk(key)).map((key) => [key.kid, key])).values()];
}
