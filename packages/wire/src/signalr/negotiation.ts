/**
 * The bodies of `POST {hub}/negotiate`: who may connect, how, and under which id.
 *
 * @see TransportProtocols.md, `POST [endpoint-base]/negotiate`; the texts are those of .NET's
 *   HttpConnectionDispatcher
 */

/** 0: the connection id is the secret. 1: a connection token is, and the id is public. */
export type NegotiateVersion = 0 | 1;

export type NegotiateVersionResult =
  | { readonly ok: true; readonly version: NegotiateVersion }
  /** `error` is the only field of the body, which is sent with status 200. */
  | { readonly ok: false; readonly error: string };

const MAX_VERSION = 1;
const MAX_INT32 = 2 ** 31 - 1;

/**
 * Judges the query parameter `negotiateVersion`: absent is 0, later versions are answered as 1.
 * `minimum` is the lowest version the server speaks, default 0.
 */
export function parseNegotiateVersion(
  value: string | undefined,
  minimum: NegotiateVersion = 0,
): NegotiateVersionResult {
  const text = value === undefined ? "0" : value.trim();
  const requested = /^[+-]?\d{1,20}$/.test(text) ? Number(text) : Number.NaN;
  if (!(Math.abs(requested) <= MAX_INT32)) {
    return { ok: false, error: "The client requested a non-integer protocol version." };
  }
  if (requested < minimum) {
    const error = `The client requested version '${requested}', but the server does not support this version.`;
    return { ok: false, error };
  }
  return { ok: true, version: requested >= MAX_VERSION ? 1 : 0 };
}

export type TransportName = "WebSockets" | "ServerSentEvents" | "LongPolling";
export type TransferFormatName = "Text" | "Binary";

export interface AvailableTransport {
  readonly transport: TransportName;
  readonly transferFormats: readonly TransferFormatName[];
}

/** All transports, in the order in which clients try them. */
export const allTransports: readonly AvailableTransport[] = [
  { transport: "WebSockets", transferFormats: ["Text", "Binary"] },
  { transport: "ServerSentEvents", transferFormats: ["Text"] },
  { transport: "LongPolling", transferFormats: ["Text", "Binary"] },
];

interface NegotiatedConnection {
  readonly kind: "connection";
  readonly connectionId: string;
  readonly availableTransports: readonly AvailableTransport[];
  /** Used instead of the application's token for this connection; stock clients honour it without a url. */
  readonly accessToken?: string | undefined;
  /** Whole seconds until the credential expires (.NET 11, authentication refresh). */
  readonly tokenLifetimeSeconds?: number | undefined;
  /** Only for a client that asked for it: to any other it is an error. */
  readonly useStatefulReconnect?: boolean | undefined;
}

/** An answer in version 0: `connectionId` is used as `id` and is a secret. */
export interface NegotiatedConnectionV0 extends NegotiatedConnection {
  readonly negotiateVersion: 0;
}

/** An answer in version 1: `connectionToken` is used as `id` and is a secret. */
export interface NegotiatedConnectionV1 extends NegotiatedConnection {
  readonly negotiateVersion: 1;
  readonly connectionToken: string;
}

/** Negotiate again at `url`, with `accessToken` if there is one. */
export interface NegotiateRedirect {
  readonly kind: "redirect";
  readonly url: string;
  readonly accessToken?: string | undefined;
}

/** Stock clients show the text unchanged. */
export interface NegotiateFailure {
  readonly kind: "error";
  readonly error: string;
}

export type NegotiateResponse = NegotiatedConnectionV0 | NegotiatedConnectionV1 | NegotiateRedirect | NegotiateFailure;

/** Writes the JSON body. @throws RangeError for a token lifetime that is not a whole number of seconds from 0 on */
export function negotiateBody(response: NegotiateResponse): string {
  switch (response.kind) {
    case "error":
      return JSON.stringify({ error: response.error });
    case "redirect":
      return JSON.stringify({ url: response.url, accessToken: response.accessToken });
    case "connection":
      return connectionBody(response);
  }
}

function connectionBody(response: NegotiatedConnectionV0 | NegotiatedConnectionV1): string {
  const { negotiateVersion, connectionId, availableTransports, accessToken, tokenLifetimeSeconds } = response;
  if (tokenLifetimeSeconds !== undefined && !isLifetime(tokenLifetimeSeconds)) {
    throw new RangeError("tokenLifetimeSeconds: a whole number of at least 0");
  }
  let body = `{"negotiateVersion":${negotiateVersion},"connectionId":${JSON.stringify(connectionId)}`;
  if (response.negotiateVersion === 1) body += `,"connectionToken":${JSON.stringify(response.connectionToken)}`;
  body += `,"availableTransports":${transportsJson(availableTransports)}`;
  if (accessToken !== undefined) body += `,"accessToken":${JSON.stringify(accessToken)}`;
  if (tokenLifetimeSeconds !== undefined) body += `,"tokenLifetimeSeconds":${tokenLifetimeSeconds}`;
  return `${body}${response.useStatefulReconnect === true ? `,"useStatefulReconnect":true` : ""}}`;
}

/** A server offers the same ones to everybody. */
const renderedTransports = new WeakMap<readonly AvailableTransport[], string>();

function transportsJson(transports: readonly AvailableTransport[]): string {
  const known = renderedTransports.get(transports);
  if (known !== undefined) return known;
  const rendered = JSON.stringify(transports);
  renderedTransports.set(transports, rendered);
  return rendered;
}

/** Whether a value is a token lifetime: whole seconds, 0 or more. */
export function isLifetime(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
