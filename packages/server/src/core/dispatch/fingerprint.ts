/** Arguments as one canonical text, so that the same command sent twice can be told from another under its id. */

/** Member names sorted, kinds JSON does not have written with a mark. Equal texts mean equal arguments. */
export function canonicalText(value: unknown): string {
  if (value === null || value === undefined) return "null";
  // MessagePack carries numbers that JSON would write as null.
  if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value))) return `#${value}`;
  if (typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (value instanceof Uint8Array) return `b[${value.join(",")}]`;
  if (isDate(value)) return `t${value.getTime()}`;
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, item]) => `${JSON.stringify(name)}:${canonicalText(item)}`);
  return `{${members.join(",")}}`;
}

function isDate(value: object): value is { getTime(): number } {
  return Object.prototype.toString.call(value) === "[object Date]";
}
