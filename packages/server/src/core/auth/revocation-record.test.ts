import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EpochMs } from "../clock.js";
import type { ConnectionId } from "../ids.js";
import {
  createRevocation,
  decodeRevocation,
  encodeRevocation,
  MAX_RECORD_LENGTH,
  readNewRevocation,
  type RevocationRequest,
} from "./revocation-record.js";
import type { Revocation } from "./revocation.js";
import { requests } from "../../../test/revocation-fixture.js";

const NOW = Date.UTC(2026, 0, 1) as EpochMs;
const issuer = "https://issuer.example";
const session = { type: "session", tenant: undefined, issuer, sessionId: "s-1" } as const;
const terms = { now: NOW, maxTokenAgeMs: 3_600_000 };

describe("making an entry", () => {
  it("keeps it until the last token it can stand against has expired", () => {
    expect(createRevocation({ kind: "end", target: session }, terms)).toEqual({
      at: NOW,
      kind: "end",
      target: session,
      reason: "session_revoked",
      keepUntil: NOW + 3_660_000,
    });
    expect(createRevocation({ kind: "end", target: session }, { ...terms, skewMs: 0 }).keepUntil).toBe(NOW + 3_600_000);
  });

  it("keeps a suspension until it is lifted", () => {
    const target = { type: "tenant", tenant: "north" } as const;
    expect(createRevocation({ kind: "suspension", target }, terms).keepUntil).toBeUndefined();
    expect(createRevocation({ kind: "lift", target }, terms).keepUntil).toBe(NOW + 3_660_000);
  });

  it("copies and freezes the target", () => {
    const target = { ...session };
    const made = createRevocation({ kind: "end", target }, terms);
    expect(made.target).not.toBe(target);
    expect([made, made.target].every((each) => Object.isFrozen(each))).toBe(true);
  });

  it.each<[string, unknown]>([
    ["an empty identifier", { ...session, sessionId: "" }],
    ["an identifier that is none", { ...session, sessionId: 7 }],
    ["a missing issuer", { type: "token", tokenId: "t-1" }],
    ["an identifier too long for any credential", { ...session, sessionId: "x".repeat(2_049) }],
    ["a control character", { ...session, sessionId: "s\u0000" }],
    ["broken Unicode", { ...session, sessionId: "s\ud800" }],
    ["a member too many", { ...session, subject: "nurse-7" }],
    ["no target", undefined],
    ["a list", [session]],
    ["an unknown type", { type: "room", room: "icu" }],
    ["a type every object has", { type: "constructor" }],
    ["an issuer as a target of its own", { type: "issuer", issuer }],
    ["a scope that is none", { type: "issued-before", before: NOW, scope: session }],
    ["no scope", { type: "issued-before", before: NOW }],
    ["half a millisecond", { type: "issued-before", before: NOW + 0.5, scope: { type: "all" } }],
  ])("refuses %s", (_, target) => {
    expect(() => createRevocation({ kind: "end", target } as RevocationRequest, terms)).toThrow(TypeError);
  });

  it("refuses kinds and reasons that are none", () => {
    expect(() => createRevocation({ kind: "toString" as never, target: session }, terms)).toThrow(TypeError);
    const reason = "token_expired" as never;
    expect(() => createRevocation({ kind: "end", target: session, reason }, terms)).toThrow(TypeError);
  });

  it("refuses a cut-off in the future, as it would refuse tokens that nobody has issued yet", () => {
    const cutOff = (before: number): RevocationRequest => ({
      kind: "end",
      target: { type: "issued-before", before: before as EpochMs, scope: { type: "all" } },
    });
    expect(() => createRevocation(cutOff(NOW + 60_001), terms)).toThrow(RangeError);
    expect(() => createRevocation(cutOff(NOW + 60_000), terms)).not.toThrow();
  });

  it.each([{ maxTokenAgeMs: 0 }, { maxTokenAgeMs: Infinity }, { maxTokenAgeMs: Number.NaN }, { skewMs: -1 }])(
    "refuses %o",
    (wrong) => {
      expect(() => createRevocation({ kind: "end", target: session }, { ...terms, ...wrong })).toThrow(RangeError);
    },
  );
});

describe("an entry that a log is asked to take", () => {
  it("is copied, frozen and checked, so that what is kept can be read back", () => {
    fc.assert(
      fc.property(requests, (request) => {
        const made = createRevocation(request, terms);
        const loose = structuredClone(made);
        const read = readNewRevocation(loose);
        expect(read).toEqual(made);
        expect([read, read.target].every((each) => Object.isFrozen(each))).toBe(true);
      }),
    );
    const made = createRevocation({ kind: "end", target: session }, terms);
    for (const wrong of [undefined, [], { ...made, number: 1 }, { ...made, at: -1 }, { ...made, keepUntil: null }]) {
      expect(() => readNewRevocation(wrong)).toThrow(TypeError);
    }
  });
});

describe("a record", () => {
  const entry: Revocation = { ...createRevocation({ kind: "end", target: session }, terms), number: 7 };
  const plain = JSON.parse(encodeRevocation(entry)) as Record<string, unknown>;

  it("gives back exactly what was written, for every shape", () => {
    fc.assert(
      fc.property(requests, fc.integer({ min: 1 }), (request, number) => {
        const written = { ...createRevocation(request, terms), number };
        expect(decodeRevocation(encodeRevocation(written))).toEqual(written);
      }),
    );
  });

  it("of a target that may name a tenant reads also where it has no word of one", () => {
    const token = { type: "token", issuer, tokenId: "t" };
    expect(decodeRevocation(JSON.stringify({ ...plain, target: token })).target).toStrictEqual({
      ...token,
      tenant: undefined,
    });
    const scope = { type: "issuer", issuer };
    const target = { type: "issued-before", before: NOW, scope };
    expect(decodeRevocation(JSON.stringify({ ...plain, target })).target).toStrictEqual({
      ...target,
      scope: { ...scope, tenant: undefined },
    });
  });

  it("holds any entry that can be made", () => {
    const longest = '"'.repeat(2_048);
    const target = { type: "identity", tenant: longest, issuer: longest, subject: longest } as const;
    const written = { ...createRevocation({ kind: "suspension", target }, terms), number: Number.MAX_SAFE_INTEGER };
    expect(decodeRevocation(encodeRevocation(written))).toEqual(written);
  });

  it.each<[string, string]>([
    ["nothing", ""],
    ["no JSON", encodeRevocation(entry).slice(0, -1)],
    ["no object", "7"],
    ["null", "null"],
    ["a list", "[]"],
    ["too long a text", encodeRevocation(entry).padEnd(MAX_RECORD_LENGTH + 1)],
    ["number 0", JSON.stringify({ ...plain, number: 0 })],
    ["half a number", JSON.stringify({ ...plain, number: 1.5 })],
    ["a number as text", JSON.stringify({ ...plain, number: "7" })],
    ["no instant", JSON.stringify({ ...plain, at: undefined })],
    ["an instant beyond all calendars", JSON.stringify({ ...plain, at: 8.64e15 + 1 })],
    ["an unknown kind", JSON.stringify({ ...plain, kind: "pause" })],
    ["a kind that does not fit", JSON.stringify({ ...plain, kind: "suspension", keepUntil: undefined })],
    ["a reason that does not fit", JSON.stringify({ ...plain, reason: "forbidden" })],
    ["an end that is never forgotten", JSON.stringify({ ...plain, keepUntil: undefined })],
    ["an end kept until null", JSON.stringify({ ...plain, keepUntil: null })],
    ["a member too many", JSON.stringify({ ...plain, note: "" })],
    ["a prototype", `{"__proto__":{},${encodeRevocation(entry).slice(1)}`],
    ["a target without its issuer", JSON.stringify({ ...plain, target: { type: "token", tokenId: "t" } })],
  ])("of %s is an error with its cause, not a refusal", (_, record) => {
    let thrown: unknown;
    try {
      decodeRevocation(record);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ name: "Error", message: "the revocation log holds a record that is none" });
    expect((thrown as Error).cause).toBeInstanceOf(Error);
  });

  it("of a suspension that would be forgotten is an error", () => {
    const target = { type: "connection", connectionId: "c" as ConnectionId } as const;
    const suspension = { ...plain, kind: "suspension", target: { type: "tenant", tenant: "north" } };
    expect(() => decodeRevocation(JSON.stringify({ ...suspension, reason: "tenant_suspended" }))).toThrow();
    expect(() => decodeRevocation(JSON.stringify({ ...plain, target }))).not.toThrow();
  });
});
