/**
 * The messages of SignalR's hub protocol as plain values, the same in both directions and for both encodings.
 *
 * @see HubProtocol.md in dotnet/aspnetcore, `src/SignalR/docs/specs`
 */

import type { ReadLimits } from "../encoding/limits.js";
import type { FrameHeader } from "../websocket/frame.js";

/** Type numbers as they stand on the wire. */
export const messageType = {
  invocation: 1,
  streamItem: 2,
  completion: 3,
  streamInvocation: 4,
  cancelInvocation: 5,
  ping: 6,
  close: 7,
  ack: 8,
  sequence: 9,
} as const;

export type MessageHeaders = Readonly<Record<string, string>>;

export interface InvocationMessage {
  readonly type: typeof messageType.invocation;
  /** Absent: the sender wants no Completion, ever. */
  readonly invocationId?: string | undefined;
  readonly target: string;
  readonly arguments: readonly unknown[];
  readonly streamIds?: readonly string[] | undefined;
  readonly headers?: MessageHeaders | undefined;
}

export interface StreamInvocationMessage {
  readonly type: typeof messageType.streamInvocation;
  readonly invocationId: string;
  readonly target: string;
  readonly arguments: readonly unknown[];
  readonly streamIds?: readonly string[] | undefined;
  readonly headers?: MessageHeaders | undefined;
}

export interface StreamItemMessage {
  readonly type: typeof messageType.streamItem;
  readonly invocationId: string;
  readonly item: unknown;
  readonly headers?: MessageHeaders | undefined;
}

/**
 * How a call ended. A void result and a null result are different things to some clients. An error should have a
 * text: stock clients take an empty one for success.
 */
export type CompletionOutcome =
  | { readonly kind: "error"; readonly error: string }
  | { readonly kind: "void" }
  | { readonly kind: "value"; readonly value: unknown };

export interface CompletionMessage {
  readonly type: typeof messageType.completion;
  readonly invocationId: string;
  readonly outcome: CompletionOutcome;
  readonly headers?: MessageHeaders | undefined;
}

export interface CancelInvocationMessage {
  readonly type: typeof messageType.cancelInvocation;
  readonly invocationId: string;
  readonly headers?: MessageHeaders | undefined;
}

export interface PingMessage {
  readonly type: typeof messageType.ping;
}

export interface CloseMessage {
  readonly type: typeof messageType.close;
  readonly error?: string | undefined;
  /** Written only when true, as .NET does. */
  readonly allowReconnect?: boolean | undefined;
}

export interface AckMessage {
  readonly type: typeof messageType.ack;
  readonly sequenceId: number;
}

export interface SequenceMessage {
  readonly type: typeof messageType.sequence;
  readonly sequenceId: number;
}

export type HubMessage =
  | InvocationMessage
  | StreamInvocationMessage
  | StreamItemMessage
  | CompletionMessage
  | CancelInvocationMessage
  | PingMessage
  | CloseMessage
  | AckMessage
  | SequenceMessage;

/** What a decoder may spend on one message. Defaults of the common ones: 32768 bytes, 32 deep, 10000 values. */
export interface DecodeLimits extends ReadLimits {
  /** Bytes (UTF-8) of a target. Default 128. */
  readonly maxTargetBytes: number;
  /** Bytes (UTF-8) of an invocation id or a stream id. Default 64. */
  readonly maxIdBytes: number;
  /** Arguments of one invocation. Default 16. */
  readonly maxArguments: number;
  /** Stream ids of one invocation. Default 8. */
  readonly maxStreams: number;
}

export const decodeLimitDefaults: DecodeLimits = {
  maxBytes: 32 * 1024, // .NET's MaximumReceiveMessageSize
  maxDepth: 32,
  maxNodes: 10_000,
  maxTargetBytes: 128,
  maxIdBytes: 64,
  maxArguments: 16,
  maxStreams: 8,
};

/** One encoding of hub messages. Stateless; framing (record separator, length prefix) is included when encoding. */
export interface HubCodec {
  readonly name: "json" | "messagepack";
  /** "text": WebSocket text frames. "binary": WebSocket binary frames. */
  readonly transferFormat: "text" | "binary";
  /**
   * Encodes one message with its framing. The bytes are the caller's own; their `buffer` may hold those of others, too.
   * Throws TypeError for a value the encoding has no form for.
   * @param header what a transport puts in front of them, if anything: written here, so that nothing is copied
   */
  encode(message: HubMessage, header?: FrameHeader): Uint8Array;
  /**
   * Decodes the body of one message, its framing already taken off.
   * Returns undefined for a message type this version does not know (ignored, as .NET and the stock client do).
   * @throws HubwardError bad_request | too_deep | malformed_unicode | message_too_big, and nothing else.
   */
  decode(body: Uint8Array, limits?: DecodeLimits): HubMessage | undefined;
}
