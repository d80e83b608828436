import { createFakeClock, type FakeClock, type MemorySocket } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOutboxPeer } from "../../../test/outbox-fixture.js";
import type { GroupKey } from "../groups/group.js";
import type { Frame } from "../publication.js";
import { createFlushQueue } from "./flush-queue.js";
import type { Outbox } from "./outbox.js";

const MAX_BATCH = 64 * 1024;
const MAX_UNCONFIRMED = 256 * 1024;
const MAX_BYTES = 512 * 1024;
const MAX_LAG_MS = 10_000;

/** The outbox as one would write it on a napkin: a list of frames, and what the wire was seen to carry. */
class Model {
  held: Frame[] = [];
  /** Bytes written but for which no confirmation has come. */
  written = 0;
  confirmed = 0;
  /** Bytes written when the open confirmation was asked for. */
  asked: number | undefined;
  seenRequests = 0;

  get heldBytes(): number {
    return this.held.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  get unconfirmed(): number {
    return this.written - this.confirmed;
  }
}

class Real {
  readonly clock: FakeClock = createFakeClock();
  readonly socket: MemorySocket;
  readonly outbox: Outbox;
  #nextByte = 0;

  constructor() {
    const limits = { maxBytes: MAX_BYTES, maxLagMs: MAX_LAG_MS, livesMs: 1e9 };
    const { socket, outbox } = createOutboxPeer(this.clock, createFlushQueue(this.clock), limits);
    this.socket = socket;
    this.outbox = outbox;
  }

  /** A frame that differs from its neighbours in every byte. */
  frame(length: number, group: GroupKey | undefined): Frame {
    this.#nextByte = (this.#nextByte + 1) % 251;
    return { bytes: new Uint8Array(length).fill(this.#nextByte), group };
  }
}

type Step = fc.Command<Model, Real>;

/** What holds after every step, whatever it was. `writesBefore` were there before it. */
function check(model: Model, real: Real, writesBefore: number, mayWrite: boolean): void {
  const { socket, outbox } = real;
  const fresh = socket.writes.slice(writesBefore);
  expect(fresh.length, "writes in one turn").toBeLessThanOrEqual(mayWrite ? 1 : 0);
  for (const bytes of fresh) {
    expect(bytes.length).toBeGreaterThan(0);
    // Each write is whole frames from the front of the queue, in order.
    let at = 0;
    let count = 0;
    while (at < bytes.length) {
      const next = model.held.shift();
      if (next === undefined) throw new RangeError("more was written than was held");
      expect(Buffer.compare(bytes.subarray(at, at + next.bytes.length), next.bytes)).toBe(0);
      at += next.bytes.length;
      count++;
    }
    expect(at).toBe(bytes.length);
    if (count > 1) expect(bytes.length).toBeLessThanOrEqual(MAX_BATCH);
    expect(model.unconfirmed).toBeLessThan(MAX_UNCONFIRMED);
    model.written += bytes.length;
  }
  if (socket.confirmationRequests > model.seenRequests) {
    expect(socket.confirmationRequests - model.seenRequests, "requests at once").toBe(1);
    expect(socket.openConfirmations, "open requests").toBe(1);
    model.seenRequests++;
    model.asked = model.written;
  }
  // Progress is always under way: 64 KiB are never left without a question.
  if (model.unconfirmed >= MAX_BATCH) expect(model.asked).toBeDefined();
  expect(outbox.pendingBytes).toBe(model.heldBytes + model.unconfirmed);
  expect(outbox.pendingBytes).toBeLessThanOrEqual(MAX_BYTES);
}

function command(name: string, mayWrite: boolean, run: (model: Model, real: Real) => void): Step {
  return {
    check: () => true,
    run(model, real) {
      const before = real.socket.writes.length;
      run(model, real);
      check(model, real, before, mayWrite);
    },
    toString: () => name,
  };
}

const push = (length: number, group: GroupKey | undefined): Step =>
  command(`push(${length}, ${group})`, false, (model, real) => {
    const frame = real.frame(length, group);
    const fits = model.heldBytes + model.unconfirmed + length <= MAX_BYTES;
    expect(real.outbox.push(frame)).toBe(fits);
    if (fits) model.held.push(frame);
  });

const turn = command("turn", true, (model, real) => {
  const mayHandOver = real.socket.queuedBytes === 0 && model.unconfirmed < MAX_UNCONFIRMED;
  const before = real.socket.writes.length;
  real.clock.endTurn();
  const wrote = real.socket.writes.length - before;
  if (!mayHandOver) expect(wrote).toBe(0);
  // Nothing stands in the way: a turn that ends with something held has written.
  else if (model.held.length > 0) expect(wrote).toBe(1);
});

const stall = command("stall", false, (_, { socket }) => socket.stall());
const unstall = command("unstall", false, (_, { socket }) => socket.unstall());

const confirm = command("confirm", false, (model, { socket }) => {
  expect(socket.confirm()).toBe(model.asked !== undefined);
  if (model.asked === undefined) return;
  model.confirmed = model.asked;
  model.asked = undefined;
});

const evict = (group: GroupKey): Step =>
  command(`evict(${group})`, false, (model, { outbox }) => {
    outbox.evict(group);
    model.held = model.held.filter((frame) => frame.group !== group);
  });

const wait = (ms: number): Step =>
  command(`wait(${ms})`, false, (_, { clock, outbox }) => {
    clock.advance(ms);
    outbox.beat(clock.monotonic());
  });

const anyGroup = fc.constantFrom("icu" as GroupKey, "er" as GroupKey, undefined);
const anyLength = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.constantFrom(1, 30_000, MAX_BATCH - 1, MAX_BATCH, MAX_BATCH + 1, 100_000, MAX_BYTES, MAX_BYTES + 1),
);
const steps = [
  fc.tuple(anyLength, anyGroup).map(([length, group]) => push(length, group)),
  fc.tuple(anyLength, anyGroup).map(([length, group]) => push(length, group)),
  fc.constant(turn),
  fc.constant(turn),
  fc.constant(stall),
  fc.constant(unstall),
  fc.constant(confirm),
  fc.constantFrom("icu" as GroupKey, "er" as GroupKey).map(evict),
  fc.constantFrom(0, 1_000, 5_000, 20_000).map(wait),
];

describe("an outbox and a plain queue", () => {
  it("carry the same bytes in the same order under any sequence of pushes, turns, stalls, confirmations and evictions", () => {
    fc.assert(
      fc.property(fc.commands(steps, { maxCommands: 120 }), (sequence) => {
        const [model, real] = [new Model(), new Real()];
        fc.modelRun(() => ({ model, real }), sequence);
        // A peer that reads again gets everything that is left, and nothing else.
        unstall.run(model, real);
        for (let round = 0; round < 50 && (model.held.length > 0 || model.asked !== undefined); round++) {
          turn.run(model, real);
          confirm.run(model, real);
        }
        expect([model.held.length, model.asked]).toEqual([0, undefined]);
      }),
      { numRuns: 400 },
    );
  });
});
