/** The last readings of one patient, in memory that never grows. */

export interface Sample {
  /** Milliseconds since 1970, the server's clock. */
  readonly at: number;
  readonly heartRate: number;
  readonly spo2: number;
}

/** Columns as the chart takes them: seconds, beats a minute, percent; null where a line is to break. */
export type Columns = [seconds: number[], heartRate: (number | null)[], spo2: (number | null)[]];

export interface RingBuffer {
  readonly length: number;
  push(sample: Sample): void;
  /** Oldest first. */
  columns(): Columns;
}

/** Readings come every second; after this long without one the lines break instead of bridging the silence. */
export const gapMs = 3_000;

export function createRingBuffer(capacity: number): RingBuffer {
  if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError("capacity: a whole number of at least 1");
  const times = new Float64Array(capacity);
  const heartRates = new Float64Array(capacity);
  const saturations = new Float64Array(capacity);
  let next = 0;
  let length = 0;

  return {
    get length() {
      return length;
    },
    push({ at, heartRate, spo2 }) {
      const last = times[(next + capacity - 1) % capacity] ?? 0;
      // A late or repeated reading would fold the line back on itself.
      if (length > 0 && !(at > last)) return;
      times[next] = at;
      heartRates[next] = heartRate;
      saturations[next] = spo2;
      next = (next + 1) % capacity;
      length = Math.min(capacity, length + 1);
    },
    columns() {
      const columns: Columns = [[], [], []];
      let before = Number.NaN;
      for (let offset = 0; offset < length; offset += 1) {
        const index = (next - length + offset + capacity) % capacity;
        const at = times[index] ?? 0;
        if (at - before > gapMs) append(columns, before + 1_000, Number.NaN, Number.NaN);
        append(columns, at, heartRates[index] ?? Number.NaN, saturations[index] ?? Number.NaN);
        before = at;
      }
      return columns;
    },
  };
}

function append(columns: Columns, at: number, heartRate: number, spo2: number): void {
  columns[0].push(at / 1_000);
  columns[1].push(Number.isNaN(heartRate) ? null : heartRate);
  columns[2].push(Number.isNaN(spo2) ? null : spo2);
}
