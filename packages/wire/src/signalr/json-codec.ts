/**
 * SignalR's JSON encoding: one object a message, closed by a record separator.
 *
 * @see HubProtocol.md, JSON Encoding
 */

import { readJsonObject } from "../encoding/json-reader.js";
import { writeJson, writeString } from "../encoding/json-writer.js";
import { encodeUtf8 } from "../encoding/utf8.js";
import { unreachable } from "../unreachable.js";
import type { FrameHeader } from "../websocket/frame.js";
import { buildMessage } from "./envelope.js";
import { readPlainCall } from "./json-plain-call.js";
import { completionShape, renderPlainResult, streamItemShape, type ResultShape } from "./json-result.js";
import { decodeLimitDefaults, messageType } from "./messages.js";
import type { CompletionMessage, DecodeLimits, HubCodec, HubMessage, MessageHeaders } from "./messages.js";

/**
 * Bytes (Uint8Array) are written as base64, Date as ISO 8601; what arrives is passed on as JSON.parse made it.
 * Lone surrogates are written as escapes. NaN and Infinity become null, members that are undefined are left out.
 */
export const jsonCodec: HubCodec = {
  name: "json",
  transferFormat: "text",

  encode(message: HubMessage, header?: FrameHeader): Uint8Array {
    const { type } = message;
    if (type === messageType.streamItem && message.headers === undefined)
      return encodeResult(streamItemShape, message, message.item, header);
    if (type === messageType.completion && message.headers === undefined && message.outcome.kind === "value")
      return encodeResult(completionShape, message, message.outcome.value, header);
    return encodeUtf8(`${writeMessage(message)}\x1e`, header);
  },

  decode(body: Uint8Array, limits: DecodeLimits = decodeLimitDefaults): HubMessage | undefined {
    return buildMessage(readJsonObject(body, limits, readPlainCall), limits);
  },
};

function encodeResult(shape: ResultShape, message: Head, value: unknown, header: FrameHeader | undefined): Uint8Array {
  const { invocationId } = message;
  const text = typeof value === "string" ? value : "";
  // Once: the application's own toJSON may run.
  const json = typeof value === "string" ? undefined : writeJson(value);
  const plain = renderPlainResult(shape, invocationId, text, json, header);
  if (plain !== undefined) return plain;
  const name = shape === streamItemShape ? "item" : "result";
  return encodeUtf8(`${writeHead(message)},"${name}":${json ?? writeString(text)}}\x1e`, header);
}

/** Assembled by hand: quicker than building an object to stringify, and a payload can never lose its member. */
function writeMessage(message: HubMessage): string {
  switch (message.type) {
    case messageType.invocation:
    case messageType.streamInvocation: {
      const { type, invocationId, target, streamIds = [] } = message;
      const id = invocationId === undefined ? "" : `,"invocationId":${writeString(invocationId)}`;
      const streams = streamIds.length === 0 ? "" : `,"streamIds":${JSON.stringify(streamIds)}`;
      const call = `"target":${writeString(target)},"arguments":${writeJson(message.arguments)}`;
      return `{"type":${type}${writeHeaders(message.headers)}${id},${call}${streams}}`;
    }
    case messageType.streamItem:
      return `${writeHead(message)},"item":${writeJson(message.item)}}`;
    case messageType.completion:
      return `${writeHead(message)}${writeOutcome(message)}}`;
    case messageType.cancelInvocation:
      return `${writeHead(message)}}`;
    case messageType.ping:
      return `{"type":6}`;
    case messageType.close: {
      const error = message.error === undefined ? "" : `,"error":${JSON.stringify(message.error)}`;
      return `{"type":7${error}${message.allowReconnect === true ? `,"allowReconnect":true` : ""}}`;
    }
    case messageType.ack:
    case messageType.sequence:
      return `{"type":${message.type},"sequenceId":${message.sequenceId}}`;
    default:
      return unreachable(message);
  }
}

interface Head {
  readonly type: number;
  readonly invocationId: string;
  readonly headers?: MessageHeaders | undefined;
}

function writeHead({ type, headers, invocationId }: Head): string {
  return `{"type":${type}${writeHeaders(headers)},"invocationId":${writeString(invocationId)}`;
}

function writeHeaders(headers: MessageHeaders | undefined): string {
  if (headers === undefined || Object.keys(headers).length === 0) return "";
  return `,"headers":${JSON.stringify(headers)}`;
}

function writeOutcome({ outcome }: CompletionMessage): string {
  switch (outcome.kind) {
    case "void":
      return "";
    case "error":
      return `,"error":${JSON.stringify(outcome.error)}`;
    case "value":
      return `,"result":${writeJson(outcome.value)}`;
    default:
      return unreachable(outcome);
  }
}
