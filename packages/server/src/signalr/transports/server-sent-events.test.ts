import { messageType } from "@hubward/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes, text } from "../../../test/connection-fixture.js";
import { createTransportFixture, MemoryChannel, type TransportFixture } from "../../../test/transport-fixture.js";
import { renderServerSentEvent, serverSentEventDialects, ServerSentEventsSocket } from "./server-sent-events.js";

/** What a browser makes of a stream (WHATWG HTML 9.2.6): the data of each event. */
function readEvents(stream: string): readonly string[] {
  const events: string[] = [];
  let data: string[] = [];
  for (const line of stream.split(/\r\n|\n|\r/)) {
    if (line === "" && data.length > 0) {
      events.push(data.join("\n"));
      data = [];
    } else if (line.startsWith("data:")) {
      data.push(line.slice(5).replace(/^ /, ""));
    }
  }
  return events;
}

describe("an event of the stream", () => {
  it.each([
    ["{}\x1e", "data: {}\x1e\r\n\r\n"],
    ["", "data: \r\n\r\n"],
    ["a\nb", "data: a\r\ndata: b\r\n\r\n"],
    ["a\r\nb\rc\n", "data: a\r\ndata: b\r\ndata: c\r\ndata: \r\n\r\n"],
  ])("for %j is %j", (payload, event) => {
    expect(text(renderServerSentEvent(bytes(payload)))).toBe(event);
  });

  it("gives a browser back what was said, whatever it holds", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom("a", "\n", "é", ":", " ", "data: ") })), (payloads) => {
        const stream = payloads.map((payload) => text(renderServerSentEvent(bytes(payload)))).join("");
        expect(readEvents(stream)).toEqual(payloads);
      }),
    );
  });

  it("holds one hub message; a ping is one, too", () => {
    const { json } = serverSentEventDialects;
    expect(text(json.renderEvent("said", ["a\nb"]))).toBe(
      'data: {"type":1,"target":"said","arguments":["a\\nb"]}\x1e\r\n\r\n',
    );
    expect(text(json.keepAlive ?? new Uint8Array(0))).toBe('data: {"type":6}\x1e\r\n\r\n');
    expect(text(json.render({ type: messageType.close }))).toBe('data: {"type":7}\x1e\r\n\r\n');
  });
});

interface Streaming extends TransportFixture {
  readonly socket: ServerSentEventsSocket;
  readonly channel: MemoryChannel;
}

function createStream(): Streaming {
  const fixture = createTransportFixture();
  const socket = new ServerSentEventsSocket(fixture.setup);
  const channel = new MemoryChannel().open(socket.stream(() => fixture.listener));
  return { ...fixture, socket, channel };
}

describe("a stream of events", () => {
  it("begins at once with a comment, uncompressed, for nobody to keep", () => {
    const { channel } = createStream();
    expect([channel.status, channel.said]).toEqual([200, ":\r\n"]);
    expect(channel.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-store",
      pragma: "no-cache",
      "content-encoding": "identity",
    });
    expect(channel.isEnded).toBe(false);
  });

  it("hands on the very bytes it is given", () => {
    const { socket, channel } = createStream();
    const frame = bytes("data: x\r\n\r\n");
    socket.write(frame);
    expect(channel.writes[1]).toBe(frame);
  });

  it("confirms when the kernel has taken everything, and never in the middle of the asking", () => {
    const { socket, channel, heard, endTurns } = createStream();
    socket.write(bytes("a"), true);
    expect(heard).toEqual([]);
    endTurns();
    expect(heard).toEqual(["confirmed", "drained"]);
    channel.stall();
    socket.write(bytes("bb"), true);
    socket.requestConfirmation();
    endTurns();
    expect([socket.queuedBytes, heard.length]).toEqual([2, 2]);
    channel.unstall();
    expect(heard).toEqual(["confirmed", "drained", "confirmed", "drained"]);
  });

  it("ends after the last words, and is reset when the kernel does not take them within 2 s", () => {
    const { clock, socket, channel, heard } = createStream();
    channel.stall();
    socket.close(bytes("bye"));
    socket.write(bytes("late"));
    expect([channel.said, channel.isEnded]).toEqual([":\r\nbye", true]);
    clock.advance(1_000);
    expect(channel.isReset).toBe(false);
    clock.advance(1_000);
    expect(channel.isReset).toBe(true);
    channel.close();
    expect([heard, clock.pending]).toEqual([["closed"], 0]);
  });

  it("that is reset says nothing more", () => {
    const { clock, socket, channel, heard } = createStream();
    socket.reset();
    socket.write(bytes("late"));
    socket.close(bytes("bye"));
    expect([channel.isReset, channel.said]).toEqual([true, ":\r\n"]);
    channel.close();
    expect([heard, clock.pending]).toEqual([["closed"], 0]);
  });

  it("tells once that the client is gone, and takes nothing more from it", async () => {
    const { socket, channel, heard } = createStream();
    channel.close();
    channel.close();
    expect(heard).toEqual(["closed"]);
    expect(await socket.inbox.take({ read: () => Promise.reject(new Error("read")), abandon: () => undefined })).toBe(
      "ended",
    );
  });
});
