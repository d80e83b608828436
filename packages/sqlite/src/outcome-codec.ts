/**
 * Outcomes of commands as text: JSON, and inside texts what JSON has no form for but a hub's answer may hold (bytes,
 * instants, 64-bit integers, numbers that are none), behind a control character that other texts get doubled.
 */

import type { CommandOutcome } from "@hubward/server/ports";

const mark = "\u0010";

/** @throws TypeError for what has no form: a circle, say. */
export function encodeOutcome(outcome: CommandOutcome): string {
  return JSON.stringify(outcome, function (this: Readonly<Record<string, unknown>>, name, value: unknown) {
    // JSON.stringify has asked toJSON before: what stood there was a Date, or a Buffer.
    const original = this[name];
    if (original instanceof Uint8Array) return `${mark}b${Buffer.from(original).toString("base64")}`;
    if (original instanceof Date) return `${mark}d${original.getTime()}`;
    if (typeof value === "bigint") return `${mark}i${value}`;
    if (typeof value === "number" && !Number.isFinite(value)) return `${mark}n${value}`;
    if (typeof value === "string" && value.startsWith(mark)) return mark + value;
    return value;
  });
}

/** @throws SyntaxError for a text that `encodeOutcome` never wrote. */
export function decodeOutcome(text: string): CommandOutcome {
  return JSON.parse(text, (_name, value: unknown) =>
    typeof value === "string" && value.startsWith(mark) ? decodeText(value) : value,
  ) as CommandOutcome;
}

function decodeText(text: string): unknown {
  const rest = text.slice(2);
  switch (text[1]) {
    case mark:
      return text.slice(1);
    case "b":
      return new Uint8Array(Buffer.from(rest, "base64"));
    case "d":
      return new Date(Number(rest));
    case "i":
      return BigInt(rest);
    case "n":
      return Number(rest);
    default:
      throw new SyntaxError("an outcome in a form that is not known");
  }
}
