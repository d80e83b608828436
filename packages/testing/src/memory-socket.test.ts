import { describe, expect, it } from "vitest";
import { MemorySocket } from "./memory-socket.js";

function createSocket(): { socket: MemorySocket; heard: string[] } {
  const heard: string[] = [];
  const socket = new MemorySocket().listen({
    received: (data) => void heard.push(`received ${data.join()}`),
    confirmed: () => void heard.push("confirmed"),
    drained: () => void heard.push("drained"),
    failed: () => void heard.push("failed"),
    closed: () => void heard.push("closed"),
  });
  return { socket, heard };
}

const a = Uint8Array.of(1, 2);
const b = Uint8Array.of(3);

describe("the memory socket", () => {
  it("keeps the very buffers it was given, in order", () => {
    const { socket } = createSocket();
    socket.write(a);
    socket.write(b);
    socket.close(Uint8Array.of(9), 4401, "token_expired;action=refresh");
    expect(socket.writes[0]).toBe(a);
    expect(socket.writes[1]).toBe(b);
    expect(socket.closed).toEqual({ lastFrames: Uint8Array.of(9), code: 4401, reason: "token_expired;action=refresh" });
    expect([...socket.written]).toEqual([1, 2, 3, 9]);
  });

  it("queues while it is stalled, and says when it has drained", () => {
    const { socket, heard } = createSocket();
    socket.write(a);
    expect(socket.queuedBytes).toBe(0);
    socket.unstall();
    expect(heard).toEqual([]);
    socket.stall();
    socket.write(a);
    socket.write(b);
    expect(socket.queuedBytes).toBe(3);
    socket.unstall();
    expect([socket.queuedBytes, heard]).toEqual([0, ["drained"]]);
    socket.write(b);
    expect(socket.queuedBytes).toBe(0);
  });

  it("confirms only what was asked for and only when told to", () => {
    const { socket, heard } = createSocket();
    expect(socket.confirm()).toBe(false);
    socket.requestConfirmation();
    socket.requestConfirmation();
    expect([socket.openConfirmations, heard]).toEqual([2, []]);
    expect([socket.confirm(), socket.confirm(), socket.confirm()]).toEqual([true, true, false]);
    expect([heard, socket.confirmationRequests, socket.openConfirmations]).toEqual([["confirmed", "confirmed"], 2, 0]);
  });

  it.each([
    ["a close", (socket: MemorySocket) => socket.close(b, 1000, "")],
    ["a reset", (socket: MemorySocket) => socket.reset()],
    ["its end", (socket: MemorySocket) => socket.end()],
  ])("ignores what is written after %s, and counts it", (_, end) => {
    const { socket } = createSocket();
    end(socket);
    const closed = socket.closed;
    socket.write(a);
    socket.requestConfirmation();
    socket.close(a, 1011, "again");
    expect([socket.writes, socket.lateWrites, socket.confirmationRequests]).toEqual([[], 1, 0]);
    expect(socket.closed).toBe(closed);
  });

  it("still hands on what the peer sent before it heard of the close, and nothing after its end", () => {
    const { socket, heard } = createSocket();
    socket.close(b, 1000, "");
    socket.peerSends(a);
    socket.peerFails();
    socket.end();
    expect(heard).toEqual(["received 1,2", "failed", "closed"]);
    expect(() => socket.peerSends(a)).toThrow(TypeError);
    expect(() => socket.end()).toThrow(TypeError);
  });

  it("holds the peer back, and lets go when it closes", () => {
    const { socket } = createSocket();
    socket.pause();
    expect(socket.isPaused).toBe(true);
    socket.close(b, 1000, "");
    expect(socket.isPaused).toBe(false);
  });

  it.each([
    [1005, "no code at all is not a code to send"],
    [1006, "nor is an abnormal end"],
    [5000, "out of range"],
    [4401, "x".repeat(124)],
    [4401, "a tab\tor worse"],
    [4401, "naïve"],
  ])("refuses to close with %i and %j, which no WebSocket can carry", (code, reason) => {
    const { socket } = createSocket();
    expect(() => socket.close(b, code, reason)).toThrow(RangeError);
    expect(socket.isEnded).toBe(false);
  });

  it("says whether the peer said goodbye", () => {
    const told: (boolean | undefined)[] = [];
    for (const how of [undefined, { wasClean: true }]) {
      const socket = new MemorySocket().listen({
        received: () => undefined,
        confirmed: () => undefined,
        drained: () => undefined,
        failed: () => undefined,
        closed: (wasClean) => told.push(wasClean),
      });
      socket.end(how);
    }
    expect(told).toEqual([false, true]);
  });

  it("needs exactly one listener", () => {
    expect(() => new MemorySocket().peerSends(a)).toThrow(TypeError);
    const { socket } = createSocket();
    expect(() =>
      socket.listen({
        received: () => undefined,
        confirmed: () => undefined,
        drained: () => undefined,
        failed: () => undefined,
        closed: () => undefined,
      }),
    ).toThrow(TypeError);
  });
});
