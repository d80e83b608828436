import { describe, expect, it } from "vitest";
import { bytes, text } from "../../../test/connection-fixture.js";
import type { GroupKey } from "../groups/group.js";
import type { Frame } from "../publication.js";
import { ReplayBuffer } from "./replay-buffer.js";

function frame(words: string, group?: string): Frame {
  return { bytes: bytes(words), group: group as GroupKey | undefined };
}

const icu = "icu" as GroupKey;
const words = (frames: readonly Frame[]): string => frames.map((each) => text(each.bytes)).join(" ");

/** A buffer that was given frames, and sent what it had room for. */
function holding(maxBytes: number, ...frames: readonly Frame[]): ReplayBuffer {
  const buffer = new ReplayBuffer(maxBytes);
  for (const each of frames) buffer.add(each);
  send(buffer);
  return buffer;
}

function send(buffer: ReplayBuffer): string {
  const sent: Frame[] = [];
  for (let next = buffer.next(); next !== undefined; next = buffer.next()) sent.push(next);
  return words(sent);
}

describe("a replay buffer", () => {
  it("begins at 1, and says the next number when nothing is unacknowledged, not the last one and one", () => {
    const buffer = new ReplayBuffer(100);
    expect([buffer.sequenceId, buffer.replay(), buffer.sentCount]).toEqual([1, [], 0]);
    buffer.add(frame("a"));
    buffer.add(frame("b"));
    send(buffer);
    expect([buffer.sequenceId, words(buffer.replay())]).toEqual([1, "a b"]);
    buffer.acknowledge(1);
    expect([buffer.sequenceId, words(buffer.replay())]).toEqual([2, "b"]);
    buffer.acknowledge(2);
    expect([buffer.sequenceId, words(buffer.replay())]).toEqual([3, ""]);
  });

  it("keeps the very frames it was given", () => {
    const shared = frame("shared");
    expect(holding(100, shared).replay()[0]).toBe(shared);
  });

  it("holds back what has no room, in order, and lets it go as room is made", () => {
    const buffer = holding(4, frame("aa"), frame("bb"), frame("cc"), frame("d"));
    expect([words(buffer.replay()), words(buffer.waiting()), buffer.sentBytes, buffer.waitingBytes]).toEqual([
      "aa bb",
      "cc d",
      4,
      3,
    ]);
    buffer.acknowledge(1);
    expect(send(buffer)).toBe("cc");
    buffer.acknowledge(3);
    expect(send(buffer)).toBe("d");
    expect([buffer.sequenceId, buffer.sentBytes, buffer.waitingBytes]).toEqual([4, 1, 0]);
  });

  it("sends a frame larger than its room alone", () => {
    const buffer = holding(4, frame("larger"), frame("b"));
    expect(words(buffer.replay())).toBe("larger");
    buffer.acknowledge(1);
    expect(send(buffer)).toBe("b");
  });

  it.each([
    ["more than was sent", 100],
    ["the largest number there is", Number.MAX_SAFE_INTEGER],
  ])("takes an acknowledgement of %s for one of what was, and frees nothing that waits", (_, sequenceId) => {
    const buffer = holding(2, frame("aa"), frame("bb"));
    buffer.acknowledge(sequenceId);
    expect([buffer.sequenceId, buffer.sentCount, words(buffer.waiting())]).toEqual([2, 0, "bb"]);
  });

  it("ignores an acknowledgement of what was acknowledged", () => {
    const buffer = holding(100, frame("a"), frame("b"));
    buffer.acknowledge(1);
    buffer.acknowledge(1);
    buffer.acknowledge(0);
    expect([buffer.sequenceId, words(buffer.replay())]).toEqual([2, "b"]);
  });

  it("goes on counting through thousands of frames", () => {
    const buffer = new ReplayBuffer(100);
    for (let id = 1; id <= 5_000; id++) {
      buffer.add(frame(String(id)));
      send(buffer);
      if (id > 3) buffer.acknowledge(id - 3);
    }
    expect([buffer.sequenceId, words(buffer.replay())]).toEqual([4_998, "4998 4999 5000"]);
  });

  describe("whose peer leaves a group", () => {
    it("forgets its frames that wait, and those the outbox took back: they never had a number the peer knows", () => {
      const buffer = holding(4, frame("a"), frame("I", "icu"), frame("b"), frame("J", "icu"), frame("K", "icu"));
      expect(buffer.evict(icu, 2)).toEqual({ waited: 1, isIntact: true });
      expect([words(buffer.replay()), buffer.sentBytes, buffer.waitingBytes, buffer.isBarred]).toEqual([
        "a b",
        2,
        0,
        false,
      ]);
      buffer.acknowledge(2);
      expect(buffer.sequenceId).toBe(3);
    });

    it("is barred while the peer may be sent one again, and not any more once that is acknowledged", () => {
      const buffer = holding(100, frame("a"), frame("I", "icu"), frame("b"));
      expect([buffer.evict(icu, 0).isIntact, buffer.isBarred]).toEqual([true, true]);
      buffer.acknowledge(1);
      expect(buffer.isBarred).toBe(true);
      buffer.acknowledge(2);
      expect([buffer.isBarred, words(buffer.replay())]).toEqual([false, "b"]);
    });

    it("is not barred by another group's frames, nor when everything was acknowledged", () => {
      const buffer = holding(100, frame("I", "icu"), frame("E", "er"));
      buffer.acknowledge(1);
      expect([buffer.evict(icu, 0).isIntact, buffer.isBarred]).toEqual([true, false]);
    });

    it("is bound to miscount when one is taken back whose number was told on the transport before", () => {
      const buffer = holding(100, frame("a"), frame("I", "icu"));
      buffer.replay();
      expect(buffer.evict(icu, 1).isIntact).toBe(false);
    });

    it("is bound to miscount when one is taken back that was acknowledged while it waited to be sent again", () => {
      const buffer = holding(100, frame("I", "icu"), frame("a"));
      buffer.replay();
      buffer.acknowledge(1);
      expect(buffer.evict(icu, 1).isIntact).toBe(false);
    });

    it("counts on with what comes behind a replay that is still being written", () => {
      const buffer = holding(100, frame("a"));
      buffer.replay();
      buffer.add(frame("I", "icu"));
      buffer.add(frame("b"));
      send(buffer);
      expect([buffer.evict(icu, 1).isIntact, words(buffer.replay()), buffer.isBarred]).toEqual([true, "a b", false]);
    });
  });
});

describe("a replay buffer whose connection lapsed", () => {
  it("forgets what waits and what was not written, as if it had never been said, and gives it back in order", () => {
    const [a, b, c, d] = [frame("a"), frame("b"), frame("c"), frame("d")] as const;
    const buffer = holding(3, a, b, c, d);
    const { frames, isIntact } = buffer.takeBack([b, c]);
    expect([words(frames), isIntact]).toEqual(["b c d", true]);
    expect([buffer.sentCount, buffer.sentBytes, buffer.waitingBytes, send(buffer)]).toEqual([1, 1, 0, ""]);
    buffer.acknowledge(1);
    buffer.add(d);
    expect([send(buffer), buffer.sequenceId]).toEqual(["d", 2]);
  });

  it("is barred by what the peer may have seen until that is acknowledged, and by nothing else", () => {
    const [a, b] = [frame("a"), frame("b")] as const;
    const written = holding(100, a, b);
    written.takeBack([b]);
    expect(written.isBarred).toBe(true);
    written.acknowledge(1);
    expect(written.isBarred).toBe(false);
    const unwritten = holding(100, a, b);
    unwritten.takeBack([a, b]);
    expect(unwritten.isBarred).toBe(false);
  });

  it("is bound to miscount when one is taken back whose number was told on the transport before, and only then", () => {
    const [a, b, c] = [frame("a"), frame("b"), frame("c")] as const;
    const cut = holding(100, a, b);
    cut.replay();
    expect(cut.takeBack([b]).isIntact).toBe(false);
    const behind = holding(100, a, b);
    behind.replay();
    behind.add(c);
    send(behind);
    expect(behind.takeBack([c]).isIntact).toBe(true);
    const waiting = holding(2, a, b, c);
    waiting.replay();
    expect(waiting.takeBack([]).isIntact).toBe(true);
  });

  it("is bound to miscount when one is taken back that was acknowledged before it was written", () => {
    const [a, b] = [frame("a"), frame("b")] as const;
    const buffer = holding(100, a, b);
    buffer.acknowledge(2);
    const { frames, isIntact } = buffer.takeBack([b]);
    expect([words(frames), isIntact]).toEqual(["b", false]);
  });
});
