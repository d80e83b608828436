/**
 * The messages of the rooms protocol as plain values, the same for every encoding.
 *
 * @see docs/rooms-protocol.md
 */

import type { ReadLimits } from "../encoding/limits.js";
import type { Notice } from "../notices.js";
import type { ReasonName } from "../reasons.js";
import type { FrameHeader } from "../websocket/frame.js";

/** Chosen by the client: a text of 1 to 64 UTF-16 units, or a whole number from 0 to 2^53 - 1. */
export type RequestId = string | number;

/** What a client asks for. Without an `id` it wants no answer but a refusal. */
export type RoomsRequest =
  | {
      readonly type: "auth";
      readonly id: RequestId | undefined;
      readonly token: string;
      /** The DPoP proof of a token that is bound to a key. */
      readonly proof: string | undefined;
    }
  | { readonly type: "join"; readonly id: RequestId | undefined; readonly room: string }
  | { readonly type: "leave"; readonly id: RequestId | undefined; readonly room: string }
  | {
      readonly type: "publish";
      readonly id: RequestId | undefined;
      readonly room: string;
      readonly event: string;
      /** Null where the client gave none. */
      readonly payload: unknown;
      readonly command: string | undefined;
    }
  | {
      readonly type: "who";
      readonly id: RequestId | undefined;
      readonly room: string;
      /** Undefined: as it was. */
      readonly follow: boolean | undefined;
    }
  | { readonly type: "ping"; readonly id: RequestId | undefined }
  | { readonly type: "notices"; readonly id: RequestId | undefined }
  | MalformedRequest;

/** A whole message that is no request: refused with `bad_request`, and the connection stays. */
export interface MalformedRequest {
  readonly type: "malformed";
  /** Where it is one. */
  readonly id: RequestId | undefined;
  /** Which it would have been; never a name that the client made up. */
  readonly request: RequestType | undefined;
  readonly room: undefined;
  /** What is wrong with it: a constant text, of nothing that the client wrote. */
  readonly detail: string;
}

/** The names of the requests there are. */
export type RequestType = Exclude<RoomsRequest["type"], "malformed">;

/** Why something failed or ended. A {@link HubwardError} is one. */
export interface Refusal {
  readonly reason: ReasonName;
  /** Rounded up to a whole number of at least 1. */
  readonly retryAfterSeconds?: number | undefined;
  /** A constant text for people. Never a token, a claim or a payload. */
  readonly detail?: string | undefined;
}

/** What a server tells a client. Answers carry the `id` of their request, where it had one. */
export type RoomsFrame =
  | {
      readonly type: "ready";
      readonly id: RequestId | undefined;
      readonly connectionId: string;
      readonly expiresInSeconds: number;
      readonly heartbeatSeconds: number;
    }
  | { readonly type: "joined"; readonly id: RequestId | undefined; readonly room: string }
  | {
      readonly type: "left";
      readonly id: RequestId | undefined;
      readonly room: string;
      readonly why: "asked" | "removed" | "lost";
    }
  | {
      readonly type: "message";
      /** Undefined: said to the connection or the person, not in a room. */
      readonly room: string | undefined;
      readonly event: string;
      readonly args: readonly unknown[];
    }
  | {
      readonly type: "ack";
      readonly id: RequestId | undefined;
      readonly expiresInSeconds?: number | undefined;
      readonly result?: unknown;
    }
  | {
      readonly type: "present";
      readonly id: RequestId | undefined;
      readonly room: string;
      readonly members: readonly unknown[];
      /** Whether there are more than could be told. */
      readonly more?: boolean | undefined;
    }
  | {
      readonly type: "presence";
      readonly room: string;
      readonly joined: readonly unknown[];
      readonly left: readonly unknown[];
    }
  | { readonly type: "pong"; readonly id: RequestId | undefined }
  | { readonly type: "notice"; readonly notice: RoomsNotice }
  | {
      readonly type: "error";
      readonly id: RequestId | undefined;
      /** What was asked for; `malformed` is not written. */
      readonly request: RoomsRequest["type"] | undefined;
      readonly room: string | undefined;
      readonly error: Refusal;
    }
  | { readonly type: "closing"; readonly error: Refusal };

/** What changed in memberships is told room by room here. */
export type RoomsNotice = Exclude<Notice, { readonly kind: "memberships-changed" }>;

export const roomsLimitDefaults: ReadLimits = { maxBytes: 64 * 1024, maxDepth: 32, maxNodes: 10_000 };

/** One dialect of the protocol in one encoding. Stateless. */
export interface RoomsCodec {
  /** For logs, and for telling which frames have the same bytes. */
  readonly name: "rooms-json" | "rooms-messagepack" | "chat";
  /** What the handshake's answer says, or undefined where it must say nothing. */
  readonly subprotocol: string | undefined;
  /** The kind of WebSocket message its frames are. */
  readonly opcode: "text" | "binary";
  /**
   * One frame as one message, or undefined where this dialect has no form for it. The bytes are the caller's own; their
   * `buffer` may hold those of others, too.
   * @param header what a transport puts in front of them, if anything: written here, so that nothing is copied
   * @throws TypeError for a value the encoding has no form for
   */
  encode(frame: RoomsFrame, header?: FrameHeader): Uint8Array | undefined;
  /**
   * One message of a client. Whoever sends something that is refused here does not speak this protocol.
   * @throws HubwardError bad_request | too_deep | malformed_unicode | message_too_big, and nothing else.
   */
  decode(body: Uint8Array, limits: ReadLimits): RoomsRequest;
}
