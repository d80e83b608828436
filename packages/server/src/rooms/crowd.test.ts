import { describe, expect, it } from "vitest";
import { createCrowd } from "./crowd.js";

describe("a crowd of sockets that have not said who they are", () => {
  it("takes so many of one address, whatever other addresses of its IPv6 network they come from", () => {
    const crowd = createCrowd(10, 2);
    const leave = crowd.enter("2001:db8:1:2::1");
    expect(leave).toBeDefined();
    expect(crowd.enter("2001:db8:1:2::2")).toBeDefined();
    expect(crowd.enter("2001:db8:1:2:ffff::3")).toBeUndefined();
    expect(crowd.enter("2001:db8:1:3::1")).toBeDefined();
    leave?.();
    expect(crowd.enter("2001:db8:1:2:ffff::3")).toBeDefined();
  });

  it("takes an IPv4 address that is written as IPv6 for the one it is", () => {
    const crowd = createCrowd(10, 1);
    expect(crowd.enter("::ffff:192.0.2.7")).toBeDefined();
    expect(crowd.enter("192.0.2.7")).toBeUndefined();
    expect(crowd.enter("192.0.2.8")).toBeDefined();
  });

  it("takes so many of all together, and each gives its place back once", () => {
    const crowd = createCrowd(2, 2);
    const leave = crowd.enter(undefined);
    expect(crowd.enter("192.0.2.7")).toBeDefined();
    expect(crowd.enter("192.0.2.8")).toBeUndefined();
    leave?.();
    leave?.();
    expect(crowd.enter("192.0.2.8")).toBeDefined();
    expect(crowd.enter("192.0.2.9")).toBeUndefined();
  });
});
