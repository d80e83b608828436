/**
 * The encodings of the rooms protocol.
 *
 * @see docs/rooms-protocol.md
 */

import { renderFramed } from "../encoding/framed-buffer.js";
import { readJsonObject } from "../encoding/json-reader.js";
import { writeJson } from "../encoding/json-writer.js";
import type { ReadLimits } from "../encoding/limits.js";
import { readMessagePack } from "../encoding/messagepack-reader.js";
import { writeValue } from "../encoding/messagepack-writer.js";
import { encodeUtf8 } from "../encoding/utf8.js";
import { HubwardError } from "../reasons.js";
import type { FrameHeader } from "../websocket/frame.js";
import { chatMembers, readChatRequest } from "./chat-dialect.js";
import { frameMembers } from "./frame-members.js";
import type { FrameMembers } from "./frame-members.js";
import type { RoomsCodec, RoomsFrame, RoomsRequest } from "./messages.js";
import { readRequest } from "./request.js";
import type { Members } from "./request.js";

/**
 * Bytes (Uint8Array) are written as base64, Date as ISO 8601; what arrives is passed on as JSON.parse made it.
 * NaN and Infinity become null, members that are undefined are left out.
 */
const json: RoomsCodec = {
  name: "rooms-json",
  subprotocol: "hubward.rooms.v1",
  opcode: "text",

  encode(frame: RoomsFrame, header?: FrameHeader): Uint8Array {
    return encodeUtf8(writeMembers(frameMembers(frame)), header);
  },

  decode(body: Uint8Array, limits: ReadLimits): RoomsRequest {
    return readRequest(readJsonObject(body, limits));
  },
};

/** Bytes are binary, Date is the timestamp extension, 64-bit integers beyond 2^53 are bigint. */
const messagepack: RoomsCodec = {
  name: "rooms-messagepack",
  subprotocol: "hubward.rooms.v1.msgpack",
  opcode: "binary",

  encode(frame: RoomsFrame, header?: FrameHeader): Uint8Array {
    return renderFramed(frameMembers(frame), (to, members) => writeValue(to, members), header);
  },

  decode(body: Uint8Array, limits: ReadLimits): RoomsRequest {
    const value = readMessagePack(body, limits);
    if (!isMap(value)) throw new HubwardError("bad_request", { detail: "the message must be a map" });
    return readRequest(value);
  },
};

/** The small chat dialect: JSON, with no ids, and no form for most of what a server says. */
const chat: RoomsCodec = {
  name: "chat",
  subprotocol: undefined,
  opcode: "text",

  encode(frame: RoomsFrame, header?: FrameHeader): Uint8Array | undefined {
    const members = chatMembers(frame);
    return members === undefined ? undefined : encodeUtf8(writeMembers(members), header);
  },

  decode(body: Uint8Array, limits: ReadLimits): RoomsRequest {
    return readChatRequest(readJsonObject(body, limits));
  },
};

export const roomsCodecs: Readonly<Record<"json" | "messagepack" | "chat", RoomsCodec>> = { json, messagepack, chat };

/** Member by member, so that none is lost whose value JSON has no form for. */
function writeMembers(members: FrameMembers): string {
  let text = "";
  for (const name of Object.keys(members)) {
    const value = members[name];
    if (value !== undefined) text += `${text === "" ? "{" : ","}"${name}":${writeJson(value)}`;
  }
  return `${text}}`;
}

function isMap(value: unknown): value is Members {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
