import { HubwardError, jsonCodec, messageType, type HubMessage } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { bytes, text } from "../../test/connection-fixture.js";
import { dialects } from "./dialect.js";
import { ReceivedMessages } from "./received-messages.js";

function create(): { readonly received: ReceivedMessages; readonly resumptions: () => number } {
  let resumptions = 0;
  return { received: new ReceivedMessages(dialects.json, () => void resumptions++), resumptions: () => resumptions };
}

const invocation: HubMessage = { type: messageType.invocation, target: "M", arguments: [] };
const sequence = (sequenceId: number): HubMessage => ({ type: messageType.sequence, sequenceId });

/** The hub message in a WebSocket frame. */
function read(frame: Uint8Array | undefined): HubMessage | undefined {
  if (frame === undefined) return undefined;
  return jsonCodec.decode(bytes(/\{.*\}/s.exec(text(frame))?.[0] ?? ""));
}

/** Which of so many messages in a row are acted upon. */
function take(received: ReceivedMessages, count: number): readonly boolean[] {
  return Array.from({ length: count }, () => received.admits(invocation, 10));
}

describe("the count of received messages", () => {
  it("takes each once, and those that come again behind a Sequence not at all", () => {
    const { received } = create();
    expect(take(received, 3)).toEqual([true, true, true]);
    received.resumed(1);
    expect(received.admits(sequence(2), 10)).toBe(false);
    expect(take(received, 3)).toEqual([false, false, true]);
  });

  it.each<[string, HubMessage]>([
    ["an invocation", invocation],
    ["a stream item", { type: 2, invocationId: "1", item: 1 }],
    ["a completion", { type: 3, invocationId: "1", outcome: { kind: "void" } }],
    ["a stream invocation", { type: 4, invocationId: "1", target: "M", arguments: [] }],
    ["a cancellation", { type: 5, invocationId: "1" }],
  ])("counts %s", (_, message) => {
    const { received } = create();
    received.admits(message, 10);
    expect(read(received.takeAcknowledgement())).toEqual({ type: 8, sequenceId: 1 });
  });

  it.each<[string, HubMessage]>([
    ["a ping", { type: 6 }],
    ["a goodbye", { type: 7 }],
    ["an acknowledgement", { type: 8, sequenceId: 7 }],
    ["a Sequence", sequence(1)],
  ])("does not count %s", (_, message) => {
    const { received } = create();
    received.admits(message, 10);
    expect(received.takeAcknowledgement()).toBeUndefined();
  });

  it("takes nothing on a new transport before the Sequence but a goodbye", () => {
    const { received, resumptions } = create();
    take(received, 1);
    expect(read(received.resumed(4))).toEqual(sequence(4));
    expect(resumptions()).toBe(1);
    const ack: HubMessage = { type: 8, sequenceId: 9 };
    expect([received.admits({ type: 6 }, 3), received.admits(ack, 3), received.admits({ type: 7 }, 3)]).toEqual([
      false,
      false,
      true,
    ]);
    expect(take(received, 2)).toEqual([false, false]);
    received.admits(sequence(2), 10);
    expect(take(received, 1)).toEqual([true]);
  });

  it.each([
    [0, 2],
    [4, 2],
    [2, 0],
  ])("does not take a Sequence of %i after %i messages", (sequenceId, count) => {
    const { received } = create();
    take(received, count);
    expect(() => received.admits(sequence(sequenceId), 10)).toThrow(HubwardError);
  });

  it("takes a Sequence behind what was received, also when an earlier one set the count back and was cut short", () => {
    const { received } = create();
    take(received, 5);
    received.resumed(1);
    received.admits(sequence(2), 10);
    expect(take(received, 1)).toEqual([false]);
    // The client has learnt meanwhile that all five arrived.
    received.resumed(1);
    received.admits(sequence(6), 10);
    expect(take(received, 1)).toEqual([true]);
  });

  it("acknowledges the latest it took, once, and again when something came for a second time", () => {
    const { received } = create();
    take(received, 3);
    expect(read(received.takeAcknowledgement())).toEqual({ type: 8, sequenceId: 3 });
    expect(received.takeAcknowledgement()).toBeUndefined();
    received.resumed(1);
    received.admits(sequence(2), 10);
    take(received, 1);
    expect(read(received.takeAcknowledgement())).toEqual({ type: 8, sequenceId: 3 });
  });

  it("acknowledges nothing on a new transport before the client has said its Sequence", () => {
    const { received } = create();
    take(received, 1);
    received.resumed(1);
    expect(received.takeAcknowledgement()).toBeUndefined();
    received.admits(sequence(2), 10);
    expect(read(received.takeAcknowledgement())).toEqual({ type: 8, sequenceId: 1 });
  });

  it("asks for an acknowledgement at once when much was received since the last", () => {
    const { received } = create();
    received.admits(invocation, 49_999);
    expect(received.isAcknowledgementUrgent).toBe(false);
    received.admits(invocation, 1);
    expect(received.isAcknowledgementUrgent).toBe(true);
    received.takeAcknowledgement();
    expect(received.isAcknowledgementUrgent).toBe(false);
  });
});
