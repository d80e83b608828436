/** Which peers are proxies of ours, and whose request they pass on. */

import { BlockList, isIP } from "node:net";

/** A peer over a Unix socket, as nginx names it, too (`set_real_ip_from unix:`). */
export const UNIX_PEER = "unix:";

export interface TrustedProxies {
  /** Whether this peer is one. `undefined`, a peer whose address is not known (any more), never is. */
  trusts(peer: string | undefined): boolean;
  /**
   * The client's address: the rightmost of `X-Forwarded-For` that is no trusted proxy, because everything left of it
   * is only what that client said. The peer's own where the peer is not trusted.
   */
  clientOf(peer: string | undefined, forwardedFor: string | undefined): string | undefined;
}

/** IPv4 in IPv6 (RFC 4291 2.5.5.2), as a dual-stack socket writes it. */
const MAPPED_PATTERN = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;
const MAPPED_PREFIX_BITS = 96;
/** An address with a port behind it, as some load balancers write it. */
const WITH_PORT_PATTERN = /^(?:\[([0-9a-f:.]+)\](?::\d{1,5})?|(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5})$/i;
/** Addresses whose verdict is remembered: asking a BlockList makes a native object each time. */
const MAX_REMEMBERED = 1_000;

/**
 * @param entries addresses (`::1`), networks (`10.0.0.0/8`), and `unix:` for every peer over a Unix socket
 * @throws RangeError for what is neither
 */
export function createTrustedProxies(entries: readonly string[]): TrustedProxies {
  const proxies = new BlockList();
  for (const entry of entries) if (entry !== UNIX_PEER) addEntry(proxies, entry);
  const trustsUnix = entries.includes(UNIX_PEER);
  const trustsAddresses = entries.some((entry) => entry !== UNIX_PEER);
  const verdicts = new Map<string, boolean>();

  function trusts(peer: string | undefined): boolean {
    if (peer === undefined) return false;
    if (peer === UNIX_PEER) return trustsUnix;
    if (!trustsAddresses) return false;
    const address = plainAddress(peer);
    return address !== undefined && isListed(address);
  }

  function isListed(address: string): boolean {
    const known = verdicts.get(address);
    if (known !== undefined) return known;
    const verdict = proxies.check(address, familyOf(address));
    // Peers choose their addresses: the oldest gives way, so nobody can fill it for good.
    if (verdicts.size >= MAX_REMEMBERED) for (const oldest of verdicts.keys()) if (verdicts.delete(oldest)) break;
    verdicts.set(address, verdict);
    return verdict;
  }

  return {
    trusts,
    clientOf(peer, forwardedFor) {
      const own = peer === UNIX_PEER ? undefined : peer;
      if (!trusts(peer)) return own;
      let client = own;
      for (const entry of (forwardedFor ?? "").split(",").reverse()) {
        const address = plainAddress(entry.trim());
        // What is no address was written by nobody we trust, and nothing left of it is better.
        if (address === undefined) return client;
        client = address;
        if (!trusts(address)) return client;
      }
      return client;
    },
  };
}

function addEntry(proxies: BlockList, entry: string): void {
  const [text = "", bitsText, ...rest] = entry.split("/");
  const address = isIP(text) === 0 ? undefined : plainAddress(text);
  const isMapped = address !== text && MAPPED_PATTERN.test(text);
  const bits = bitsText === undefined ? undefined : Number(bitsText) - (isMapped ? MAPPED_PREFIX_BITS : 0);
  const isNetwork = bits !== undefined && /^\d{1,3}$/.test(bitsText ?? "");
  if (address === undefined || rest.length > 0 || (bits !== undefined && !isNetwork)) throw badEntry(entry);
  const family = familyOf(address);
  if (bits === undefined) return proxies.addAddress(address, family);
  // A network of no bits is everybody: nobody would be left to be the client.
  if (bits < 1 || bits > (family === "ipv4" ? 32 : 128)) throw badEntry(entry);
  const network = new BlockList();
  network.addSubnet(address, bits, family);
  // Nor is one that holds all of IPv4 in IPv6's clothes.
  if (family === "ipv6" && network.check("0.0.0.1") && network.check("255.255.255.254")) throw badEntry(entry);
  proxies.addSubnet(address, bits, family);
}

function badEntry(entry: string): RangeError {
  const text = JSON.stringify(entry);
  return new RangeError(`attach.trustedProxies: ${text} is no address, no network such as "10.0.0.0/8", not "unix:"`);
}

/** Without port, brackets, zone, or IPv6 around an IPv4; undefined for what is no address. */
function plainAddress(text: string): string | undefined {
  const [, bracketed, beforePort] = WITH_PORT_PATTERN.exec(text) ?? [];
  const bare = (bracketed ?? beforePort ?? text).replace(/%[\w.-]+$/, "");
  const address = MAPPED_PATTERN.exec(bare)?.[1] ?? bare;
  return isIP(address) === 0 ? undefined : address;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return address.includes(":") ? "ipv6" : "ipv4";
}
