/**
 * The handshake of the hub protocol: one JSON message each way, text framing even where binary follows.
 *
 * @see HubProtocol.md, HandshakeRequest and HandshakeResponse; the texts are those of .NET's HubConnectionContext
 */

import { HubwardError } from "../reasons.js";
import { RECORD_SEPARATOR } from "./framing.js";
import { readJsonObject } from "../encoding/json-reader.js";
import type { HubCodec } from "./messages.js";
import { encodeUtf8 } from "../encoding/utf8.js";

export type HubProtocolName = HubCodec["name"];
export type TransferFormat = HubCodec["transferFormat"];

/** What the client asks for. The name is not known to be one of a protocol yet. */
export interface HandshakeRequest {
  readonly protocol: string;
  readonly version: number;
}

/** The server's answer; without an error the connection is open for messages. */
export interface HandshakeResponse {
  readonly error?: string | undefined;
}

/** A handshake message and the bytes behind it, which are hub messages already. */
export interface HandshakeRead<Message> {
  readonly message: Message;
  readonly rest: Uint8Array;
}

/** Version 2 adds Ack and Sequence (stateful reconnect); clients say 1 when they do not use them. */
export const maxProtocolVersion = 2;

/** Bytes of a handshake message, and what it may hold. */
export const handshakeLimits = { maxBytes: 4096, maxDepth: 8, maxNodes: 64 } as const;

/** What .NET answers when there is no request to judge. */
export const handshakeErrors = {
  /** No request in time, or one that is too large. */
  canceled: "Handshake was canceled.",
  /** A request that cannot be read. */
  unreadable: "An unexpected error occurred during connection handshake.",
} as const;

/**
 * Reads the request at the start of everything received so far; undefined: its end has not arrived yet.
 * `maxBytes`: a lower limit than the handshake's own, where the hub has one.
 * @throws HubwardError message_too_big | handshake_required (a JSON object, but no request) | bad_request |
 *   too_deep | malformed_unicode
 */
export function readHandshakeRequest(
  received: Uint8Array,
  maxBytes: number = handshakeLimits.maxBytes,
): HandshakeRead<HandshakeRequest> | undefined {
  const read = readMessage(received, Math.min(maxBytes, handshakeLimits.maxBytes));
  if (read === undefined) return undefined;
  const { protocol, version } = read.message;
  if (protocol === undefined || protocol === null) {
    throw new HubwardError("handshake_required", { detail: "the first message must be a handshake request" });
  }
  if (typeof protocol !== "string") throw badRequest("protocol must be a string");
  if (typeof version !== "number" || !Number.isInteger(version)) throw badRequest("version must be a whole number");
  return { message: { protocol, version }, rest: read.rest };
}

export type HandshakeVerdict =
  | { readonly ok: true; readonly protocol: HubProtocolName; readonly version: number }
  /** `error` is the text of the response, after which the connection is closed as `protocol_not_supported`. */
  | { readonly ok: false; readonly error: string };

const transferFormats: Readonly<Record<HubProtocolName, TransferFormat>> = { json: "text", messagepack: "binary" };

/**
 * Chooses the protocol a client asked for. Names are compared without regard to case, as .NET does.
 * `supported` are the formats the transport can carry: Server-Sent Events have text only.
 */
export function judgeHandshake(
  { protocol, version }: HandshakeRequest,
  supported: readonly TransferFormat[] = ["text", "binary"],
): HandshakeVerdict {
  const name = protocol.toLowerCase();
  if (name !== "json" && name !== "messagepack") {
    return { ok: false, error: `The protocol '${quoteName(protocol)}' is not supported.` };
  }
  if (version < 0 || version > maxProtocolVersion) {
    return { ok: false, error: `The server does not support version ${version} of the '${protocol}' protocol.` };
  }
  const format = transferFormats[name];
  if (!supported.includes(format)) {
    const formatName = format === "text" ? "Text" : "Binary";
    const error =
      `Cannot use the '${name}' protocol on the current transport. ` +
      `The transport does not support '${formatName}' transfer format.`;
    return { ok: false, error };
  }
  return { ok: true, protocol: name, version };
}

/** A peer's text is repeated to it only if it could be a name; nobody should find anything else in a log. */
function quoteName(name: string): string {
  return /^[\w.+-]{1,64}$/.test(name) ? name : "?";
}

/** Writes the request of a client, framed. */
export function encodeHandshakeRequest({ protocol, version }: HandshakeRequest): Uint8Array {
  return encodeUtf8(`${JSON.stringify({ protocol, version })}\x1e`);
}

/** Writes the answer of a server, framed: `{}` when there is no error. */
export function encodeHandshakeResponse({ error }: HandshakeResponse = {}): Uint8Array {
  return encodeUtf8(`${JSON.stringify({ error })}\x1e`);
}

/**
 * Reads the response at the start of everything received so far; undefined: its end has not arrived yet.
 * @throws HubwardError message_too_big | bad_request (also for a hub message) | too_deep | malformed_unicode
 */
export function readHandshakeResponse(received: Uint8Array): HandshakeRead<HandshakeResponse> | undefined {
  const read = readMessage(received, handshakeLimits.maxBytes);
  if (read === undefined) return undefined;
  const { type, error } = read.message;
  if (type !== undefined) throw badRequest("a handshake response must come before any other message");
  if (error === undefined || error === null) return { message: {}, rest: read.rest };
  if (typeof error !== "string") throw badRequest("error must be a string");
  return { message: { error }, rest: read.rest };
}

interface RawHandshake {
  readonly protocol?: unknown;
  readonly version?: unknown;
  readonly type?: unknown;
  readonly error?: unknown;
}

function readMessage(received: Uint8Array, maxBytes: number): HandshakeRead<RawHandshake> | undefined {
  const end = received.indexOf(RECORD_SEPARATOR);
  const length = end === -1 ? received.length : end;
  if (length > maxBytes) {
    throw new HubwardError("message_too_big", { detail: "the handshake is larger than is accepted here" });
  }
  if (end === -1) return undefined;
  return { message: readJsonObject(received.subarray(0, end), handshakeLimits), rest: received.subarray(end + 1) };
}

function badRequest(detail: string): HubwardError {
  return new HubwardError("bad_request", { detail });
}
