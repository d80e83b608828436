import { expect, it, test } from "vitest";
import { reasonOf, utf8 } from "../../test/arbitrary-messages.js";
import { HubwardError } from "../reasons.js";
import { frameHeaders, renderFrame } from "../websocket/frame.js";
import { roomsCodecs } from "./codecs.js";
import { roomsLimitDefaults } from "./messages.js";
import type { RoomsFrame, RoomsRequest } from "./messages.js";

const { chat } = roomsCodecs;
const decode = (text: string): RoomsRequest => chat.decode(utf8(text), roomsLimitDefaults);
function textOf(frame: RoomsFrame): string | undefined {
  const bytes = chat.encode(frame);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

test.each<[string, RoomsRequest]>([
  ['{"type":"join","room":"lobby"}', { type: "join", id: 0, room: "lobby" }],
  ['{"type":"leave","room":"lobby"}', { type: "leave", id: 0, room: "lobby" }],
  [
    '{"type":"message","room":"lobby","payload":{"a":1}}',
    { type: "publish", id: 0, room: "lobby", event: "message", payload: { a: 1 }, command: undefined },
  ],
  [
    '{"type":"message","room":"lobby","event":"note","command":"c","id":"9"}',
    { type: "publish", id: 0, room: "lobby", event: "message", payload: null, command: undefined },
  ],
  ['{"type":"join","room":"lobby","id":[]}', { type: "join", id: 0, room: "lobby" }],
])("%s arrives", (text, request) => {
  expect(decode(text)).toEqual(request);
});

test.each(["publish", "auth", "who", "ping", "notices", "constructor", ""])("there is no %j", (type) => {
  const members = { type, room: "lobby", event: "message", token: "t" };
  expect(decode(JSON.stringify(members))).toMatchObject({ type: "malformed", request: undefined });
});

it("a room that is no text is refused", () => {
  for (const [type, request] of [
    ["join", "join"],
    ["leave", "leave"],
    ["message", "publish"],
  ])
    expect(decode(JSON.stringify({ type, room: 1 }))).toMatchObject({ type: "malformed", request });
  expect(reasonOf(() => decode('["join"]'))).toBe("bad_request");
});

const limited = new HubwardError("rate_limited", { retryAfterSeconds: 0.5, detail: "not told" });
const message = (room: string | undefined, event: string, ...args: readonly unknown[]): RoomsFrame => ({
  type: "message",
  room,
  event,
  args,
});

test.each<[RoomsFrame, string | undefined]>([
  [{ type: "joined", id: 0, room: "lobby" }, '{"type":"joined","room":"lobby"}'],
  [{ type: "left", id: undefined, room: "lobby", why: "lost" }, '{"type":"left","room":"lobby"}'],
  [message("lobby", "message", { a: 1 }), '{"type":"message","room":"lobby","payload":{"a":1}}'],
  [message("lobby", "message", undefined), '{"type":"message","room":"lobby","payload":null}'],
  [message(undefined, "message", "x"), '{"type":"message","payload":"x"}'],
  [message("lobby", "message"), undefined],
  [message("lobby", "message", 1, 2), undefined],
  [message("lobby", "note", 1), undefined],
  [
    { type: "error", id: 0, request: "join", room: "lobby", error: limited },
    '{"type":"error","room":"lobby","message":"rate_limited;action=retry-after;retry_after=1"}',
  ],
  [{ type: "closing", error: { reason: "forbidden" } }, '{"type":"error","message":"forbidden"}'],
  [{ type: "ready", id: 1, connectionId: "c", expiresInSeconds: 1, heartbeatSeconds: 1 }, undefined],
  [{ type: "ack", id: 1 }, undefined],
  [{ type: "pong", id: 1 }, undefined],
  [{ type: "present", id: 1, room: "lobby", members: [] }, undefined],
  [{ type: "presence", room: "lobby", joined: [], left: [] }, undefined],
  [{ type: "notice", notice: { kind: "gap", dropped: 1 } }, undefined],
])("%j is sent as %s", (frame, expected) => {
  expect(textOf(frame)).toBe(expected);
  const body = expected === undefined ? undefined : renderFrame("text", utf8(expected));
  expect(chat.encode(frame, frameHeaders.text)).toEqual(body);
});
