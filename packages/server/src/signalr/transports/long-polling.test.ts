import { describe, expect, it } from "vitest";
import { bytes } from "../../../test/connection-fixture.js";
import {
  createTransportFixture,
  heldBody,
  MemoryChannel,
  type TransportFixture,
} from "../../../test/transport-fixture.js";
import { LongPollingSocket, longPollingDialects } from "./long-polling.js";

interface Polling extends TransportFixture {
  readonly socket: LongPollingSocket;
  readonly poll: () => MemoryChannel;
}

/** A connection whose first poll was answered. */
function createPolling(): Polling {
  const fixture = createTransportFixture();
  const socket = new LongPollingSocket(fixture.setup);
  new MemoryChannel().open(socket.start(() => fixture.listener)).close();
  return { ...fixture, socket, poll: () => new MemoryChannel().open(socket.poll()) };
}

const answerOf = ({ status, said, isEnded }: MemoryChannel): unknown => (isEnded ? [status, said] : "waits");

describe("a poll", () => {
  it("is answered at once when it is the first, empty, and by nobody kept", () => {
    const { setup, listener } = createTransportFixture();
    const first = new MemoryChannel().open(new LongPollingSocket(setup).start(() => listener));
    expect(answerOf(first)).toEqual([200, ""]);
    expect(first.headers).toEqual({
      "content-type": "application/octet-stream",
      "cache-control": "no-cache, no-store",
      pragma: "no-cache",
      expires: "Thu, 01 Jan 1970 00:00:00 GMT",
    });
  });

  it("waits for something to be said, and is answered with the very bytes", () => {
    const { socket, poll, heard } = createPolling();
    expect(socket.queuedBytes).not.toBe(0);
    const waiting = poll();
    expect([socket.queuedBytes, heard, answerOf(waiting)]).toEqual([0, ["drained"], "waits"]);
    const frame = bytes("{}\x1e");
    socket.write(frame);
    expect(waiting.writes[0]).toBe(frame);
    expect([answerOf(waiting), waiting.headers["content-type"]]).toEqual([[200, "{}\x1e"], "application/octet-stream"]);
    expect(socket.queuedBytes).not.toBe(0);
  });

  it("that a newer one overtakes is answered 204, and what is said goes to the newer one", () => {
    const { socket, poll } = createPolling();
    const [older, newer] = [poll(), poll()];
    socket.write(bytes("news"));
    expect([answerOf(older), answerOf(newer)]).toEqual([
      [204, ""],
      [200, "news"],
    ]);
    // The older one's end says nothing about the newer one.
    const third = poll();
    older.close();
    newer.close();
    expect([socket.queuedBytes, answerOf(third)]).toEqual([0, "waits"]);
  });

  it("without news is answered empty after 90 s, and its connection goes on", () => {
    const { clock, poll, heard } = createPolling();
    const waiting = poll();
    clock.advance(89_000);
    expect(answerOf(waiting)).toBe("waits");
    clock.advance(1_000);
    expect(answerOf(waiting)).toEqual([200, ""]);
    waiting.close();
    clock.advance(14_000);
    expect(answerOf(poll())).toBe("waits");
    expect(heard).not.toContain("closed");
  });

  it("confirms what was said before it came, and only that", () => {
    const { socket, poll, heard } = createPolling();
    poll();
    socket.write(bytes("a"), true);
    expect(heard).toEqual(["drained"]);
    poll();
    expect(heard).toEqual(["drained", "confirmed", "drained"]);
    // Asked while one waits: it came after everything.
    socket.requestConfirmation();
    expect(heard.slice(3)).toEqual(["confirmed"]);
    poll();
    expect(heard.slice(4)).toEqual(["drained"]);
  });
});

describe("a client that polls", () => {
  it("is gone when it has not come for 15 s after its last poll's end", () => {
    const { clock, poll, heard, endTurns } = createPolling();
    clock.advance(14_000);
    const waiting = poll();
    clock.advance(60_000);
    waiting.close();
    clock.advance(14_000);
    endTurns();
    expect(heard).toEqual(["drained"]);
    clock.advance(1_000);
    endTurns();
    expect([heard, clock.pending]).toEqual([["drained", "closed"], 0]);
  });

  it("is gone after 15 s, too, when it never came again", () => {
    const { clock, heard, endTurns } = createPolling();
    clock.advance(15_000);
    endTurns();
    expect([heard, clock.pending]).toEqual([["closed"], 0]);
  });

  it("that goes away while its poll waits leaves it unanswered", () => {
    const { socket, poll } = createPolling();
    const waiting = poll();
    waiting.close();
    expect([socket.queuedBytes, answerOf(waiting)]).toEqual([1, "waits"]);
  });

  it("that ends the connection has its waiting poll answered 204", () => {
    const { clock, socket, poll, heard, endTurns } = createPolling();
    const waiting = poll();
    socket.remove();
    expect([answerOf(waiting), heard]).toEqual([[204, ""], ["drained"]]);
    endTurns();
    socket.remove();
    endTurns();
    expect([heard, clock.pending]).toEqual([["drained", "closed"], 0]);
  });
});

describe("the last words", () => {
  it("answer the poll that waits; the next one is 204, and then it is over", () => {
    const { clock, socket, poll, heard, endTurns } = createPolling();
    const waiting = poll();
    socket.close(bytes("bye"));
    socket.write(bytes("late"));
    expect(answerOf(waiting)).toEqual([200, "bye"]);
    endTurns();
    expect(heard).not.toContain("closed");
    expect(answerOf(poll())).toEqual([204, ""]);
    endTurns();
    expect([heard.at(-1), clock.pending]).toEqual(["closed", 0]);
  });

  it("wait for the next poll where none waits, for 5 s", () => {
    const { clock, socket, poll, heard, endTurns } = createPolling();
    clock.advance(14_000);
    socket.close(bytes("bye"));
    clock.advance(4_000);
    expect(answerOf(poll())).toEqual([200, "bye"]);
    expect(answerOf(poll())).toEqual([204, ""]);

    const other = createPolling();
    other.socket.close(bytes("bye"));
    other.clock.advance(5_000);
    other.endTurns();
    endTurns();
    expect([heard.at(-1), other.heard.at(-1), other.clock.pending]).toEqual(["closed", "closed", 0]);
  });

  it("that are none are a 204 at once", () => {
    const { socket, poll, heard, endTurns } = createPolling();
    const waiting = poll();
    socket.close(new Uint8Array(0));
    endTurns();
    expect([answerOf(waiting), heard.at(-1)]).toEqual([[204, ""], "closed"]);
  });

  it("take back an answer that has been stuck in the kernel, but not one that has only just been given", () => {
    for (const [waitMs, isReset] of [
      [0, false],
      [1_000, true],
    ] as const) {
      const { clock, socket, poll } = createPolling();
      const answered = poll();
      answered.stall();
      socket.write(bytes("secret"));
      clock.advance(waitMs);
      socket.close(bytes("bye"));
      expect(answered.isReset).toBe(isReset);
    }
  });
});

describe("a reset", () => {
  it("cuts off the poll that waits and the answer under way, and is over at the end of the turn", () => {
    const { clock, socket, poll, heard, endTurns } = createPolling();
    const answered = poll();
    answered.stall();
    socket.write(bytes("much"));
    const waiting = poll();
    heard.length = 0;
    socket.reset();
    expect([waiting.isReset, answered.isReset, heard]).toEqual([true, true, []]);
    endTurns();
    expect([heard, clock.pending]).toEqual([["closed"], 0]);
  });
});

describe("what a client sends", () => {
  it("reaches the connection, and nothing does once it is closing", async () => {
    const { socket, heard } = createPolling();
    const body = heldBody();
    const taken = socket.inbox.take(body);
    await Promise.resolve();
    body.finish({ kind: "whole", bytes: bytes("hello") });
    expect([await taken, heard]).toEqual(["taken", ["received hello"]]);
    socket.close(bytes("bye"));
    expect([await socket.inbox.take(heldBody()), heard]).toEqual(["ended", ["received hello"]]);
  });
});

it("needs no pings: there is none to send", () => {
  expect([longPollingDialects.json.keepAlive, longPollingDialects.messagepack.keepAlive]).toEqual([
    undefined,
    undefined,
  ]);
});
