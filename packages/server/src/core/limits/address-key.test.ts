import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressKey } from "./address-key.js";

describe("whom a remote address counts as", () => {
  it.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["::FFFF:c000:207", "192.0.2.7"],
    ["2001:db8:1:2::7", "2001:db8:1:2::/64"],
    ["2001:DB8:0001:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["64:ff9b::192.0.2.7", "64:ff9b:0:0::/64"],
  ])("%s is %s", (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  it.each([
    undefined,
    "",
    "unix",
    "example.org",
    "1.2.3",
    ":",
    "1:2:3",
    "1::2::3",
    "12345::1",
    "::g",
    "1:2:3:4:5:6:7:8:9",
  ])("%s is nobody", (address) => {
    expect(addressKey(address)).toBeUndefined();
  });

  it("is one for all of a /64, and another for another", () => {
    const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
    const four = fc.tuple(group, group, group, group);
    fc.assert(
      fc.property(four, four, four, (network, one, other) => {
        const key = addressKey([...network, ...one].join(":"));
        // 0:0:0:0:0:ffff:… is how IPv4 looks.
        fc.pre(network.some((part) => part !== "0"));
        expect(addressKey([...network, ...other].join(":"))).toBe(key);
        const [first, ...rest] = network;
        const next = ((Number.parseInt(first, 16) + 1) & 0xffff).toString(16);
        fc.pre([next, ...rest].some((part) => part !== "0"));
        expect(addressKey([next, ...rest, ...one].join(":"))).not.toBe(key);
      }),
    );
  });
});
