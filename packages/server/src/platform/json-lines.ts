/** Telemetry as JSON lines on standard error: the default, so that no connection attempt goes unlogged. */

import type { Telemetry, TelemetryEvent } from "../core/telemetry.js";
import { telemetryLevels } from "../core/telemetry.js";
import { oneLine } from "./one-line.js";

/** Lines waiting for the end of the turn are written together; more than this at once are counted, not kept. */
const MAX_WAITING_LINES = 10_000;

/** Bytes the sink may hold for a reader that stalls. */
const MAX_SINK_BYTES = 1024 * 1024;

export interface LineSink {
  write(text: string): unknown;
  readonly writableLength?: number | undefined;
}

/** Control characters are escaped, so peer data cannot forge a line. Never throws, never blocks on a slow sink. */
export function jsonLines(sink: LineSink = process.stderr): Telemetry {
  let waiting: string[] = [];
  let dropped = 0;

  function flush(): void {
    const lines = waiting;
    waiting = [];
    if (dropped > 0) lines.push(JSON.stringify({ level: "warning", event: "telemetry.dropped", count: dropped }));
    dropped = 0;
    sink.write(lines.join("\n") + "\n");
  }

  return (event) => {
    if (waiting.length >= MAX_WAITING_LINES || (sink.writableLength ?? 0) > MAX_SINK_BYTES) {
      dropped++;
      return;
    }
    if (waiting.push(renderLine(event)) === 1) setImmediate(flush);
  };
}

function renderLine(event: TelemetryEvent): string {
  // An event is an object with at least its name: its members follow behind ours.
  const fields = JSON.stringify("error" in event ? { ...event, error: describeError(event.error) } : event);
  return oneLine(`{"level":"${telemetryLevels[event.event]}","time":"${timeText()}",${fields.slice(1)}`);
}

let lastAt = Number.NaN;
let lastText = "";

/** Now, as ISO 8601. Lines come in bursts: those of one millisecond share the text. */
function timeText(): string {
  const now = Date.now();
  if (now !== lastAt) {
    lastAt = now;
    lastText = new Date(now).toISOString();
  }
  return lastText;
}

/**
 * An error's name, message and stack, never its other members (libraries hang requests on them), nor its own
 * toJSON. Whatever was thrown, this does not throw.
 */
function describeError(error: unknown): unknown {
  try {
    if (!(error instanceof Error)) return typeof error === "string" ? error : `a thrown ${typeof error}`;
    return { name: String(error.name), message: String(error.message), stack: String(error.stack) };
  } catch {
    return "an error that cannot be described";
  }
}
