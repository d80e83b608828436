/**
 * The small chat dialect, for clients of hand-written servers.
 *
 * @see docs/rooms-protocol.md, The small chat dialect
 */

import { formatReason } from "../reasons.js";
import type { Refusal, RoomsFrame, RoomsRequest } from "./messages.js";
import type { FrameMembers } from "./frame-members.js";
import { malformed, readMembership, readPublish } from "./request.js";
import type { Members } from "./request.js";

/** The one event it has. */
const EVENT = "message";
/** There are no ids in it, but `joined` and `left` are answers: every request has this one, which is not written back. */
const CHAT_ID = 0;

export function readChatRequest({ type, room, payload }: Members): RoomsRequest {
  switch (type) {
    case "join":
    case "leave":
      return readMembership(type, { room }, CHAT_ID);
    case "message":
      return readPublish({ room, payload }, CHAT_ID, EVENT);
    default:
      return malformed(CHAT_ID, undefined, "there is no such type of request");
  }
}

/** Undefined for what has no form in it. */
export function chatMembers(frame: RoomsFrame): FrameMembers | undefined {
  const { type } = frame;
  switch (type) {
    case "joined":
    case "left":
      return { type, room: frame.room };
    case "message": {
      const { room, event, args } = frame;
      if (event !== EVENT || args.length !== 1) return undefined;
      return { type, room, payload: args[0] ?? null };
    }
    case "error":
      return errorMembers(frame.room, frame.error);
    case "closing":
      return errorMembers(undefined, frame.error);
    default:
      return undefined;
  }
}

function errorMembers(room: string | undefined, { reason, retryAfterSeconds }: Refusal): FrameMembers {
  return { type: "error", room, message: formatReason(reason, { retryAfterSeconds }) };
}
