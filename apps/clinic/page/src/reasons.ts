/**
 * Reads why something was refused, failed or ended. The server says it as `name[;action=a][;retry_after=s]`, on a
 * failed call followed by `: ` and a text for people; the stock client wraps that in sentences of its own, and an HTTP
 * failure carries it in the `error` field of its body.
 */

/**
 * What the person should be told. The four that matter stay apart: this action is denied · the credential expired,
 * it is being refreshed · the service failed, trying again · sign in again. `failed` is the rest: the request itself
 * was not accepted, and repeating it unchanged will not help.
 */
export type Condition = "denied" | "expired" | "unavailable" | "relogin" | "failed";

export interface Failure {
  readonly condition: Condition;
  /** The reason's name, `token_expired`; undefined where the server gave none. */
  readonly name: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** The server's text for people, without the reason. */
  readonly detail: string | undefined;
  /** What was said, without the client's own wrapping; empty when nothing was. */
  readonly text: string;
  /** HTTP status, where an HTTP answer carried the failure. */
  readonly status: number | undefined;
  /** The connection went away under a call: whether the call took effect is unknown. */
  readonly isLost: boolean;
}

/**
 * Reads any error of the stock client, of `fetch` or of this page. `fallback` is the condition of a text without a
 * reason: `unavailable` where connecting failed, `failed` where the server answered a call.
 */
export function readFailure(error: unknown, fallback: Condition = "unavailable"): Failure {
  const { text, status, isLost } = unwrap(messageOf(error));
  const reason = parseReason(text);
  if (reason !== undefined) return { ...reason, text, status, isLost };
  const refusal = parseHubException(text);
  if (refusal !== undefined) return { ...blank, condition: "denied", detail: refusal, text, status, isLost };
  return { ...blank, condition: isLost ? "unavailable" : conditionOf(status, fallback), text, status, isLost };
}

/** Reads the body of an HTTP refusal: `{"error": "token_expired;action=refresh"}`, or none. */
export function readHttpFailure(status: number, body: string, retryAfterSeconds?: number): Failure {
  const text = errorField(body) ?? "";
  const reason = parseReason(text);
  const base = reason ?? { ...blank, condition: conditionOf(status, "failed") };
  return {
    ...base,
    retryAfterSeconds: base.retryAfterSeconds ?? retryAfterSeconds,
    text: text === "" ? `HTTP ${status}` : text,
    status,
    isLost: false,
  };
}

const blank = { name: undefined, retryAfterSeconds: undefined, detail: undefined } as const;

const conditionOfAction: Readonly<Record<string, Condition>> = {
  none: "denied",
  refresh: "expired",
  reconnect: "unavailable",
  "retry-after": "unavailable",
  relogin: "relogin",
  "fix-request": "failed",
};

/** Names that travel without an action. Any other lone word at the start of a text is only a word. */
const namesWithoutAction = new Set([
  "forbidden",
  "invalid_credentials",
  "account_disabled",
  "tenant_suspended",
  "superseded",
  "normal",
  "not_member",
  "result_too_large",
]);

const reasonPattern = /^([a-z][a-z_]{0,39})((?:;[a-z_]{1,20}=[\w-]{1,40})*)(?:: ([^]*))?$/;

function parseReason(text: string): Pick<Failure, "condition" | "name" | "retryAfterSeconds" | "detail"> | undefined {
  const match = reasonPattern.exec(text);
  const name = match?.[1];
  if (match === null || name === undefined) return undefined;
  const parameters = new Map(
    (match[2] ?? "")
      .split(";")
      .slice(1)
      .map((pair) => pair.split("=", 2) as [string, string]),
  );
  if (parameters.size === 0 && !namesWithoutAction.has(name)) return undefined;
  const retryAfter = Number(parameters.get("retry_after") ?? Number.NaN);
  return {
    // A token the server cannot verify may have been signed with a key it has since lost: one refresh is worth a try.
    condition:
      name === "invalid_token" ? "expired" : (conditionOfAction[parameters.get("action") ?? "none"] ?? "failed"),
    name,
    retryAfterSeconds: Number.isSafeInteger(retryAfter) ? Math.min(86_400, retryAfter) : undefined,
    detail: match[3] === "" ? undefined : match[3],
  };
}

/** .NET's wording for what a hub method refuses on purpose, and for a method the caller may not call. */
function parseHubException(text: string): string | undefined {
  const thrown = /^An unexpected error occurred invoking '[^']*' on the server\. HubException: ([^]+)$/.exec(text);
  if (thrown !== null) return thrown[1];
  return /^Failed to invoke '[^']*' because user is unauthorized/.test(text) ? text : undefined;
}

function conditionOf(status: number | undefined, fallback: Condition): Condition {
  if (status === undefined) return fallback;
  if (status === 401) return "expired";
  if (status === 403) return "denied";
  if (status === 404 || status === 408 || status === 429 || status >= 500) return "unavailable";
  return "failed";
}

function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === "string" ? error : "";
}

const clientPrefix =
  /^(?:Failed to complete negotiation with the server: |Failed to start the connection: |Server returned handshake error: |(?:[A-Z]\w*)?Error: )/;
const closePrefix = "Server returned an error on close: ";
const lostPattern =
  /^(?:$|Invocation canceled|Cannot send data if|The connection was stopped|The underlying connection was closed|WebSocket is not in the OPEN state|Server timeout elapsed|Connection closed|Failed to fetch|NetworkError|Load failed)/;

/** Takes off what the client put around the server's words. */
function unwrap(message: string): { text: string; status: number | undefined; isLost: boolean } {
  let text = message;
  while (clientPrefix.test(text)) text = text.replace(clientPrefix, "");
  if (text.startsWith(closePrefix)) return { text: text.slice(closePrefix.length), status: undefined, isLost: true };
  const bare = /^WebSocket closed with status code: \d+ \(([^]*)\)\.$/.exec(text);
  if (bare !== null) {
    const reason = bare[1] ?? "";
    return { text: parseReason(reason) === undefined ? text : reason, status: undefined, isLost: true };
  }
  const http = /^([^]*): Status code '(\d{3})'/.exec(text);
  if (http === null) return { text, status: undefined, isLost: lostPattern.test(text) };
  const body = http[1] ?? "";
  return { text: errorField(body) ?? body, status: Number(http[2]), isLost: false };
}

function errorField(body: string): string | undefined {
  if (!body.startsWith("{")) return undefined;
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== "object" || parsed === null || !("error" in parsed)) return undefined;
    return typeof parsed.error === "string" ? parsed.error.slice(0, 500) : undefined;
  } catch {
    return undefined; // a proxy's page, not the server's answer
  }
}
