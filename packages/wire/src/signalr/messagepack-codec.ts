/**
 * SignalR's MessagePack encoding: one array a message, behind the length of its bytes.
 *
 * @see HubProtocol.md, MessagePack (MsgPack) encoding
 */

import { renderFramed } from "../encoding/framed-buffer.js";
import type { FramedBuffer } from "../encoding/framed-buffer.js";
import { readMessagePack } from "../encoding/messagepack-reader.js";
import { writeArray, writeArrayHeader, writeNumber, writeText, writeValue } from "../encoding/messagepack-writer.js";
import { HubwardError } from "../reasons.js";
import { unreachable } from "../unreachable.js";
import type { FrameHeader } from "../websocket/frame.js";
import { buildMessage } from "./envelope.js";
import type { RawEnvelope } from "./envelope.js";
import { decodeLimitDefaults, messageType } from "./messages.js";
import type {
  CloseMessage,
  CompletionMessage,
  DecodeLimits,
  HubCodec,
  HubMessage,
  MessageHeaders,
} from "./messages.js";
import { lengthPrefix } from "./varint.js";

/** Tells how a call ended, in a Completion. */
const resultKind = { error: 1, void: 2, value: 3 } as const;

/**
 * Bytes are binary, Date is the timestamp extension, 64-bit integers beyond 2^53 are bigint. Members that are
 * undefined are left out, as in JSON. An Invocation always has six elements, as .NET writes it.
 */
export const messagePackCodec: HubCodec = {
  name: "messagepack",
  transferFormat: "binary",

  encode(message: HubMessage, header?: FrameHeader): Uint8Array {
    return renderFramed(message, writeMessage, header, lengthPrefix);
  },

  decode(body: Uint8Array, limits: DecodeLimits = decodeLimitDefaults): HubMessage | undefined {
    const elements = readMessagePack(body, limits);
    if (!Array.isArray(elements)) throw badRequest("the message must be an array");
    return buildMessage(nameElements(elements), limits);
  },
};

/** Gives the elements of a message their names. Elements beyond the known ones are left to later versions. */
function nameElements(elements: readonly unknown[]): RawEnvelope {
  const type = elements[0];
  switch (type) {
    case messageType.invocation:
    case messageType.streamInvocation: {
      assertLength(elements, 5); // without streams the stock client leaves the sixth out
      const [, headers, invocationId, target, values, streamIds] = elements;
      return { type, headers, invocationId, target, arguments: values, streamIds };
    }
    case messageType.streamItem: {
      assertLength(elements, 4);
      const [, headers, invocationId, item] = elements;
      return { type, headers, invocationId, item };
    }
    case messageType.completion: {
      assertLength(elements, 4);
      const [, headers, invocationId, kind, value] = elements;
      if (kind === resultKind.void) return { type, headers, invocationId };
      assertLength(elements, 5);
      if (kind === resultKind.value) return { type, headers, invocationId, result: value };
      if (kind !== resultKind.error || typeof value !== "string") {
        throw badRequest("a completion must have an error text, a result or neither");
      }
      return { type, headers, invocationId, error: value };
    }
    case messageType.cancelInvocation:
      assertLength(elements, 3);
      return { type, headers: elements[1], invocationId: elements[2] };
    case messageType.close:
      assertLength(elements, 2);
      return { type, error: elements[1], allowReconnect: elements[2] };
    case messageType.ack:
    case messageType.sequence:
      return { type, sequenceId: elements[1] };
    default:
      return { type };
  }
}

function assertLength(elements: readonly unknown[], least: number): void {
  if (elements.length < least) throw badRequest("the message has too few elements");
}

function badRequest(detail: string): HubwardError {
  return new HubwardError("bad_request", { detail });
}

function writeMessage(to: FramedBuffer, message: HubMessage): void {
  switch (message.type) {
    case messageType.invocation:
    case messageType.streamInvocation:
      writeHead(to, 6, message);
      writeText(to, message.target);
      writeArray(to, message.arguments);
      return writeArray(to, message.streamIds ?? []);
    case messageType.streamItem:
      writeHead(to, 4, message);
      return writeValue(to, message.item);
    case messageType.completion:
      return writeCompletion(to, message);
    case messageType.cancelInvocation:
      return writeHead(to, 3, message);
    case messageType.ping:
      writeArrayHeader(to, 1);
      return writeNumber(to, message.type);
    case messageType.close:
      return writeClose(to, message);
    case messageType.ack:
    case messageType.sequence:
      writeArrayHeader(to, 2);
      writeNumber(to, message.type);
      return writeNumber(to, message.sequenceId);
    default:
      return unreachable(message);
  }
}

interface Head {
  readonly type: number;
  readonly invocationId?: string | undefined;
  readonly headers?: MessageHeaders | undefined;
}

function writeHead(to: FramedBuffer, elements: number, { type, headers, invocationId }: Head): void {
  writeArrayHeader(to, elements);
  writeNumber(to, type);
  writeValue(to, headers ?? {});
  writeValue(to, invocationId);
}

function writeCompletion(to: FramedBuffer, message: CompletionMessage): void {
  const { outcome } = message;
  writeHead(to, outcome.kind === "void" ? 4 : 5, message);
  writeNumber(to, resultKind[outcome.kind]);
  if (outcome.kind === "error") writeText(to, outcome.error);
  else if (outcome.kind === "value") writeValue(to, outcome.value);
}

function writeClose(to: FramedBuffer, { type, error, allowReconnect }: CloseMessage): void {
  const elements = allowReconnect === true ? [type, error, true] : [type, error];
  writeArray(to, elements);
}
