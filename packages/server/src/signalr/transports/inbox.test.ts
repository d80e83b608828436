import { describe, expect, it } from "vitest";
import { bytes } from "../../../test/connection-fixture.js";
import { bodyOfText } from "../../../test/http-fixture.js";
import { createTransportFixture, heldBody, type HeldBody } from "../../../test/transport-fixture.js";
import { Inbox, maxBodyBytes, type SendOutcome } from "./inbox.js";

function createInbox(onReceived: (inbox: Inbox) => void = () => undefined) {
  const { clock, setup } = createTransportFixture();
  const received: string[] = [];
  const inbox: Inbox = new Inbox({ ...setup, maxBytes: setup.maxBodyBytes }, (chunk) => {
    received.push(new TextDecoder().decode(chunk));
    onReceived(inbox);
  });
  return { clock, inbox, received };
}

const settle = async (): Promise<void> => {
  await new Promise((resolve) => setImmediate(resolve));
};

function finish(body: HeldBody, text: string): void {
  body.finish({ kind: "whole", bytes: bytes(text) });
}

describe("what is posted", () => {
  it("is read and handed on in the order of the requests, one body at a time", async () => {
    const { inbox, received } = createInbox();
    const [first, second] = [heldBody(), heldBody()];
    const outcomes = [inbox.take(first), inbox.take(second)];
    await settle();
    expect([first.isRead, second.isRead]).toEqual([true, false]);
    finish(first, "one");
    await settle();
    finish(second, "two");
    expect([await Promise.all(outcomes), received]).toEqual([
      ["taken", "taken"],
      ["one", "two"],
    ]);
  });

  it("waits unread while the connection is held back, and in the middle of a body between two slices", async () => {
    const { inbox, received } = createInbox((me) => received.length === 1 && me.pause());
    const long = inbox.take(bodyOfText("x".repeat(40_000)));
    const next = heldBody();
    const after = inbox.take(next);
    await settle();
    expect([received.length, next.isRead]).toEqual([1, false]);
    inbox.resume();
    expect(await long).toBe("taken");
    expect(received.map(({ length }) => length)).toEqual([16_384, 16_384, 7_232]);
    inbox.pause();
    await settle();
    finish(next, "after");
    await settle();
    expect(received).toHaveLength(3);
    inbox.resume();
    expect([await after, received[3]]).toEqual(["taken", "after"]);
  });

  it.each<[SendOutcome, (body: HeldBody) => void]>([
    ["too-large", (body) => body.finish({ kind: "too-large" })],
    ["broken", (body) => body.finish({ kind: "broken" })],
  ])("and is %s is not handed on, and what comes behind it is", async (outcome, end) => {
    const { clock, inbox, received } = createInbox();
    const body = heldBody();
    const taken = inbox.take(body);
    const next = inbox.take(bodyOfText("next"));
    await settle();
    end(body);
    expect([await taken, await next, received, clock.pending]).toEqual([outcome, "taken", ["next"], 0]);
  });

  it("drop by drop is given up after 10 s, by a heartbeat and no timer of its own", async () => {
    const { clock, inbox, received } = createInbox();
    const body = heldBody();
    const taken = inbox.take(body);
    await settle();
    expect(clock.pending).toBe(1);
    clock.advance(9_000);
    expect(body.isAbandoned).toBe(false);
    clock.advance(1_000);
    expect([await taken, body.isAbandoned, received, clock.pending]).toEqual(["late", true, [], 0]);
  });

  it("is taken when the connection ends over it, and what waited behind it is not", async () => {
    const { inbox, received } = createInbox((me) => me.end());
    const outcomes = await Promise.all([inbox.take(bodyOfText("x".repeat(40_000))), inbox.take(bodyOfText("next"))]);
    expect([outcomes, received.length]).toEqual([["taken", "ended"], 1]);
  });

  it("ends unread, half read or held back with its connection", async () => {
    const { clock, inbox, received } = createInbox();
    const body = heldBody();
    const half = inbox.take(body);
    const waiting = inbox.take(heldBody());
    await settle();
    inbox.end();
    expect([await half, await waiting, body.isAbandoned]).toEqual(["ended", "ended", true]);

    const other = createInbox();
    other.inbox.pause();
    const held = other.inbox.take(bodyOfText("held"));
    await settle();
    other.inbox.end();
    expect([await held, [...received, ...other.received], clock.pending]).toEqual(["ended", [], 0]);
  });

  it("by more than 64 requests at once is turned away", async () => {
    const { inbox, received } = createInbox();
    const first = heldBody();
    const taken = [inbox.take(first), ...Array.from({ length: 63 }, () => inbox.take(bodyOfText("x")))];
    expect(await inbox.take(bodyOfText("too many"))).toBe("crowded");
    await settle();
    finish(first, "first");
    expect(new Set(await Promise.all(taken))).toEqual(new Set(["taken"]));
    expect([received.length, await inbox.take(bodyOfText("again"))]).toEqual([64, "taken"]);
  });
});

it.each([
  [32 * 1024, 1024 * 1024],
  [1024, 32 * 1024],
  [1024 * 1024, 2 * 1024 * 1024],
])("messages of %i bytes make bodies of %i at most", (maxMessageBytes, expected) => {
  expect(maxBodyBytes({ maxMessageBytes })).toBe(expected);
});
