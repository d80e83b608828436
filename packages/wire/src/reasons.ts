/**
 * The catalogue of reasons: every way a call, a connection or a request can be refused or ended, with what
 * the client should do about it. Names are public API: they never change meaning.
 *
 * On the wire a reason reads `name[;action=a][;retry_after=s]`: ASCII, built from this table and one whole
 * number, short enough for a WebSocket close frame (RFC 6455 5.5.1: 123 bytes). On a failed call `: ` and a
 * constant text for people may follow; nobody parses that text.
 */

/** What a client should do next. `none`: nothing will help but asking a person for access. */
export type ReasonAction = "none" | "fix-request" | "refresh" | "reconnect" | "retry-after" | "relogin";

export interface ReasonEntry {
  /** WebSocket close code, or null where this reason never closes a connection. */
  readonly closeCode: number | null;
  readonly action: ReasonAction;
  /** What `Close.allowReconnect` says on a hub connection: the only thing that stops a stock client's reconnects. */
  readonly allowReconnect: boolean;
  /** HTTP status where a request is refused for this reason, or null where none is. */
  readonly httpStatus: number | null;
}

const table = {
  // The connection as such.
  normal: { closeCode: 1000, action: "none", allowReconnect: false, httpStatus: null },
  going_away: { closeCode: 1001, action: "retry-after", allowReconnect: true, httpStatus: 503 },
  protocol_error: { closeCode: 1002, action: "fix-request", allowReconnect: false, httpStatus: null },
  unsupported_data: { closeCode: 1003, action: "fix-request", allowReconnect: false, httpStatus: null },
  invalid_payload: { closeCode: 1007, action: "fix-request", allowReconnect: false, httpStatus: null },
  policy_violation: { closeCode: 1008, action: "fix-request", allowReconnect: false, httpStatus: null },
  message_too_big: { closeCode: 1009, action: "fix-request", allowReconnect: false, httpStatus: 413 },
  unexpected_error: { closeCode: 1011, action: "retry-after", allowReconnect: true, httpStatus: 500 },
  service_restart: { closeCode: 1012, action: "retry-after", allowReconnect: true, httpStatus: 503 },
  try_again_later: { closeCode: 1013, action: "retry-after", allowReconnect: true, httpStatus: 503 },
  bad_request: { closeCode: 4400, action: "fix-request", allowReconnect: false, httpStatus: 400 },
  handshake_required: { closeCode: 4400, action: "fix-request", allowReconnect: false, httpStatus: null },
  too_deep: { closeCode: 4400, action: "fix-request", allowReconnect: false, httpStatus: null },
  malformed_unicode: { closeCode: 4400, action: "fix-request", allowReconnect: false, httpStatus: null },
  not_found: { closeCode: 4404, action: "reconnect", allowReconnect: true, httpStatus: 404 },
  protocol_not_supported: { closeCode: 4406, action: "fix-request", allowReconnect: false, httpStatus: null },
  handshake_timeout: { closeCode: 4408, action: "retry-after", allowReconnect: true, httpStatus: null },
  superseded: { closeCode: 4409, action: "none", allowReconnect: false, httpStatus: 409 },
  slow_consumer: { closeCode: 4430, action: "retry-after", allowReconnect: true, httpStatus: null },
  heartbeat_timeout: { closeCode: 4431, action: "reconnect", allowReconnect: true, httpStatus: null },
  internal_error: { closeCode: 4500, action: "retry-after", allowReconnect: true, httpStatus: 500 },
  upstream_timeout: { closeCode: 4504, action: "retry-after", allowReconnect: true, httpStatus: 504 },

  // The life of the credential.
  token_expired: { closeCode: 4401, action: "refresh", allowReconnect: true, httpStatus: 401 },
  token_expiring: { closeCode: null, action: "refresh", allowReconnect: true, httpStatus: null },
  forbidden: { closeCode: 4403, action: "none", allowReconnect: false, httpStatus: 403 },
  session_revoked: { closeCode: 4410, action: "relogin", allowReconnect: false, httpStatus: 401 },
  reauth_required: { closeCode: 4411, action: "refresh", allowReconnect: true, httpStatus: 401 },
  principal_mismatch: { closeCode: null, action: "relogin", allowReconnect: true, httpStatus: 403 },
  account_disabled: { closeCode: 4413, action: "none", allowReconnect: false, httpStatus: 403 },
  tenant_suspended: { closeCode: 4413, action: "none", allowReconnect: false, httpStatus: 403 },
  invalid_token: { closeCode: 4414, action: "relogin", allowReconnect: false, httpStatus: 401 },
  ticket_invalid: { closeCode: 4415, action: "reconnect", allowReconnect: true, httpStatus: 401 },
  auth_unavailable: { closeCode: 4503, action: "retry-after", allowReconnect: true, httpStatus: 503 },

  // Limits.
  rate_limited: { closeCode: 4429, action: "retry-after", allowReconnect: true, httpStatus: 429 },
  connection_limit: { closeCode: 4429, action: "retry-after", allowReconnect: true, httpStatus: 429 },

  // One call: the call fails, the connection stays.
  /** The application refused in its own words, which are the detail. Hubs say it in .NET's wording. */
  application_error: { closeCode: null, action: "none", allowReconnect: true, httpStatus: null },
  bad_arguments: { closeCode: null, action: "fix-request", allowReconnect: true, httpStatus: null },
  method_not_found: { closeCode: null, action: "fix-request", allowReconnect: true, httpStatus: null },
  not_member: { closeCode: null, action: "none", allowReconnect: true, httpStatus: null },
  bad_room: { closeCode: null, action: "fix-request", allowReconnect: true, httpStatus: null },
  room_limit: { closeCode: null, action: "none", allowReconnect: true, httpStatus: null },
  stream_limit: { closeCode: null, action: "none", allowReconnect: true, httpStatus: null },
  too_many_inflight: { closeCode: null, action: "retry-after", allowReconnect: true, httpStatus: null },
  idempotency_conflict: { closeCode: null, action: "fix-request", allowReconnect: true, httpStatus: 409 },
  outcome_unknown: { closeCode: null, action: "none", allowReconnect: true, httpStatus: null },
  result_too_large: { closeCode: null, action: "none", allowReconnect: true, httpStatus: null },

  // One HTTP request. The first of rooms is a WebSocket, which is told in the socket to whom a status is not shown.
  invalid_request: { closeCode: 4400, action: "fix-request", allowReconnect: false, httpStatus: 400 },
  invalid_dpop_proof: { closeCode: 4400, action: "fix-request", allowReconnect: false, httpStatus: 401 },
  use_dpop_nonce: { closeCode: 4400, action: "fix-request", allowReconnect: false, httpStatus: 401 },
  origin_denied: { closeCode: 4403, action: "fix-request", allowReconnect: false, httpStatus: 403 },
  refresh_superseded: { closeCode: null, action: "retry-after", allowReconnect: true, httpStatus: 409 },
  not_durable: { closeCode: null, action: "retry-after", allowReconnect: true, httpStatus: 503 },
} as const;

export type ReasonName = keyof typeof table;

/** The catalogue itself, each entry checked against its shape here. Look names up with {@link isReasonName} first when they come from outside. */
export const reasons: Readonly<Record<ReasonName, ReasonEntry>> = table;

export function isReasonName(name: string): name is ReasonName {
  return Object.hasOwn(table, name);
}

export interface ReasonParameters {
  /** Seconds until trying again can succeed; rounded up to a whole number of at least 1. */
  readonly retryAfterSeconds?: number | undefined;
}

/** Writes a reason as it travels: `token_expired;action=refresh`. At most 123 bytes of ASCII, never peer data. */
export function formatReason(name: ReasonName, { retryAfterSeconds }: ReasonParameters = {}): string {
  const { action } = reasons[name];
  const actionPart = action === "none" ? "" : `;action=${action}`;
  const seconds = wholeRetryAfter(retryAfterSeconds);
  return seconds === undefined ? name + actionPart : `${name}${actionPart};retry_after=${seconds}`;
}

/** Seconds until trying again can succeed, as they travel: whole ones, from 1 to a day. Undefined for no such number. */
export function wholeRetryAfter(seconds: number | undefined): number | undefined {
  if (seconds === undefined || !Number.isFinite(seconds)) return undefined;
  return Math.min(86_400, Math.max(1, Math.ceil(seconds)));
}

export interface ParsedReason {
  readonly name: ReasonName;
  readonly action: ReasonAction;
  readonly retryAfterSeconds: number | undefined;
}

const REASON_PATTERN =
  /^([a-z_]{1,40})(?:;action=([a-z-]{1,20}))?(?:;retry_after=(\d{1,6}))?(?:;id=[\w-]{1,40})?(?:: |$)/;

/**
 * Reads a reason at the start of a text, or returns undefined when there is none. Strip a client library's own
 * prefix before: catalogue names stand alone at the start, application errors never do.
 */
export function parseReason(text: string): ParsedReason | undefined {
  const match = REASON_PATTERN.exec(text);
  const name = match?.[1];
  if (match === null || name === undefined || !isReasonName(name)) return undefined;
  const retryAfter = match[3];
  return {
    name,
    action: reasons[name].action,
    retryAfterSeconds: retryAfter === undefined ? undefined : Number(retryAfter),
  };
}

export interface HubwardErrorOptions extends ReasonParameters {
  /** A constant text for people; it may reach the peer. Never a token, a claim or a payload. */
  readonly detail?: string | undefined;
  readonly cause?: unknown;
}

/**
 * Hostile or unlucky input, or a decision against it. `message` is what may be shown to the peer:
 * `forbidden: this ward needs a matching department`. Misuse by the programmer is a TypeError or RangeError.
 */
export class HubwardError extends Error {
  override readonly name = "HubwardError";
  readonly reason: ReasonName;
  readonly retryAfterSeconds: number | undefined;
  readonly detail: string | undefined;

  constructor(reason: ReasonName, { retryAfterSeconds, detail, cause }: HubwardErrorOptions = {}) {
    const head = formatReason(reason, { retryAfterSeconds });
    super(detail === undefined ? head : `${head}: ${detail}`, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
    this.detail = detail;
  }
}
