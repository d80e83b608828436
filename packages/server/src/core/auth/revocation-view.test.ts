import { testAuthentication } from "@hubward/testing";
import { describe, expect, it, vi } from "vitest";
import type { EpochMs } from "../clock.js";
import type { ConnectionId } from "../ids.js";
import { createRevocation } from "./revocation-record.js";
import { createRevocationView } from "./revocation-view.js";
import type { Revocation, RevocationKind, RevocationTarget } from "./revocation.js";

const NOW = Date.UTC(2026, 0, 1) as EpochMs;
const issuer = "https://issuer.example";
const identity = { type: "identity", tenant: "north", issuer, subject: "nurse-7" } as const;
const tenant = { type: "tenant", tenant: "north" } as const;
const session = { type: "session", tenant: undefined, issuer, sessionId: "s-1" } as const;
const nurse = testAuthentication({ tenant: "north", sessionId: "s-1", issuedAt: NOW - 1_000 });

function entryOf(number: number, kind: RevocationKind, target: RevocationTarget, maxTokenAgeMs = 60_000): Revocation {
  return { ...createRevocation({ kind, target }, { now: NOW, maxTokenAgeMs, skewMs: 0 }), number };
}

describe("the view of revocations", () => {
  it("takes each entry once, in the order of numbers", () => {
    const view = createRevocationView();
    expect(view.head).toBe(0);
    expect(view.apply(entryOf(3, "suspension", identity))).toBe(true);
    expect(view.apply(entryOf(3, "suspension", identity))).toBe(false);
    expect(view.apply(entryOf(2, "lift", identity))).toBe(false);
    expect([view.head, view.judge(nurse)?.number]).toEqual([3, 3]);
  });

  it("knows the log's head also where the last entries are forgotten", () => {
    const view = createRevocationView();
    view.advanceTo(9);
    view.advanceTo(4);
    expect(view.head).toBe(9);
    expect(view.apply(entryOf(9, "suspension", identity))).toBe(false);
  });

  it("lets a suspension stand until it is lifted, and again when it comes again", () => {
    const view = createRevocationView();
    view.apply(entryOf(1, "suspension", identity));
    view.apply(entryOf(2, "suspension", identity));
    view.forget((NOW + 1e12) as EpochMs);
    expect(view.judge(nurse)?.reason).toBe("account_disabled");
    view.apply(entryOf(3, "lift", identity));
    expect(view.judge(nurse)).toBeUndefined();
    view.apply(entryOf(4, "suspension", identity));
    expect(view.judge(nurse)?.number).toBe(4);
  });

  it("lifts what the lift names and nothing else", () => {
    const view = createRevocationView();
    view.apply(entryOf(1, "suspension", tenant));
    view.apply(entryOf(2, "suspension", identity));
    view.apply(entryOf(3, "end", session));
    view.apply(entryOf(4, "lift", tenant));
    expect(view.judge(nurse)?.number).toBe(2);
    view.apply(entryOf(5, "lift", identity));
    expect(view.judge(nurse)?.number).toBe(3);
  });

  it("keeps apart who is suspended in one tenant, without one, and in whatever tenant: each is lifted by its own name", () => {
    const everywhere = { type: "subject", issuer, subject: "nurse-7" } as const;
    const nowhere = { ...identity, tenant: undefined };
    const others = [
      { ...nurse, tenant: "south" },
      { ...nurse, tenant: undefined },
    ].map(testAuthentication);
    const view = createRevocationView();
    const verdicts = () => [nurse, ...others].map((each) => view.judge(each)?.number);
    view.apply(entryOf(1, "suspension", identity));
    view.apply(entryOf(2, "suspension", nowhere));
    expect(verdicts()).toEqual([1, undefined, 2]);
    view.apply(entryOf(3, "suspension", everywhere));
    expect(verdicts()).toEqual([3, 3, 3]);
    view.apply(entryOf(4, "lift", identity));
    view.apply(entryOf(5, "lift", nowhere));
    expect(verdicts()).toEqual([3, 3, 3]);
    view.apply(entryOf(6, "suspension", identity));
    view.apply(entryOf(7, "lift", everywhere));
    expect(verdicts()).toEqual([6, undefined, undefined]);
  });

  it("finds what was issued before of a subject in whatever tenant, of its issuer and no other", () => {
    const view = createRevocationView();
    const scope = { type: "subject", issuer, subject: "nurse-7" } as const;
    view.apply(entryOf(1, "end", { type: "issued-before", before: NOW, scope }));
    const verdict = (change: object) => view.judge(testAuthentication({ ...nurse, ...change }))?.number;
    expect([verdict({}), verdict({ tenant: "south" }), verdict({ tenant: undefined })]).toEqual([1, 1, 1]);
    expect(verdict({ issuer: "https://other.example" })).toBeUndefined();
    expect(verdict({ subject: "nurse-8" })).toBeUndefined();
    expect(verdict({ issuedAt: NOW + 60_001 })).toBeUndefined();
  });

  it.each<[string, RevocationTarget]>([
    ["a token", { type: "token", tenant: "north", issuer, tokenId: "t-1" }],
    ["a session", { ...session, tenant: "north" }],
    [
      "what an issuer issued before",
      { type: "issued-before", before: NOW, scope: { type: "issuer", tenant: "north", issuer } },
    ],
  ])("takes %s of a tenant for that tenant's alone", (_, target) => {
    const view = createRevocationView();
    view.apply(entryOf(1, "end", target));
    const verdict = (tenant: string | undefined) =>
      view.judge(testAuthentication({ ...nurse, tokenId: "t-1", tenant }))?.number;
    expect([verdict("north"), verdict("south"), verdict(undefined)]).toEqual([1, undefined, undefined]);
  });

  it("names the severest of several", () => {
    const view = createRevocationView();
    view.apply(entryOf(1, "claims-changed", identity));
    expect(view.judge(nurse)?.reason).toBe("reauth_required");
    view.apply(entryOf(2, "end", session));
    expect(view.judge(nurse)?.reason).toBe("session_revoked");
    view.apply(entryOf(3, "suspension", identity));
    expect(view.judge(nurse)?.reason).toBe("account_disabled");
    view.apply(entryOf(4, "suspension", tenant));
    expect(view.judge(nurse)?.reason).toBe("tenant_suspended");
  });

  it("refuses a connection by its id at whatever door names it", () => {
    const view = createRevocationView();
    const connectionId = "c-1" as ConnectionId;
    view.apply(entryOf(1, "end", { type: "connection", connectionId }));
    expect(view.judge(nurse, { connectionId })?.number).toBe(1);
    expect(view.judge(nurse, { connectionId: "c-2" as ConnectionId })).toBeUndefined();
    expect(view.judge(nurse)).toBeUndefined();
  });

  it("lets a credential pass that is newer than changed claims, also on a connection that was there before", () => {
    const view = createRevocationView();
    const fresh = testAuthentication({ ...nurse, issuedAt: NOW + 61_000 });
    expect(view.judge(fresh, { authenticatedAtNumber: view.head })).toBeUndefined();
    view.apply(entryOf(1, "claims-changed", tenant));
    expect(view.judge(nurse)?.reason).toBe("reauth_required");
    expect(view.judge(fresh, { authenticatedAtNumber: 0 })?.reason).toBe("reauth_required");
    expect(view.judge(fresh, { authenticatedAtNumber: view.head })).toBeUndefined();
  });

  it("remembers the same target for as long as its longest entry", () => {
    const view = createRevocationView();
    view.apply(entryOf(1, "end", session, 90_000));
    view.apply(entryOf(2, "end", session, 30_000));
    expect(view.forget((NOW + 30_000) as EpochMs)).toBe(1);
    expect(view.judge(nurse)?.number).toBe(1);
    expect(view.forget((NOW + 89_999) as EpochMs)).toBe(0);
    expect(view.forget((NOW + 90_000) as EpochMs)).toBe(1);
    expect([view.judge(nurse), view.size]).toEqual([undefined, 0]);
  });

  it("keeps no more of a target that is revoked again and again than one entry", () => {
    const view = createRevocationView();
    for (let number = 1; number <= 100; number++) view.apply(entryOf(number, "end", session));
    for (let number = 101; number <= 200; number++) view.apply(entryOf(number, "claims-changed", identity));
    expect(view.size).toBe(2);
  });

  it("looks at no more entries at a time than it is told to forget", () => {
    const view = createRevocationView();
    for (let number = 1; number <= 100; number++) {
      view.apply(entryOf(number, "end", { ...session, sessionId: `s-${number}` }));
    }
    const late = (NOW + 60_000) as EpochMs;
    expect([view.forget(late, 30), view.forget(late, 30), view.forget(late, 30), view.forget(late, 30)]).toEqual([
      30, 30, 30, 10,
    ]);
  });

  it("asks as few maps for a verdict with 10,000 entries as with ten, and goes through none", () => {
    const lookUps = (entries: number): number => {
      const view = createRevocationView();
      for (let number = 1; number <= entries; number += 5) {
        const name = `other-${number}`;
        view.apply(entryOf(number, "end", { ...session, sessionId: name }));
        view.apply(entryOf(number + 1, "suspension", { ...identity, subject: name }));
        view.apply(entryOf(number + 2, "claims-changed", { ...identity, subject: name }));
        view.apply(entryOf(number + 3, "end", { type: "token", issuer, tokenId: name }));
        view.apply(
          entryOf(number + 4, "end", { type: "issued-before", before: NOW, scope: { type: "tenant", tenant: name } }),
        );
      }
      const get = vi.spyOn(Map.prototype, "get");
      const walks = (["forEach", "entries", "values", "keys", Symbol.iterator] as const).map((method) =>
        vi.spyOn(Map.prototype, method as "keys"),
      );
      const verdict = view.judge(nurse, { connectionId: "c" as ConnectionId, authenticatedAtNumber: 0 });
      const calls = get.mock.calls.length;
      const walked = walks.map((walk) => walk.mock.calls.length);
      for (const spy of [get, ...walks]) spy.mockRestore();
      expect([verdict, walked]).toEqual([undefined, [0, 0, 0, 0, 0]]);
      return calls;
    };
    expect(lookUps(10)).toBeLessThan(12);
    expect(lookUps(10_000)).toBe(lookUps(10));
  });

  it.each([-1, Number.NaN, Infinity])("refuses a skew of %s", (skewMs) => {
    expect(() => createRevocationView({ skewMs })).toThrow(RangeError);
  });
});
