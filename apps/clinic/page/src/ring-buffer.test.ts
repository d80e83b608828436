import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRingBuffer } from "./ring-buffer.js";

const sample = (at: number, heartRate = 70, spo2 = 97) => ({ at, heartRate, spo2 });

describe("the ring buffer", () => {
  it("keeps the newest readings, oldest first", () => {
    const buffer = createRingBuffer(3);
    for (const second of [1, 2, 3, 4, 5]) buffer.push(sample(second * 1_000, 60 + second));
    expect(buffer.columns()).toEqual([
      [3, 4, 5],
      [63, 64, 65],
      [97, 97, 97],
    ]);
    expect(buffer.length).toBe(3);
  });

  it("breaks the line where readings are missing instead of bridging the silence", () => {
    const buffer = createRingBuffer(10);
    buffer.push(sample(1_000));
    buffer.push(sample(9_000));
    expect(buffer.columns()).toEqual([
      [1, 2, 9],
      [70, null, 70],
      [97, null, 97],
    ]);
  });

  it("drops a late or repeated reading, which would fold the line back", () => {
    const buffer = createRingBuffer(10);
    buffer.push(sample(2_000));
    buffer.push(sample(1_000));
    buffer.push(sample(2_000));
    expect(buffer.columns()[0]).toEqual([2]);
  });

  it("leaves a hole for a value that is missing", () => {
    const buffer = createRingBuffer(10);
    buffer.push(sample(1_000, Number.NaN, 96));
    expect(buffer.columns()).toEqual([[1], [null], [96]]);
  });

  it("never holds more than its capacity, and its times only rise", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(100_000), { maxLength: 80 }), (capacity, times) => {
        const buffer = createRingBuffer(capacity);
        for (const at of times) buffer.push(sample(at));
        const [seconds] = buffer.columns();
        expect(buffer.length).toBeLessThanOrEqual(capacity);
        expect(seconds.every((second, index) => index === 0 || second > (seconds[index - 1] ?? 0))).toBe(true);
      }),
    );
  });

  it("refuses a capacity that holds nothing", () => {
    expect(() => createRingBuffer(0)).toThrow(RangeError);
  });
});
