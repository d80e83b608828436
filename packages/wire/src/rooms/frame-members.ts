/**
 * The frames of a server as the objects they travel as, the same for every encoding.
 *
 * @see docs/rooms-protocol.md, From the server
 */

import { parseReason, reasons, wholeRetryAfter } from "../reasons.js";
import type { ReasonName } from "../reasons.js";
import { unreachable } from "../unreachable.js";
import type { Refusal, RoomsFrame, RoomsNotice } from "./messages.js";

/** Members by their names on the wire, in the order in which they are written; undefined ones are left out. */
export type FrameMembers = Readonly<Record<string, unknown>>;

/** Where the catalogue has no close code for a reason. @see RFC 6455 7.4.1 */
const UNEXPECTED_ERROR = 1011;

/** @throws TypeError for a notice with a reason of no catalogue */
export function frameMembers(frame: RoomsFrame): FrameMembers {
  const { type } = frame;
  switch (type) {
    case "ready": {
      const { id, connectionId, expiresInSeconds, heartbeatSeconds } = frame;
      const expires_in = wholeSeconds(expiresInSeconds);
      return { type, id, connection_id: connectionId, expires_in, heartbeat: heartbeatSeconds };
    }
    case "joined":
      return { type, id: frame.id, room: frame.room };
    case "left":
      return { type, id: frame.id, room: frame.room, why: frame.why };
    case "message": {
      const { room, event, args } = frame;
      return args.length === 1 ? { type, room, event, payload: orNull(args[0]) } : { type, room, event, args };
    }
    case "ack": {
      const { id, expiresInSeconds, result } = frame;
      return { type, id, expires_in: wholeSeconds(expiresInSeconds), result };
    }
    case "present":
      return { type, id: frame.id, room: frame.room, members: frame.members, more: frame.more === true || undefined };
    case "presence":
      return { type, room: frame.room, joined: frame.joined, left: frame.left };
    case "pong":
      return { type, id: frame.id };
    case "notice":
      return noticeMembers(frame.notice);
    case "error": {
      const { id, request, room, error } = frame;
      const asked = request === "malformed" ? undefined : request;
      return { type, id, request: asked, room, ...refusalMembers(error), detail: error.detail };
    }
    case "closing":
      return { type, code: closeCode(frame.error.reason), ...refusalMembers(frame.error) };
    default:
      return unreachable(type);
  }
}

/** The code that a connection is closed with for a reason. */
export function closeCode(reason: ReasonName): number {
  return reasons[reason].closeCode ?? UNEXPECTED_ERROR;
}

function refusalMembers({ reason, retryAfterSeconds }: Refusal): FrameMembers {
  const { action } = reasons[reason];
  const retry_after = wholeRetryAfter(retryAfterSeconds);
  return { reason, action: action === "none" ? undefined : action, retry_after };
}

function noticeMembers(notice: RoomsNotice): FrameMembers {
  const head = { type: "notice", notice: notice.kind };
  switch (notice.kind) {
    case "expiring":
    case "reauthenticated":
      return { ...head, expires_in: wholeSeconds(notice.expiresInSeconds) };
    case "expired": {
      const reason = parseReason(notice.reason);
      if (reason === undefined) throw new TypeError("notice.reason: no reason of the catalogue");
      const { name, retryAfterSeconds } = reason;
      return {
        ...head,
        ...refusalMembers({ reason: name, retryAfterSeconds }),
        grace: wholeSeconds(notice.graceSeconds),
      };
    }
    case "gap":
      return { ...head, dropped: notice.dropped, rooms: notice.groups?.length === 0 ? undefined : notice.groups };
    case "draining":
      return { ...head, closes_in: wholeSeconds(notice.closesInSeconds) };
    default:
      return unreachable(notice);
  }
}

/** Rounded down: nobody should count on a part of a second that is not there. What has no end has no member. */
function wholeSeconds(seconds: number | undefined): number | undefined {
  return seconds === undefined || !Number.isFinite(seconds) ? undefined : Math.max(0, Math.floor(seconds));
}

/** A payload is never left out. */
function orNull(value: unknown): unknown {
  return typeof value === "function" || typeof value === "symbol" ? null : (value ?? null);
}
