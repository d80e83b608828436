/** Whom a remote address counts as: a host of IPv4, a network of IPv6. */

/**
 * An IPv4 address as it is, also where it is written as IPv6 (RFC 4291 2.5.5.2); of an IPv6 address its /64, because
 * one subscriber has all of it (RFC 6177). Undefined for what is no IP address, such as the peer of a Unix socket.
 */
export function addressKey(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  if (!address.includes(":")) return IPV4_PATTERN.test(address) ? address : undefined;
  const groups = groupsOf(address);
  if (groups === undefined) return undefined;
  const [high = 0, low = 0] = groups.slice(6);
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  if (isMapped) return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

const IPV4_PATTERN = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const GROUPS = 8;

/** The eight numbers of an IPv6 address, or undefined when it is none. A zone is left out. */
function groupsOf(address: string): readonly number[] | undefined {
  const [text = ""] = address.split("%");
  const halves = text.split("::").map((half) => (half === "" ? [] : half.split(":").flatMap(numbersOf)));
  const [head = [], tail] = halves;
  const zeros = GROUPS - head.length - (tail?.length ?? 0);
  const isWhole = tail === undefined ? zeros === 0 : halves.length === 2 && zeros >= 0;
  if (!isWhole) return undefined;
  const groups = [...head, ...new Array<number>(zeros).fill(0), ...(tail ?? [])];
  return groups.every((group) => group >= 0 && group <= 0xffff) ? groups : undefined;
}

/** One group; two where the last four bytes are written as IPv4. -1: none. */
function numbersOf(part: string): number[] {
  if (/^[\da-f]{1,4}$/i.test(part)) return [Number.parseInt(part, 16)];
  if (!IPV4_PATTERN.test(part)) return [-1];
  const [a = 0, b = 0, c = 0, d = 0] = part.split(".").map(Number);
  return [a * 256 + b, c * 256 + d];
}
