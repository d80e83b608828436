/**
 * The shape rules of requests, the same for every encoding: an encoding says which members it found, this says whether
 * they make a request. Members that nobody knows are ignored.
 *
 * @see docs/rooms-protocol.md, Requests and answers; From the client
 */

import type { MalformedRequest, RequestId, RequestType, RoomsRequest } from "./messages.js";

/** UTF-16 units. */
const MAX_ID_LENGTH = 64;
const MAX_EVENT_LENGTH = 128;
const MAX_COMMAND_LENGTH = 128;

export type Members = Readonly<Record<string, unknown>>;

/** Never throws: what is no request is `malformed`. */
export function readRequest(members: Members): RoomsRequest {
  const { type, id } = members;
  if (id !== undefined && !isRequestId(id))
    return malformed(undefined, asRequestType(type), "id must be a text of 1 to 64 characters or a whole number");
  switch (type) {
    case "auth":
      return readAuth(members, id);
    case "join":
    case "leave":
      return readMembership(type, members, id);
    case "publish":
      return readPublish(members, id);
    case "who":
      return readWho(members, id);
    case "ping":
    case "notices":
      return { type, id };
    default:
      return malformed(id, undefined, "there is no such type of request");
  }
}

/** @param id checked already, or the codec's own */
export function readMembership(type: "join" | "leave", { room }: Members, id: RequestId | undefined): RoomsRequest {
  if (typeof room !== "string") return malformed(id, type, "room must be a text");
  return { type, id, room };
}

/** @param event found elsewhere in some dialects */
export function readPublish(
  members: Members,
  id: RequestId | undefined,
  event: unknown = members["event"],
): RoomsRequest {
  const { room, payload = null, command } = members;
  if (typeof room !== "string") return malformed(id, "publish", "room must be a text");
  if (typeof event !== "string" || event.length === 0 || event.length > MAX_EVENT_LENGTH)
    return malformed(id, "publish", "event must be a text of 1 to 128 characters");
  if (!isOptionalText(command, MAX_COMMAND_LENGTH))
    return malformed(id, "publish", "command must be a text of 1 to 128 characters");
  return { type: "publish", id, room, event, payload, command };
}

export function malformed(
  id: RequestId | undefined,
  request: RequestType | undefined,
  detail: string,
): MalformedRequest {
  return { type: "malformed", id, request, room: undefined, detail };
}

/** Its bounds are those of the message: how long a token may be is for its verifier to say. */
function readAuth({ token, proof }: Members, id: RequestId | undefined): RoomsRequest {
  if (typeof token !== "string" || token.length === 0) return malformed(id, "auth", "token must be a text");
  if (!isOptionalText(proof, Number.POSITIVE_INFINITY)) return malformed(id, "auth", "proof must be a text");
  return { type: "auth", id, token, proof };
}

function readWho({ room, follow }: Members, id: RequestId | undefined): RoomsRequest {
  if (typeof room !== "string") return malformed(id, "who", "room must be a text");
  if (follow !== undefined && typeof follow !== "boolean") return malformed(id, "who", "follow must be true or false");
  return { type: "who", id, room, follow };
}

function isRequestId(id: unknown): id is RequestId {
  if (typeof id === "string") return id.length > 0 && id.length <= MAX_ID_LENGTH;
  return Number.isSafeInteger(id) && (id as number) >= 0;
}

function isOptionalText(value: unknown, maxLength: number): value is string | undefined {
  if (value === undefined) return true;
  return typeof value === "string" && value.length > 0 && value.length <= maxLength;
}

const requestTypes: Readonly<Record<RequestType, true>> = {
  auth: true,
  join: true,
  leave: true,
  publish: true,
  who: true,
  ping: true,
  notices: true,
};

function asRequestType(type: unknown): RequestType | undefined {
  return typeof type === "string" && Object.hasOwn(requestTypes, type) ? (type as RequestType) : undefined;
}
