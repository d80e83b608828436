/**
 * The shape rules of hub messages, the same for every encoding: an encoding says which fields it found, this
 * says whether they make a message.
 *
 * @see HubProtocol.md, the message encodings; where .NET and the specification differ, .NET's code counts
 */

import { HubwardError } from "../reasons.js";
import { messageType } from "./messages.js";
import type { CompletionOutcome, DecodeLimits, HubMessage, MessageHeaders } from "./messages.js";
import { utf8Length } from "../encoding/utf8.js";

/** The fields of one message as found. Absent and null mean the same, but not for `item` and `result`. */
export interface RawEnvelope {
  readonly type?: unknown;
  readonly headers?: unknown;
  readonly invocationId?: unknown;
  readonly target?: unknown;
  readonly arguments?: unknown;
  readonly streamIds?: unknown;
  readonly item?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
  readonly allowReconnect?: unknown;
  readonly sequenceId?: unknown;
}

/**
 * Checks the fields and builds the message from them; unknown fields are dropped. Returns undefined for a type
 * number this version does not know: later versions of the protocol may add some.
 * @throws HubwardError bad_request | malformed_unicode
 */
export function buildMessage(raw: RawEnvelope, limits: DecodeLimits): HubMessage | undefined {
  const { type } = raw;
  switch (type) {
    case messageType.invocation:
      return {
        type,
        invocationId: readOptionalId(raw.invocationId, limits),
        target: readTarget(raw.target, limits),
        arguments: readArguments(raw.arguments, limits),
        streamIds: readStreamIds(raw.streamIds, limits),
        headers: readHeaders(raw.headers),
      };
    case messageType.streamInvocation:
      return {
        type,
        invocationId: readId(raw.invocationId, limits),
        target: readTarget(raw.target, limits),
        arguments: readArguments(raw.arguments, limits),
        streamIds: readStreamIds(raw.streamIds, limits),
        headers: readHeaders(raw.headers),
      };
    case messageType.streamItem:
      if (!Object.hasOwn(raw, "item")) throw badRequest("item is missing");
      return {
        type,
        invocationId: readId(raw.invocationId, limits),
        item: raw.item,
        headers: readHeaders(raw.headers),
      };
    case messageType.completion:
      return {
        type,
        invocationId: readId(raw.invocationId, limits),
        outcome: readOutcome(raw),
        headers: readHeaders(raw.headers),
      };
    case messageType.cancelInvocation:
      return { type, invocationId: readId(raw.invocationId, limits), headers: readHeaders(raw.headers) };
    case messageType.ping:
      return { type };
    case messageType.close:
      return { type, error: readError(raw.error), allowReconnect: readAllowReconnect(raw.allowReconnect) };
    case messageType.ack:
    case messageType.sequence:
      return { type, sequenceId: readSequenceId(raw.sequenceId) };
    default:
      if (Number.isInteger(type)) return undefined;
      throw badRequest("type must be a whole number");
  }
}

function badRequest(detail: string): HubwardError {
  return new HubwardError("bad_request", { detail });
}

function readOutcome(raw: RawEnvelope): CompletionOutcome {
  const error = readError(raw.error);
  if (Object.hasOwn(raw, "result")) {
    if (error !== undefined) throw badRequest("a completion has a result or an error, not both");
    return { kind: "value", value: raw.result };
  }
  return error === undefined ? { kind: "void" } : { kind: "error", error };
}

function readError(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw badRequest("error must be a string");
  return value;
}

/** Only true says anything, so false reads like absent. */
function readAllowReconnect(value: unknown): true | undefined {
  if (value === true) return true;
  if (value === undefined || value === null || value === false) return undefined;
  throw badRequest("allowReconnect must be a boolean");
}

function readSequenceId(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw badRequest("sequenceId must be a whole number from 0 to 2^53 - 1");
  }
  return value;
}

/** An empty one is a name that no method has, which its caller is told in the answer (.NET, JSON). */
function readTarget(value: unknown, { maxTargetBytes }: DecodeLimits): string {
  return value === "" ? value : readName(value, maxTargetBytes, "target");
}

function readId(value: unknown, { maxIdBytes }: DecodeLimits): string {
  return readName(value, maxIdBytes, "invocationId");
}

/** On an Invocation an empty id means what no id means (.NET: IsNullOrEmpty). */
function readOptionalId(value: unknown, limits: DecodeLimits): string | undefined {
  return value === undefined || value === null || value === "" ? undefined : readId(value, limits);
}

function readName(value: unknown, maxBytes: number, field: string): string {
  if (typeof value !== "string" || value === "") throw badRequest(`${field} must be a string that is not empty`);
  // Never fewer bytes than units, so a long text is refused without being walked.
  const bytes = value.length > maxBytes ? value.length : utf8Length(value);
  if (bytes > maxBytes) throw badRequest(`${field} is longer than is accepted here`);
  if (bytes < 0) throw new HubwardError("malformed_unicode", { detail: `${field} must be well-formed Unicode` });
  return value;
}

function readArguments(value: unknown, { maxArguments }: DecodeLimits): readonly unknown[] {
  if (!Array.isArray(value)) throw badRequest("arguments must be an array");
  if (value.length > maxArguments) throw badRequest("there are more arguments than are accepted here");
  return value;
}

function readStreamIds(value: unknown, { maxStreams, maxIdBytes }: DecodeLimits): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw badRequest("streamIds must be an array of strings");
  if (value.length === 0) return undefined; // MessagePack always writes the list; without streams it is empty
  if (value.length > maxStreams) throw badRequest("there are more stream ids than are accepted here");
  return value.map((id: unknown) => readName(id, maxIdBytes, "streamIds"));
}

function readHeaders(value: unknown): MessageHeaders | undefined {
  if (value === undefined || value === null) return undefined;
  // Among decoded values only maps are plain objects; bytes and times are not.
  if (typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) {
    throw badRequest("headers must be a map of strings");
  }
  const values = Object.values(value);
  if (values.length === 0) return undefined;
  if (!values.every((entry) => typeof entry === "string")) throw badRequest("headers must be a map of strings");
  return value as MessageHeaders;
}
