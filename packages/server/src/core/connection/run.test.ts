import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GroupKey } from "../groups/group.js";
import type { Frame } from "../publication.js";
import { Run } from "./run.js";

const groups = ["icu", "er", undefined] as const;

const anyFrame: fc.Arbitrary<Frame> = fc.record({
  bytes: fc.uint8Array({ minLength: 1, maxLength: 6 }),
  group: fc.constantFrom(...groups) as fc.Arbitrary<GroupKey | undefined>,
});

function runOf(frames: readonly Frame[], start: Run = Run.empty()): Run {
  return frames.reduce((run, frame) => run.append(frame), start);
}

function joined(frames: readonly Frame[]): number[] {
  return frames.flatMap(({ bytes }) => [...bytes]);
}

describe("a run of frames", () => {
  it("joins to its frames' bytes in order, and counts them", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 20 }), (frames) => {
        const run = runOf(frames);
        expect([...run.join()]).toEqual(joined(frames));
        expect(run.bytes).toBe(joined(frames).length);
      }),
    );
  });

  it("without a group holds the other frames in order, and is itself when it held none of the group's", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 20 }), (frames) => {
        const run = runOf(frames);
        const before = [...run.join()];
        const without = run.without("icu" as GroupKey);
        const kept = frames.filter(({ group }) => group !== "icu");
        expect([...without.join()]).toEqual(joined(kept));
        expect(without.bytes).toBe(joined(kept).length);
        expect(without === run).toBe(kept.length === frames.length);
        // The others on this node still have to write what was evicted for one of them.
        expect([...run.join()]).toEqual(before);
      }),
    );
  });

  it("is the same piece for all who appended the same frames to the same start, and only for them", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 10 }), anyFrame, (frames, other) => {
        const origin = Run.empty();
        const first = runOf(frames, origin);
        expect(runOf(frames, origin)).toBe(first);
        expect(runOf(frames, origin).join()).toBe(first.join());
        expect(runOf([...frames, other], origin).join()).not.toBe(first.join());
        expect(runOf(frames, Run.empty())).not.toBe(first);
      }),
    );
  });

  it("gives its frames back, the very ones, in order", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 20 }), (frames) => {
        const given = runOf(frames).frames();
        expect(given).toHaveLength(frames.length);
        expect(given.every((frame, index) => frame === frames[index])).toBe(true);
      }),
    );
  });

  it("costs no copy while it is one frame", () => {
    const frame: Frame = { bytes: Uint8Array.of(1, 2), group: undefined };
    expect(Run.empty().append(frame).join()).toBe(frame.bytes);
  });
});
