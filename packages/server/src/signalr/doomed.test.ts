import { createFakeClock, MemorySocket } from "@hubward/testing";
import { encodeHandshakeRequest, HubwardError, renderFrame } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { bytes, text } from "../../test/connection-fixture.js";
import { closeMessage, dialects } from "./dialect.js";
import { openDoomed } from "./doomed.js";
import { concat } from "./handshake.js";

const refusal = new HubwardError("forbidden", { detail: "this hub is for staff" });
const hello = encodeHandshakeRequest({ protocol: "json", version: 1 });

function createFixture() {
  const clock = createFakeClock();
  const socket = new MemorySocket();
  let endings = 0;
  const doomed = openDoomed({ socket, clock, refusal, timeoutMs: 15_000, onClosed: () => endings++ });
  socket.listen(doomed);
  return { clock, socket, doomed, endings: () => endings };
}

describe("a connection that only says why there is none", () => {
  it.each(["json", "messagepack"] as const)(
    "answers the %s handshake together with Close and the whole reason, in one frame",
    (protocol) => {
      const { socket } = createFixture();
      socket.peerSends(encodeHandshakeRequest({ protocol, version: 1 }));
      const { codec } = dialects[protocol];
      const close = codec.encode(closeMessage("forbidden", "forbidden: this hub is for staff"));
      expect(socket.written).toEqual(renderFrame(codec.transferFormat, concat(bytes("{}\x1e"), close)));
      expect(socket.closed).toMatchObject({ code: 4403, reason: "forbidden" });
      expect(socket.writes).toEqual([]);
    },
  );

  it("waits for the rest of a handshake that comes in pieces", () => {
    const { socket } = createFixture();
    for (const byte of hello.subarray(0, -1)) socket.peerSends(Uint8Array.of(byte));
    expect(socket.isEnded).toBe(false);
    socket.peerSends(hello.subarray(-1));
    expect(socket.closed?.code).toBe(4403);
  });

  it("never hears a call, neither behind the handshake nor after it", () => {
    const { socket } = createFixture();
    const call = bytes('{"type":1,"invocationId":"1","target":"Order","arguments":[]}\x1e');
    socket.peerSends(concat(hello, call));
    const said = text(socket.written);
    for (let count = 0; count < 100; count++) socket.peerSends(call);
    socket.peerSends(bytes("\x1e{{{"));
    expect(text(socket.written)).toBe(said);
    expect(said).not.toContain('"type":3');
    expect(socket.lateWrites).toBe(0);
  });

  it.each<[string, Uint8Array, number, string]>([
    ["no JSON", bytes("GET /\x1e"), 4400, "An unexpected error occurred during connection handshake."],
    ["another protocol", bytes('{"protocol":"x","version":1}\x1e'), 4406, "The protocol 'x' is not supported."],
    ["too much", new Uint8Array(5_000).fill(120), 1009, "Handshake was canceled."],
  ])("refuses a handshake that is %s as any connection would, without the reason", (_, sent, code, words) => {
    const { socket } = createFixture();
    socket.peerSends(sent);
    expect(socket.closed?.code).toBe(code);
    expect(text(socket.written)).toContain(words);
    expect(text(socket.written)).not.toContain("staff");
  });

  it("does not wait for a handshake for ever", () => {
    const { clock, socket } = createFixture();
    socket.peerSends(hello.subarray(0, 5));
    clock.advance(14_999);
    expect(socket.isEnded).toBe(false);
    clock.advance(1);
    expect(socket.closed).toMatchObject({ code: 4408 });
    expect(text(socket.written)).toContain("Handshake was canceled.");
  });

  it("does not keep a server that goes away, nor changes what was said", () => {
    const { socket, doomed } = createFixture();
    doomed.drain();
    expect(socket.closed).toMatchObject({ code: 1001 });
    const told = createFixture();
    told.socket.peerSends(hello);
    told.doomed.drain();
    expect(told.socket.closed?.code).toBe(4403);
  });

  it("ends on broken frames", () => {
    const { socket } = createFixture();
    socket.peerFails();
    expect(socket.closed?.code).toBe(1002);
  });

  it.each<[string, (socket: MemorySocket) => void]>([
    ["after it was told", (socket) => socket.peerSends(hello)],
    ["before it said anything", () => undefined],
  ])("is over once, leaving no timer behind, when the peer goes %s", (_, before) => {
    const { clock, socket, endings } = createFixture();
    before(socket);
    socket.end();
    expect([endings(), clock.pending]).toEqual([1, 0]);
    clock.advance(60_000);
    expect(endings()).toBe(1);
  });
});
