/**
 * What a transcript of Hubward must be: the real server's, with the differences that are meant put in.
 * JSON is compared by what it says: the order of its fields and the way its characters are escaped do not count.
 */

import type { IntendedName } from "./differences/intended.js";
import type { TransportName } from "./runner/transports.js";

export interface Difference {
  readonly script: string | RegExp;
  /** Names of runs, or a pattern of such names. */
  readonly runs: readonly string[] | RegExp;
  /** A line of the real server's transcript, or a pattern for (a part of) one. Fields of JSON in alphabetical order. */
  readonly reference: string | RegExp;
  /** What Hubward has there: a line (for a pattern its replacement, with `$1`), several, or none. */
  readonly hubward: string | readonly string[];
  /** Of the lines that match, the one that is meant, counted from 1. Default all. */
  readonly nth?: number | undefined;
  /** What was sent last before it. Default anything. */
  readonly after?: RegExp | undefined;
  /** Nothing of the real server's transcript after this line is expected. */
  readonly isLast?: boolean | undefined;
  readonly why: IntendedName;
}

/** The transcript that is expected: differences are put in one after the other. `onUse` hears of each that was. */
export function expected(
  script: string,
  run: string,
  reference: readonly string[],
  differences: readonly Difference[],
  onUse: (difference: Difference) => void,
): readonly string[] {
  let lines: readonly string[] = reference.map(canonical);
  for (const difference of differences) {
    const { runs } = difference;
    const isScript =
      difference.script instanceof RegExp ? difference.script.test(script) : difference.script === script;
    if (!isScript || !(runs instanceof RegExp ? runs.test(run) : runs.includes(run))) continue;
    const changed = put(difference, lines);
    if (changed === undefined) continue;
    onUse(difference);
    lines = changed;
  }
  return lines;
}

/** Undefined when the difference concerns no line. */
function put(
  { reference, hubward, nth, after, isLast }: Difference,
  lines: readonly string[],
): readonly string[] | undefined {
  const changed: string[] = [];
  let matches = 0;
  let used = 0;
  let sent = "";
  for (const line of lines) {
    if (/^[^<]*> /.test(line)) sent = line;
    const isMatch =
      (typeof reference === "string" ? canonical(reference) === line : reference.test(line)) &&
      after?.test(sent) !== false;
    if (!isMatch || (++matches !== nth && nth !== undefined)) {
      changed.push(line);
      continue;
    }
    used++;
    for (const each of [hubward].flat()) {
      changed.push(canonical(typeof reference === "string" ? each : line.replace(reference, each)));
    }
    if (isLast === true) break;
  }
  return used === 0 ? undefined : changed;
}

/** A line whose JSON has its fields in order and its characters as they are. */
export function canonical(line: string): string {
  const start = line.search(/[[{]/);
  if (start === -1) return line;
  // Messages, and what follows them: bytes in hexadecimal, headers.
  const pieces = line.slice(start).split(/( ␞ |␞| [\da-f]+$| \| )/);
  return line.slice(0, start) + pieces.map(canonicalJson).join("");
}

function canonicalJson(text: string): string {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.stringify(sorted(JSON.parse(text)));
  } catch {
    return text;
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, each]) => [name, sorted(each)]),
  );
}

/** How a connection's end looks that a WebSocket shows with a close frame. */
const ENDS: Readonly<Record<Exclude<TransportName, "WebSockets">, string>> = {
  ServerSentEvents: "(the event stream ended)",
  LongPolling: "(a poll was answered 204)",
};

/** The same transcript over another transport. */
export function over(transport: TransportName, lines: readonly string[]): readonly string[] {
  if (transport === "WebSockets") return lines;
  return lines.map((line) => line.replace(/\(close frame .*\)$/, ENDS[transport]));
}
