import { describe, expect, it } from "vitest";
import type { IdentityKey } from "../ids.js";
import { createPrincipalConnections } from "./principal-connections.js";

const [ALICE, BOB] = ["alice", "bob"] as IdentityKey[] as [IdentityKey, IdentityKey];

describe("connections of one principal", () => {
  it("are as many as allowed, each principal's own, and make room when they go", () => {
    const connections = createPrincipalConnections(2);
    const reason = (identity: IdentityKey): string => connections.refusal(identity)?.message ?? "may";
    expect(reason(ALICE)).toBe("may");
    connections.opened(ALICE);
    connections.opened(ALICE);
    expect([reason(ALICE), reason(BOB)]).toEqual(["connection_limit;action=retry-after;retry_after=30", "may"]);
    connections.released(ALICE);
    expect(reason(ALICE)).toBe("may");
    connections.released(ALICE);
    connections.released(ALICE);
    connections.opened(ALICE);
    expect(reason(ALICE)).toBe("may");
  });
});
