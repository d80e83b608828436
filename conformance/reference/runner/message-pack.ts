/**
 * The little MessagePack that transcripts need, written apart from every library under test.
 * Values: JSON's own, Uint8Array for bin, Float for a number that is sent as a float even when it is whole.
 */

export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

export type Packable =
  null | boolean | number | string | Uint8Array | Float | readonly Packable[] | { readonly [name: string]: Packable };

export function pack(value: Packable): Buffer {
  if (value === null) return Buffer.from([0xc0]);
  if (typeof value === "boolean") return Buffer.from([value ? 0xc3 : 0xc2]);
  if (typeof value === "number") return Number.isInteger(value) ? packWhole(value) : packFloat(value);
  if (value instanceof Float) return packFloat(value.value);
  if (typeof value === "string") {
    const bytes = Buffer.from(value);
    return Buffer.concat([head(bytes.length, { fix: [0xa0, 32], wide: [0xd9, 0xda, 0xdb] }), bytes]);
  }
  if (value instanceof Uint8Array)
    return Buffer.concat([head(value.length, { wide: [0xc4, 0xc5, 0xc6] }), Buffer.from(value)]);
  if (Array.isArray(value)) {
    const items = value as readonly Packable[];
    return Buffer.concat([head(items.length, { fix: [0x90, 16], wide: [undefined, 0xdc, 0xdd] }), ...items.map(pack)]);
  }
  const entries = Object.entries(value as Readonly<Record<string, Packable>>);
  return Buffer.concat([
    head(entries.length, { fix: [0x80, 16], wide: [undefined, 0xde, 0xdf] }),
    ...entries.flatMap(([name, each]) => [pack(name), pack(each)]),
  ]);
}

/** What was read as readable JSON: bin is `{"bin":hex}`, an extension `{"ext":[type,hex]}`, a float `{"float":n}`. */
export function unpack(bytes: Buffer): unknown {
  const reader = new Reader(bytes);
  const value = reader.value();
  return reader.isAtEnd ? value : { value, "bytes behind it": reader.left };
}

interface Heads {
  readonly fix?: readonly [base: number, below: number];
  readonly wide: readonly [number | undefined, number, number];
}

function head(length: number, { fix, wide: [one, two, four] }: Heads): Buffer {
  if (fix !== undefined && length < fix[1]) return Buffer.from([fix[0] | length]);
  if (one !== undefined && length < 0x100) return Buffer.from([one, length]);
  if (length < 0x1_0000) return Buffer.from([two, length >> 8, length & 0xff]);
  const bytes = Buffer.alloc(5);
  bytes[0] = four;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function packWhole(value: number): Buffer {
  if (value >= 0 && value < 0x80) return Buffer.from([value]);
  if (value < 0 && value >= -32) return Buffer.from([0x100 + value]);
  if (value >= 0 && value <= 0xff) return Buffer.from([0xcc, value]);
  if (value >= 0 && value <= 0xffff) return Buffer.from([0xcd, value >> 8, value & 0xff]);
  const bytes = Buffer.alloc(9);
  if (value >= 0 && value <= 0xffff_ffff) {
    bytes[0] = 0xce;
    bytes.writeUInt32BE(value, 1);
    return bytes.subarray(0, 5);
  }
  bytes[0] = 0xd3;
  bytes.writeBigInt64BE(BigInt(value), 1);
  return bytes;
}

function packFloat(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xcb;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  get isAtEnd(): boolean {
    return this.left === 0;
  }

  value(): unknown {
    const first = this.#number(1);
    if (first < 0x80) return first;
    if (first < 0x90) return this.#map(first & 0x0f);
    if (first < 0xa0) return this.#array(first & 0x0f);
    if (first < 0xc0) return this.#text(first & 0x1f);
    if (first >= 0xe0) return first - 0x100;
    if (first >= 0xd4 && first <= 0xd8) return this.#extension(1 << (first - 0xd4));
    switch (first) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return { bin: this.#take(this.#number(1 << (first - 0xc4))).toString("hex") };
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#number(1 << (first - 0xc7)));
      case 0xca:
        return { float: this.#take(4).readFloatBE() };
      case 0xcb:
        return { float: this.#take(8).readDoubleBE() };
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#number(1 << (first - 0xcc));
      case 0xcf:
        return Number(this.#take(8).readBigUInt64BE());
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const length = 1 << (first - 0xd0);
        return this.#take(length).readIntBE(0, length);
      }
      case 0xd3:
        return Number(this.#take(8).readBigInt64BE());
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#number(1 << (first - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#number(2 << (first - 0xdc)));
      case 0xde:
      case 0xdf:
        return this.#map(this.#number(2 << (first - 0xde)));
      default:
        throw new Error(`no MessagePack: a value begins with 0x${first.toString(16)}`);
    }
  }

  #take(length: number): Buffer {
    if (this.left < length) throw new Error("no MessagePack: it ends too early");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #number(length: number): number {
    return this.#take(length).readUIntBE(0, length);
  }

  #text(length: number): string {
    return this.#take(length).toString("utf8");
  }

  #extension(length: number): unknown {
    return { ext: [this.#take(1).readInt8(), this.#take(length).toString("hex")] };
  }

  #array(length: number): unknown[] {
    return Array.from({ length }, () => this.value());
  }

  #map(length: number): unknown {
    return Object.fromEntries(Array.from({ length }, () => [String(this.value()), this.value()]));
  }
}
