/** What a client counts and hears, against what was said, taken back and said again, with cuts anywhere. */

import { createFakeClock, MemorySocket, type FakeClock } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes, text } from "../../../test/connection-fixture.js";
import { nobody } from "../../../test/outbox-fixture.js";
import { readInstant, type EpochMs } from "../clock.js";
import type { GroupKey } from "../groups/group.js";
import { createFlushQueue } from "./flush-queue.js";
import type { EndingEvent } from "./lifecycle.js";
import { lifetimeUntil } from "./lifetime.js";
import { Outbox } from "./outbox.js";
import { outboxDefaults } from "./outbox-options.js";
import { ReplayOutbox } from "./replay-outbox.js";

/** Words between semicolons: `from 3;` opens a transport, `!;` is not numbered, everything else is. */
class CountingClient {
  readonly heard: string[] = [];
  #socket: MemorySocket | undefined;
  #read = 0;
  #nextId = 1;
  #latestId = 0;
  #isWaiting = false;

  get latestId(): number {
    return this.#latestId;
  }

  come(socket: MemorySocket, isFirst: boolean): void {
    this.#socket = socket;
    this.#read = 0;
    this.#isWaiting = !isFirst;
  }

  lose(): void {
    this.#socket = undefined;
  }

  /** Reads so many words of those that have arrived, and confirms when there are no more. */
  read(count: number): void {
    const arrived = text(this.#socket?.written ?? new Uint8Array(0)).split(";");
    const last = Math.min(arrived.length - 1, this.#read + count);
    for (; this.#read < last; this.#read++) this.#take(arrived[this.#read] as string);
    if (this.#read === arrived.length - 1) while (this.#socket?.confirm() === true);
  }

  #take(word: string): void {
    if (word === "!") return;
    if (word.startsWith("from ")) {
      const sequenceId = Number(word.slice(5));
      if (sequenceId > this.#nextId) throw new Error("a Sequence greater than what was received");
      this.#nextId = sequenceId;
      this.#isWaiting = false;
      return;
    }
    if (this.#isWaiting) throw new Error("said before its Sequence");
    const id = this.#nextId++;
    if (id <= this.#latestId) return;
    this.#latestId = id;
    this.heard.push(word);
  }
}

function createBench(maxReplayBytes: number) {
  const clock: FakeClock = createFakeClock();
  const queue = createFlushQueue(clock);
  const ends: EndingEvent[] = [];
  const limits = { maxBytes: 10_000, maxReplayBytes };
  const outbox = new ReplayOutbox(limits, { ...nobody, apply: (event) => void ends.push(event) });
  const client = new CountingClient();
  let socket: MemorySocket | undefined;

  function attach(isFirst = false): void {
    const next = new MemorySocket();
    const instant = readInstant(clock);
    const lifetime = lifetimeUntil((clock.now() + 3_600_000) as EpochMs, instant);
    next.listen({
      received: () => undefined,
      confirmed: () => outbox.confirmed(clock.monotonic()),
      drained: () => outbox.drained(),
      failed: () => undefined,
      closed: () => undefined,
    });
    const transport = new Outbox(next, queue, outboxDefaults, lifetime, instant.monotonic, nobody);
    outbox.attach(transport, bytes(isFirst ? "!;" : `from ${outbox.sequenceId};`), instant);
    socket = next;
    client.come(next, isFirst);
  }

  attach(true);
  return {
    clock,
    outbox,
    ends,
    client,
    attach,
    say: (word: string, group?: GroupKey) => outbox.push({ bytes: bytes(`${word};`), group }),
    acknowledge: () => outbox.acknowledge(client.latestId, clock.monotonic()),
    settle() {
      while (clock.pendingTurn > 0) clock.endTurn();
    },
    cut() {
      socket = undefined;
      client.lose();
      outbox.detach();
    },
    get socket() {
      return socket;
    },
  };
}

const act = fc.oneof(
  { weight: 6, arbitrary: fc.record({ say: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ read: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ back: fc.constantFrom("said again", "dropped") }) },
  { weight: 4, arbitrary: fc.constantFrom("flush", "acknowledge", "stall", "unstall", "cut", "control") },
);

describe("an outbox that replays, whatever is taken back of it", () => {
  it("is heard once and in order, and counted right by its client", () => {
    let takenBack = 0;
    let replays = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(act, { maxLength: 50 }), (maxReplayBytes, acts) => {
        const bench = createBench(maxReplayBytes);
        const { outbox, client, clock } = bench;
        let line: string[] = [];
        let count = 0;
        const say = (word: string): void => {
          line.push(word);
          expect(bench.say(word)).toBe(true);
        };
        for (const each of acts) {
          if (each === "flush") clock.endTurn();
          else if (each === "stall") bench.socket?.stall();
          else if (each === "unstall") bench.socket?.unstall();
          else if (each === "control") outbox.control(bytes("!;"));
          else if (each === "acknowledge") bench.acknowledge();
          else if (each === "cut") {
            bench.cut();
            if (!outbox.mayReplay) return;
            bench.attach();
            replays++;
          } else if ("say" in each) for (let said = 0; said < each.say; said++) say(`w${count++}`);
          else if ("read" in each) client.read(each.read);
          else {
            const frames = outbox.takeBack();
            // Cut into a replay, it cannot go on.
            if (frames === undefined) return;
            const words = frames.map((frame) => text(frame.bytes).slice(0, -1));
            expect(words).toEqual(line.slice(line.length - words.length));
            line = line.slice(0, line.length - words.length);
            takenBack += words.length;
            if (each.back === "said again") for (const word of words) say(word);
          }
          expect(client.heard).toEqual(line.slice(0, client.heard.length));
        }
        bench.socket?.unstall();
        for (let round = 0; round < count + 5; round++) {
          bench.settle();
          client.read(Infinity);
          bench.acknowledge();
        }
        expect(client.heard).toEqual(line);
        expect([outbox.keptBytes, outbox.mayReplay, bench.ends]).toEqual([0, true, []]);
      }),
      { numRuns: 400 },
    );
    expect(takenBack).toBeGreaterThan(0);
    expect(replays).toBeGreaterThan(0);
  });
});
