/** Just enough MessagePack to write what no encoder would let through. */

/** Null, whole numbers of 16 bits, text, lists and objects, in MessagePack. */
export function pack(value: unknown): Buffer {
  if (value === null) return Buffer.from([0xc0]);
  if (typeof value === "number") return Buffer.from([0xcd, value >> 8, value & 0xff]);
  if (typeof value === "string") return Buffer.concat([head(0xda, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Array.isArray(value)) return Buffer.concat([head(0xdc, value.length), ...value.map(pack)]);
  const members = Object.entries(value as object);
  return Buffer.concat([
    head(0xde, members.length),
    ...members.flatMap(([name, member]) => [pack(name), pack(member)]),
  ]);
}

function head(kind: number, length: number): Buffer {
  return Buffer.from([kind, length >> 8, length & 0xff]);
}
