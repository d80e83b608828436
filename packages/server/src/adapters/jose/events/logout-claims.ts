/** What a logout token must say (OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.6). */

import type { EventTarget, SecurityAction } from "../../../core/auth/security-action.js";
import type { EpochMs } from "../../../core/clock.js";
import { assertAudience, readIdentifier, readInstant, type Claims } from "../claim-values.js";
import { refuseToken } from "../refuse-token.js";
import { ownMember } from "../strict-json.js";

/** Somebody signed out at the issuer. */
export interface Logout {
  readonly issuer: string;
  /** Whose sessions end, where no session is named; all of them. */
  readonly subject: string | undefined;
  /** The session that ends (`sid`): then this one alone. */
  readonly sessionId: string | undefined;
  /** What follows, for `app.carryOut`: the end of the session, else of all of the subject's. */
  readonly action: SecurityAction;
  /** `jti`. */
  readonly tokenId: string;
  readonly issuedAt: EpochMs;
}

export interface LogoutRules {
  readonly issuer: string;
  readonly audience: ReadonlySet<string>;
  readonly clockSkewMs: number;
  readonly maxAgeMs: number;
}

export interface ReadLogout {
  readonly logout: Logout;
  /** From this instant on the same token would be refused anyway. */
  readonly acceptableUntil: EpochMs;
}

const LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout";

/** @throws HubwardError `invalid_token` */
export function readLogout(claims: Claims, rules: LogoutRules, now: EpochMs): ReadLogout {
  const { issuer, clockSkewMs, maxAgeMs } = rules;
  if (ownMember(claims, "iss") !== issuer) throw refuseToken("the issuer is another");
  assertAudience(ownMember(claims, "aud"), rules.audience);
  const issuedAt = readInstant(claims, "iat");
  const expiresAt = readInstant(claims, "exp");
  if (issuedAt === undefined || expiresAt === undefined) throw refuseToken("the issue or the expiry is missing");
  if (issuedAt > now + clockSkewMs) throw refuseToken("the token was issued in the future");
  const acceptableUntil = (Math.min(expiresAt, issuedAt + maxAgeMs) + clockSkewMs) as EpochMs;
  if (now >= acceptableUntil) throw refuseToken("the token is too old");

  const events = ownMember(claims, "events");
  if (!isObject(events) || !isObject(ownMember(events, LOGOUT_EVENT))) throw refuseToken("this is no logout token");
  // What tells it from an ID token, for whoever would take one for the other.
  if (Object.hasOwn(claims, "nonce")) throw refuseToken("a logout token has no nonce");
  const subject = readIdentifier(claims, "sub");
  const sessionId = readIdentifier(claims, "sid");
  const action = actionOf(issuer, subject, sessionId);
  const tokenId = readIdentifier(claims, "jti");
  if (tokenId === undefined) throw refuseToken("the token id is missing");
  return { logout: Object.freeze({ issuer, subject, sessionId, action, tokenId, issuedAt }), acceptableUntil };
}

/** @throws HubwardError `invalid_token` where nobody is named */
function actionOf(issuer: string, subject: string | undefined, sessionId: string | undefined): SecurityAction {
  if (sessionId !== undefined) return revoke({ type: "session", issuer, sessionId });
  if (subject !== undefined) return revoke({ type: "subject", issuer, subject });
  throw refuseToken("neither a subject nor a session is named");
}

function revoke(target: EventTarget): SecurityAction {
  return Object.freeze({ kind: "revoke", target: Object.freeze(target) });
}

function isObject(value: unknown): value is Claims {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
