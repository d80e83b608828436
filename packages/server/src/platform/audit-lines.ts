/**
 * Audit records as JSON lines, to anything that is written to. Bounded: a reader that stalls costs records, never the
 * message path, and what was lost is counted and said in the trail itself.
 */

import type { Audit, AuditRecord } from "../core/audit.js";
import { oneLine } from "./one-line.js";

/** Where lines go. A `Writable` of `node:stream` is one. `done` is called once, with the error where there was one. */
export interface AuditWritable {
  write(text: string, done: (error?: Error | null) => void): unknown;
  on?(event: "error", listener: (error: Error) => void): unknown;
}

export interface AuditLinesOptions {
  /** Text that may wait for the writable, as much again may be under way. UTF-16 units, default 4 Mi. */
  readonly maxWaiting?: number | undefined;
  /**
   * Called when records begin to be lost, with why: an Error of the writable, or a RangeError where too many wait.
   * Default: a line on standard error. Must not throw.
   */
  readonly onLoss?: ((error: Error) => void) | undefined;
}

export interface AuditSink extends Audit {
  /** Records that were not written, so far. */
  readonly lost: number;
  /** Resolves when all that was recorded is written or lost. What is recorded later is lost. Does not end the writable. */
  close(): Promise<void>;
}

export const auditLinesDefaults: { readonly maxWaiting: number } = { maxWaiting: 4 * 1024 * 1024 };

/**
 * Writes `{"sequence", "run", "time", "event", …}` a line. After a loss the next line written is
 * `{"time", "event": "audit.lost", "count"}`; the numbers that are missing are those of the lost ones.
 */
export function auditLines(writable: AuditWritable, options: AuditLinesOptions = {}): AuditSink {
  const { maxWaiting = auditLinesDefaults.maxWaiting, onLoss = sayOnStandardError } = options;
  if (!Number.isInteger(maxWaiting) || maxWaiting < 1)
    throw new RangeError("auditLines.maxWaiting: a whole number of at least 1");
  let waiting: string[] = [];
  let waitingLength = 0;
  let isFlushing = false;
  let isClosed = false;
  let lost = 0;
  /** Lost ones that the trail does not say yet. */
  let unsaid = 0;
  let whenIdle: (() => void)[] = [];

  // A stream that fails without anybody who listens ends the process; what became of each write is told to it.
  writable.on?.("error", () => undefined);

  function lose(count: number, error: Error): void {
    if (unsaid === 0) onLoss(error);
    lost += count;
    unsaid += count;
  }

  function flush(): void {
    if (waiting.length === 0) {
      isFlushing = false;
      const woken = whenIdle;
      whenIdle = [];
      for (const resolve of woken) resolve();
      return;
    }
    const count = waiting.length;
    const saidLost = unsaid;
    if (saidLost > 0) waiting.unshift(renderLoss(saidLost));
    const text = waiting.join("");
    waiting = [];
    waitingLength = 0;
    let isDone = false;
    const done = (error?: Error | null): void => {
      if (isDone) return;
      isDone = true;
      if (error === undefined || error === null) unsaid -= saidLost;
      else lose(count, error);
      setImmediate(flush);
    };
    try {
      writable.write(text, done);
    } catch (error) {
      done(error instanceof Error ? error : new Error("the audit's writable threw", { cause: error }));
    }
  }

  return {
    record(record) {
      const line = isClosed ? undefined : renderRecord(record);
      if (line === undefined || waitingLength + line.length > maxWaiting) {
        return lose(1, new RangeError(isClosed ? "the audit is closed" : "more records wait than may"));
      }
      waiting.push(line);
      waitingLength += line.length;
      if (isFlushing) return;
      isFlushing = true;
      setImmediate(flush);
    },
    get lost() {
      return lost;
    },
    async close() {
      isClosed = true;
      if (isFlushing) await new Promise<void>((resolve) => whenIdle.push(resolve));
    },
  };
}

function renderRecord({ sequence, run, at, ...rest }: AuditRecord): string {
  return `${oneLine(JSON.stringify({ sequence, run, time: new Date(at).toISOString(), ...rest }))}\n`;
}

function renderLoss(count: number): string {
  return `${JSON.stringify({ time: new Date().toISOString(), event: "audit.lost", count })}\n`;
}

function sayOnStandardError({ name, message }: Error): void {
  const time = new Date().toISOString();
  const line = JSON.stringify({ level: "error", time, event: "audit.losing", error: { name, message } });
  process.stderr.write(`${oneLine(line)}\n`);
}
