/** The words for what happened. The four conditions a person must be able to tell apart each have their own. */
import type { ConnectionState } from "./connection.js";
import type { Condition, Failure } from "./reasons.js";

export const conditionTitles: Readonly<Record<Condition, string>> = {
  denied: "Not allowed",
  expired: "Credential expired, refreshing it",
  unavailable: "Service not available, trying again",
  relogin: "Sign in again",
  failed: "Not accepted",
};

const sentences: Readonly<Record<string, string>> = {
  forbidden: "Your account does not have access to this.",
  account_disabled: "This account has been disabled. Please ask an administrator.",
  tenant_suspended: "Your clinic's access is suspended. Please ask an administrator.",
  superseded: "A newer connection of the same session has taken over.",
  token_expired: "The credential of this connection reached its end.",
  reauth_required: "Your permissions changed, so a new credential is needed.",
  session_revoked: "This session has been ended.",
  invalid_token: "The credential was not accepted.",
  auth_unavailable: "Credentials cannot be checked or renewed right now. You stay signed in.",
  refresh_superseded: "Another tab is renewing the session. You stay signed in.",
  rate_limited: "That was a little too fast.",
  connection_limit: "There are too many connections right now.",
  too_many_inflight: "Too many requests are under way.",
  service_restart: "The service is restarting.",
  going_away: "The service is moving its connections elsewhere.",
  try_again_later: "The service is busy.",
  slow_consumer: "This page could not keep up with the readings.",
  heartbeat_timeout: "The connection fell silent.",
  idempotency_conflict: "The same order was already sent with other contents.",
  bad_arguments: "The server could not read the request.",
  invalid_credentials: "The name or the password is not right.",
  origin_denied: "This address may not be used to reach the clinic.",
};

/** One sentence for people: the server's own where it gave one. */
export function describeFailure(failure: Failure): string {
  const { name, detail, condition, isLost, status, text } = failure;
  if (detail !== undefined) return asSentence(detail);
  if (name !== undefined && sentences[name] !== undefined) return sentences[name];
  if (condition === "expired" && status === 401) return "The credential was not accepted.";
  if (condition === "denied" && status === 403) return "Your account does not have access to this.";
  if (status !== undefined && condition === "unavailable") return `The service answered with HTTP ${status}.`;
  if (condition === "unavailable") return isLost ? "The connection was lost." : "The service does not answer.";
  return text === "" ? "The server gave no reason." : asSentence(text);
}

export const badgeLabels: Readonly<Record<ConnectionState["kind"], string>> = {
  idle: "Not connected",
  connecting: "Connecting",
  live: "Live",
  refreshing: "Refreshing credential",
  reconnecting: "Reconnecting",
  closed: "Closed",
  denied: "Not allowed",
};

/** `seconds` as m:ss. */
export function formatCountdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const hours = Math.floor(seconds / 3_600);
  const minutes = String(Math.floor((seconds % 3_600) / 60)).padStart(hours > 0 ? 2 : 1, "0");
  return `${hours > 0 ? `${hours}:` : ""}${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}

function asSentence(text: string): string {
  const trimmed = text.trim();
  const ended = /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}
