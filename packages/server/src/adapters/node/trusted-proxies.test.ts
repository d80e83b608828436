import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTrustedProxies, UNIX_PEER } from "./trusted-proxies.js";

const proxies = createTrustedProxies(["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/16", "::ffff:192.0.2.0/120"]);

describe("a peer", () => {
  it.each([
    ["127.0.0.1", true],
    ["127.0.0.2", false],
    ["10.255.1.2", true],
    ["11.0.0.1", false],
    ["::1", true],
    ["0:0:0:0:0:0:0:1", true],
    ["::2", false],
    ["fd00::17", true],
    ["fd00::17%eth0", true],
    ["fd01::17", false],
    ["::ffff:10.1.2.3", true],
    ["::FFFF:11.1.2.3", false],
    ["192.0.2.200", true],
    ["192.0.3.1", false],
    ["not an address", false],
    ["", false],
    [undefined, false],
    [UNIX_PEER, false],
  ])("%s is trusted: %s", (peer, expected) => {
    expect(proxies.trusts(peer)).toBe(expected);
  });

  it("over a Unix socket is trusted where that is said, and one without an address is not the same", () => {
    const unix = createTrustedProxies(["unix:"]);
    expect([unix.trusts(UNIX_PEER), unix.trusts(undefined), unix.trusts("127.0.0.1")]).toEqual([true, false, false]);
    expect(unix.clientOf(UNIX_PEER, "203.0.113.9")).toBe("203.0.113.9");
    expect(unix.clientOf(UNIX_PEER, undefined)).toBeUndefined();
    expect(unix.clientOf(undefined, "203.0.113.9")).toBeUndefined();
  });

  it("is judged alike however often it is asked, and after many others were", () => {
    const asked = createTrustedProxies(["10.0.0.0/8"]);
    for (let index = 0; index < 3_000; index++) {
      const [third, fourth] = [index >> 8, index & 255];
      expect([asked.trusts(`10.1.${third}.${fourth}`), asked.trusts(`203.0.${third}.${fourth}`)]).toEqual([
        true,
        false,
      ]);
    }
    expect(["10.1.0.0", "203.0.0.0", "10.1.0.0", "203.0.0.0"].map((peer) => asked.trusts(peer))).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });
});

describe("the client of a request", () => {
  it.each<[string, string | undefined, string | undefined, string | undefined]>([
    ["is the peer where there is no header", "127.0.0.1", undefined, "127.0.0.1"],
    ["is the peer where the header is empty", "127.0.0.1", "", "127.0.0.1"],
    ["is the peer where the peer is not trusted, whatever it says", "203.0.113.7", "198.51.100.1", "203.0.113.7"],
    ["is whom a trusted peer names", "127.0.0.1", "203.0.113.9", "203.0.113.9"],
    ["is not whom the client names before", "127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"],
    ["is found behind several proxies", "::1", "198.51.100.1, 203.0.113.9, 10.0.0.7,10.0.0.8", "203.0.113.9"],
    ["is the farthest proxy where all are ours", "127.0.0.1", "10.0.0.7, 10.0.0.8", "10.0.0.7"],
    ["is the nearest proxy that is known where a name follows", "127.0.0.1", "unknown, 10.0.0.8", "10.0.0.8"],
    ["is never a text that is no address", "127.0.0.1", "<script>", "127.0.0.1"],
    ["is never found left of what is no address", "127.0.0.1", "203.0.113.9, _hidden", "127.0.0.1"],
    ["may come with a port", "127.0.0.1", "203.0.113.9:4711", "203.0.113.9"],
    ["may be IPv6 with a port", "127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"],
    ["may be IPv6 in brackets", "127.0.0.1", "[2001:db8::7]", "2001:db8::7"],
    ["may be IPv4 in IPv6", "::ffff:127.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"],
    ["keeps the peer's own spelling where that is all there is", "::ffff:127.0.0.1", undefined, "::ffff:127.0.0.1"],
  ])("%s", (_, peer, forwardedFor, expected) => {
    expect(proxies.clientOf(peer, forwardedFor)).toBe(expected);
  });

  it("cannot be chosen by the client: whatever it writes, the last trusted hop's word holds", () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string());
    fc.assert(
      fc.property(fc.array(address), (claimed) => {
        const header = [...claimed, "203.0.113.9", "10.0.0.7"].join(", ");
        expect(proxies.clientOf("127.0.0.1", header)).toBe("203.0.113.9");
      }),
    );
  });
});

describe("an entry", () => {
  it.each([
    "localhost",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0.0/0",
    "::/0",
    "::1/129",
    "10.0.0.0/-1",
    "10.0.0.0/0x8",
    "::ffff:10.0.0.0/95",
    "::ffff:0.0.0.0/96",
    "::ffff:0:0/96",
    "::/8",
    "127.0.0.1:80",
    "[::1]",
    "",
    "/8",
    "*",
    "unix",
  ])("that is no address and no network is refused: %s", (entry) => {
    expect(() => createTrustedProxies([entry])).toThrow(RangeError);
  });
});
