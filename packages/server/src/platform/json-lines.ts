/** Telemetry as JSON lines on standard error: the default, so that no connection attempt goes unlogged. */

import type { Telemetry } from "../core/telemetry.js";
import { telemetryLevels } from "../core/telemetry.js";

/** Lines waiting for the end of the turn are written together; more than this at once are counted, not kept. */
const MAX_WAITING_LINES = 10_000;

export interface LineSink {
  write(text: string): unknown;
}

/** JSON escapes control characters, so peer data cannot forge a line. Never throws, never blocks on a slow sink. */
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
    if (waiting.length >= MAX_WAITING_LINES) {
      dropped++;
      return;
    }
    const { event: name, ...fields } = event;
    const line = { level: telemetryLevels[name], event: name, time: new Date().toISOString(), ...fields };
    if (waiting.push(JSON.stringify(line, describeErrors)) === 1) setImmediate(flush);
  };
}

/** An error's name and stack, never its enumerable members (libraries hang payloads on them) or what is not one. */
function describeErrors(name: string, value: unknown): unknown {
  if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack };
  return name === "error" && typeof value !== "string" ? `a thrown ${typeof value}` : value;
}
