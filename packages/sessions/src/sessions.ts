/**
 * Login sessions over HTTP, as functions from a Request to a Response. The access token travels in the body and
 * lives in the page's memory; the refresh token travels in one HttpOnly cookie that only these endpoints see.
 */

import { accessTokenSeconds, copyClaims, signAccessToken } from "./access-token.js";
import { clearCookie, readCookie, writeCookie } from "./cookie.js";
import { deviceLabel } from "./device-label.js";
import { openRefreshToken, sealRefreshToken, type RefreshTokenContent } from "./refresh-token.js";
import { emptyReply, jsonReply, refusal, unavailable, withoutPrinting } from "./replies.js";
import { checkIsJson, checkMethod, checkOrigin } from "./request-checks.js";
import { createSessionLife, type Issue } from "./session-life.js";
import type { Claims, SessionHolder, StoredSession } from "./session-store.js";
import {
  assertName,
  resolveSessionsOptions,
  type SessionDescription,
  type SessionListing,
  type SessionsOptions,
} from "./sessions-options.js";
import type { PublicJwk, PublicJwks } from "./signing-key.js";

/** A person whose password, or whatever the application asks for, has just been found right. */
export interface Login {
  /** `sub`: 1 to 256 characters. */
  readonly subject: string;
  readonly tenant?: string | undefined;
  /** `client_id`. Default: as in the options. */
  readonly clientId?: string | undefined;
  /** Few and small facts for the access token, 2048 characters as JSON at most. Default none. */
  readonly claims?: Claims | undefined;
  /**
   * What the person will know this session by. Control characters are taken out and it is cut to 120 characters;
   * an empty text means none. Default: the request's User-Agent.
   */
  readonly device?: string | undefined;
  /** The request that signed in; its body may have been read. */
  readonly request: Request;
}

/** No function needs `this`. Those that answer a request never reject because of what the request or the store does. */
export interface Sessions {
  /**
   * Whether a sign-in request may be looked at: POST (else 405), an Origin from the list or none (else 403), JSON
   * (else 415). Ask before comparing passwords; `start` asks again. Undefined means yes.
   */
  checkLogin(request: Request): Response | undefined;
  /**
   * Begins a session: 200 with `{access_token, token_type, expires_in}` and exactly one Set-Cookie; 405, 403 or
   * 415 as above; 503 when the store fails.
   * @throws TypeError or RangeError (rejects) for a subject, tenant, client or claims that cannot stand in a token.
   */
  start(login: Login): Promise<Response>;
  /**
   * Spends the refresh cookie. 200 as from `start`; 409 `refresh_superseded`: another request has spent this very
   * cookie a moment ago, so send the newer one; 401 `session_revoked` or `invalid_token`: sign in again, the cookie
   * is cleared; 400 for several cookies of our name; 403 without an Origin from the list; 405; 503: try again. Only
   * 200 and 401 touch the cookie.
   */
  refresh(request: Request): Promise<Response>;
  /**
   * Ends the session of the cookie: 204 with the cookie cleared, also where there is no session. 400, 403, 405 and
   * 503 as from `refresh`: the session may then live on, and so does the cookie.
   */
  logout(request: Request): Promise<Response>;
  /**
   * Ends a session on the application's own account (`onEnded` says `logout`). Resolves once `onEnded` has run; to
   * false when the session had ended before, or is unknown. Rejects with the store's error, or that of `onEnded`.
   */
  end(sessionId: string): Promise<boolean>;
  /** A person's sessions, the newest 100, those that started last first. Rejects with the store's error. */
  list(holder: SessionHolder): Promise<readonly SessionListing[]>;
  /**
   * Ends all of a person's sessions, as `end` does, and resolves to how many: those that began before the call. A
   * failure does not spare the others: rejects, in the end, with an AggregateError; asked again it does the rest.
   * Rejects with the store's error where the sessions could not even be found.
   */
  endAll(holder: SessionHolder): Promise<number>;
  /** The public keys, the active one first: for a verifier in the same process. */
  publicKeys(): readonly PublicJwk[];
  /** The same as a JWK Set (RFC 7517 5). A new object each time. */
  jwks(): PublicJwks;
  /** The same as the reply to GET /.well-known/jwks.json. */
  jwksResponse(): Response;
}

/** Sessions that a list shows at most. */
const maxListed = 100;

/** @throws TypeError or RangeError for options that cannot work, naming the option. */
export function createSessions(options: SessionsOptions): Sessions {
  const resolved = resolveSessionsOptions(options);
  const { allowedOrigins, clock, cookie, currentClaims, limits, onEnded, publicKeys, refreshKey, store } = resolved;
  const life = createSessionLife({ store, clock, limits, onEnded, isRevoked });

  function isRevoked(session: StoredSession): boolean {
    const verdict: unknown = resolved.isRevoked(describe(session));
    if (typeof verdict !== "boolean") throw new TypeError("isRevoked: true or false, at once");
    return verdict;
  }

  function checkLogin(request: Request): Response | undefined {
    return checkMethod(request) ?? checkOrigin(request, allowedOrigins, { required: false }) ?? checkIsJson(request);
  }

  async function start({ subject, tenant, clientId = resolved.clientId, claims = {}, device, request }: Login) {
    const label = deviceLabel(device ?? request.headers.get("user-agent") ?? "");
    const owner = {
      ...checkHolder({ subject, tenant }),
      clientId: assertName("clientId", clientId),
      claims: copyClaims(claims),
      ...(label === undefined ? {} : { device: label }),
    };
    return checkLogin(request) ?? (await orUnavailable(() => life.begin(owner, grantWith(owner.claims))));
  }

  async function refresh(request: Request): Promise<Response> {
    const token = presentedToken(request);
    if (token instanceof Response) return token;
    if (token === "none") return signInAgain("invalid_token", "Bearer");
    if (token === "garbage") return signInAgain("invalid_token");
    return await orUnavailable(async () => {
      const renewal = await life.renew(token.sessionId, token.generation, grantCurrent);
      if (renewal.granted) return renewal.issued;
      if (renewal.why === "superseded") return refusal(409, "refresh_superseded");
      return signInAgain(renewal.why === "ended" ? "session_revoked" : "invalid_token");
    });
  }

  async function logout(request: Request): Promise<Response> {
    const token = presentedToken(request);
    if (token instanceof Response) return token;
    return await orUnavailable(async () => {
      // Any generation will do: who lost the answer to a refresh can still sign out.
      if (typeof token === "object") await life.end(token.sessionId, "logout");
      return emptyReply({ "set-cookie": clearCookie(cookie) });
    });
  }

  /** What the cookie of a refresh or logout says, or the reply to a request that may not use it. */
  function presentedToken(request: Request): RefreshTokenContent | "none" | "garbage" | Response {
    const refused = checkMethod(request) ?? checkOrigin(request, allowedOrigins, { required: true });
    if (refused !== undefined) return refused;
    const reading = readCookie(cookie, request.headers.get("cookie"));
    if (reading.found === "several") return refusal(400, "invalid_request");
    if (reading.found === "none") return "none";
    return openRefreshToken(refreshKey, reading.value) ?? "garbage";
  }

  const grantCurrent: Issue<Response> = async (session, now) => {
    const current = await currentClaims(describe(session));
    return await grantWith(copyClaims(current))(session, now);
  };

  function grantWith(claims: Claims): Issue<Response> {
    return async (session, now) => {
      const { sessionId, family } = session;
      const seconds = accessTokenSeconds(resolved.accessTokenSeconds, family.expiresAt, now);
      const accessToken = await signAccessToken(
        { issuer: resolved.issuer, audience: resolved.audience, signingKey: resolved.signingKey },
        session,
        claims,
        now,
        seconds,
      );
      const refreshToken = sealRefreshToken(refreshKey, { sessionId, generation: family.generation });
      const maxAgeSeconds = Math.max(1, Math.floor((family.expiresAt - now) / 1000));
      const body = { access_token: accessToken, token_type: "Bearer", expires_in: seconds };
      return withoutPrinting(jsonReply(200, body, { "set-cookie": writeCookie(cookie, refreshToken, maxAgeSeconds) }));
    };
  }

  function signInAgain(error: "session_revoked" | "invalid_token", challenge = 'Bearer error="invalid_token"') {
    return refusal(401, error, { "set-cookie": clearCookie(cookie), "www-authenticate": challenge });
  }

  async function orUnavailable(answer: () => Promise<Response>): Promise<Response> {
    try {
      return await answer();
    } catch (cause) {
      resolved.onFailure(cause);
      return unavailable();
    }
  }

  return {
    checkLogin,
    start,
    refresh,
    logout,
    end: (sessionId) => life.end(sessionId, "logout"),
    list: async (holder) => (await life.list(checkHolder(holder), maxListed)).map(toListing),
    endAll: async (holder) => await life.endAll(checkHolder(holder), "logout"),
    publicKeys: () => publicKeys,
    jwks: () => ({ keys: publicKeys.map((key) => ({ ...key })) }),
    jwksResponse: () => jsonReply(200, { keys: publicKeys }, { "content-type": "application/jwk-set+json" }),
  };
}

function checkHolder({ subject, tenant }: SessionHolder): Pick<StoredSession, "subject" | "tenant"> {
  return {
    subject: assertName("subject", subject),
    ...(tenant === undefined ? {} : { tenant: assertName("tenant", tenant) }),
  };
}

function describe({ sessionId, subject, tenant, clientId, claims }: StoredSession): SessionDescription {
  return { sessionId, subject, tenant, clientId, claims };
}

function toListing({ sessionId, clientId, device, family }: StoredSession): SessionListing {
  const { startedAt, spentAt, expiresAt } = family;
  return { sessionId, clientId, device, createdAt: startedAt, lastUsedAt: spentAt[0] ?? startedAt, expiresAt };
}
