import { testAuthentication } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import type { EpochMs } from "../clock.js";
import type { ConnectionId } from "../ids.js";
import { createRevocation } from "./revocation-record.js";
import {
  assertFits,
  passesFrom,
  refusalOf,
  revocationKey,
  revocationMatcher,
  type NewRevocation,
  type Revocation,
  type RevocationKind,
  type RevocationScope,
  type RevocationTarget,
} from "./revocation.js";

type Matcher = ReturnType<typeof revocationMatcher>;

function stands(
  entry: Revocation | NewRevocation,
  ...[authentication, circumstances, skewMs]: [...Parameters<Matcher>, skewMs?: number]
): boolean {
  return revocationMatcher(entry, skewMs)(authentication, circumstances);
}

const NOW = Date.UTC(2026, 0, 1) as EpochMs;
const issuer = "https://issuer.example";
const identity = { type: "identity", tenant: "north", issuer, subject: "nurse-7" } as const;

const targets: Readonly<Record<RevocationTarget["type"], RevocationTarget>> = {
  connection: { type: "connection", connectionId: "c-1" as ConnectionId },
  token: { type: "token", issuer, tokenId: "t-1" },
  session: { type: "session", tenant: undefined, issuer, sessionId: "s-1" },
  client: { type: "client", issuer, clientId: "ward-app" },
  key: { type: "key", issuer, keyId: "k-1" },
  "issued-before": { type: "issued-before", before: NOW, scope: { type: "all" } },
  identity,
  subject: { type: "subject", issuer, subject: "nurse-7" },
  tenant: { type: "tenant", tenant: "north" },
  all: { type: "all" },
};

function entryOf(kind: RevocationKind, target: RevocationTarget, number = 1): Revocation {
  return { ...createRevocation({ kind, target }, { now: NOW, maxTokenAgeMs: 3_600_000 }), number };
}

function issuedBefore(scope: RevocationScope, before: number = NOW): Revocation {
  return entryOf("end", { type: "issued-before", before: before as EpochMs, scope }, 5);
}

const whole = {
  tenant: "north",
  tokenId: "t-1",
  sessionId: "s-1",
  clientId: "ward-app",
  keyId: "k-1",
  issuedAt: NOW - 5_000,
};

describe("which kinds fit which targets", () => {
  const fitting: readonly (readonly [RevocationTarget["type"], RevocationKind, string])[] = [
    ["connection", "end", "session_revoked"],
    ["token", "end", "session_revoked"],
    ["session", "end", "session_revoked"],
    ["key", "end", "session_revoked"],
    ["issued-before", "end", "session_revoked"],
    ["client", "suspension", "account_disabled"],
    ["client", "lift", "account_disabled"],
    ["identity", "suspension", "account_disabled"],
    ["identity", "lift", "account_disabled"],
    ["identity", "claims-changed", "reauth_required"],
    ["subject", "suspension", "account_disabled"],
    ["subject", "lift", "account_disabled"],
    ["subject", "claims-changed", "reauth_required"],
    ["tenant", "suspension", "tenant_suspended"],
    ["tenant", "lift", "tenant_suspended"],
    ["tenant", "claims-changed", "reauth_required"],
    ["all", "claims-changed", "reauth_required"],
  ];
  const kinds: readonly RevocationKind[] = ["end", "suspension", "lift", "claims-changed"];
  const pairs = Object.values(targets).flatMap((target) => kinds.map((kind) => [target, kind] as const));

  it.each(fitting)("%s: %s, told as %s", (type, kind, reason) => {
    expect(entryOf(kind, targets[type]).reason).toBe(reason);
  });

  it.each(pairs.filter(([{ type }, kind]) => !fitting.some((row) => row[0] === type && row[1] === kind)))(
    "%o is no target of a %s",
    (target, kind) => {
      expect(() => entryOf(kind, target)).toThrow(TypeError);
      expect(() => entryOf(kind, target)).toThrow(`a target of type "${target.type}" takes `);
    },
  );

  it("a reason that would say something else is refused", () => {
    expect(() => assertFits("end", targets.session, "reauth_required")).not.toThrow();
    expect(() => assertFits("suspension", targets.tenant, "account_disabled")).not.toThrow();
    expect(() => assertFits("suspension", targets.tenant, "reauth_required")).toThrow(TypeError);
    expect(() => assertFits("claims-changed", identity, "session_revoked")).toThrow(TypeError);
  });
});

describe("what an entry stands against", () => {
  const authentication = testAuthentication(whole);
  const connection = { connectionId: "c-1" as ConnectionId };

  it.each<[string, Revocation]>([
    ["its connection", entryOf("end", targets.connection)],
    ["its token", entryOf("end", targets.token)],
    ["its session, whatever the tenant", entryOf("end", targets.session)],
    ["its session in its tenant", entryOf("end", { ...targets.session, tenant: "north" } as RevocationTarget)],
    ["its token in its tenant", entryOf("end", { ...targets.token, tenant: "north" } as RevocationTarget)],
    ["its key", entryOf("end", targets.key)],
    ["its client", entryOf("suspension", targets.client)],
    ["itself", entryOf("suspension", identity)],
    ["its subject, whatever the tenant", entryOf("suspension", targets.subject)],
    ["its tenant", entryOf("suspension", targets.tenant)],
    ["everything issued before", issuedBefore({ type: "all" })],
    ["everything of its issuer", issuedBefore({ type: "issuer", issuer })],
    ["everything of its issuer in its tenant", issuedBefore({ type: "issuer", tenant: "north", issuer })],
    ["everything of its subject, whatever the tenant", issuedBefore({ type: "subject", issuer, subject: "nurse-7" })],
    ["everything of its tenant", issuedBefore({ type: "tenant", tenant: "north" })],
    ["everything of its own", issuedBefore(identity)],
    ["its changed claims", entryOf("claims-changed", identity)],
    ["its subject's changed claims, whatever the tenant", entryOf("claims-changed", targets.subject)],
    ["its tenant's changed claims", entryOf("claims-changed", targets.tenant)],
    ["everybody's changed claims", entryOf("claims-changed", targets.all)],
  ])("%s", (_, entry) => {
    expect(stands(entry, authentication, connection)).toBe(true);
  });

  const other = "https://other.example";
  it.each<[string, Revocation]>([
    ["another connection", entryOf("end", { type: "connection", connectionId: "c-2" as ConnectionId })],
    ["a token of that id of another issuer", entryOf("end", { type: "token", issuer: other, tokenId: "t-1" })],
    [
      "a session of that id of another issuer",
      entryOf("end", { type: "session", tenant: undefined, issuer: other, sessionId: "s-1" }),
    ],
    [
      "a session of that id in another tenant",
      entryOf("end", { type: "session", tenant: "south", issuer, sessionId: "s-1" }),
    ],
    ["a token of that id in another tenant", entryOf("end", { ...targets.token, tenant: "south" } as RevocationTarget)],
    [
      "a subject of that name of another issuer, whatever the tenant",
      entryOf("suspension", { type: "subject", issuer: other, subject: "nurse-7" }),
    ],
    ["another subject, whatever the tenant", entryOf("suspension", { type: "subject", issuer, subject: "nurse-8" })],
    ["what its issuer issued in another tenant", issuedBefore({ type: "issuer", tenant: "south", issuer })],
    ["what another issuer issued in its tenant", issuedBefore({ type: "issuer", tenant: "north", issuer: other })],
    ["a key of that id of another issuer", entryOf("end", { type: "key", issuer: other, keyId: "k-1" })],
    ["a client of that id of another issuer", entryOf("suspension", { ...targets.client, issuer: other } as never)],
    ["a subject of that name in another tenant", entryOf("suspension", { ...identity, tenant: "south" })],
    ["a subject of that name without a tenant", entryOf("suspension", { ...identity, tenant: undefined })],
    ["another tenant", entryOf("suspension", { type: "tenant", tenant: "south" })],
    ["what was issued before in another tenant", issuedBefore({ type: "tenant", tenant: "south" })],
    ["the end of a suspension", entryOf("lift", identity)],
  ])("not %s", (_, entry) => {
    expect(stands(entry, authentication, connection)).toBe(false);
  });

  it("not one without tenant, session, token id, client or key, where the entry names one", () => {
    const bare = testAuthentication({ issuedAt: NOW + 3_600_000 });
    for (const [type, target] of Object.entries(targets)) {
      if (type === "issued-before" || type === "all" || type === "identity" || type === "subject") continue;
      const kind = type === "client" || type === "tenant" ? "suspension" : "end";
      expect([type, stands(entryOf(kind, target), bare)]).toEqual([type, false]);
    }
  });
});

describe("an entry that goes by time", () => {
  const at = (issuedAt: number | undefined) => testAuthentication({ ...whole, issuedAt });

  it("stands against tokens issued up to the cut-off and as much later as clocks may differ", () => {
    const entry = issuedBefore({ type: "all" });
    expect(stands(entry, at(NOW))).toBe(true);
    expect(stands(entry, at(NOW + 60_000))).toBe(true);
    expect(stands(entry, at(NOW + 60_001))).toBe(false);
    expect(stands(entry, at(NOW + 1), {}, 0)).toBe(false);
  });

  it("stands against tokens that do not say when they were issued", () => {
    expect(stands(issuedBefore({ type: "all" }), at(undefined))).toBe(true);
    expect(stands(entryOf("claims-changed", identity), at(undefined))).toBe(true);
  });

  it("stands against whatever was authenticated before it, however new its token says it is", () => {
    const tomorrow = at(NOW + 86_400_000);
    for (const entry of [issuedBefore({ type: "all" }), entryOf("claims-changed", identity, 5)]) {
      expect(stands(entry, tomorrow, { authenticatedAtNumber: 4 })).toBe(true);
      expect(stands(entry, tomorrow, { authenticatedAtNumber: 5 })).toBe(false);
      expect(stands(entry, tomorrow)).toBe(false);
    }
    expect(stands(issuedBefore({ type: "tenant", tenant: "south" }), tomorrow, { authenticatedAtNumber: 4 })).toBe(
      false,
    );
  });

  it("stands against every live connection of its scope while it has no number yet", () => {
    const request = { kind: "claims-changed", target: identity } as const;
    const unnumbered = createRevocation(request, { now: NOW, maxTokenAgeMs: 3_600_000 });
    const tomorrow = at(NOW + 86_400_000);
    expect(stands(unnumbered, tomorrow, { authenticatedAtNumber: 1e9 })).toBe(true);
    expect(stands(unnumbered, testAuthentication(), { authenticatedAtNumber: 0 })).toBe(false);
  });

  it("goes by the token alone where its cut-off lies in the past: since then newer ones have been let in rightly", () => {
    const yesterday = issuedBefore({ type: "all" }, NOW - 86_400_000);
    expect(stands(yesterday, at(NOW - 5_000), { authenticatedAtNumber: 4 })).toBe(false);
    expect(stands(yesterday, at(NOW - 86_400_000), { authenticatedAtNumber: 9 })).toBe(true);
  });

  it("lets tokens pass from the first whole second that it does not stand against", () => {
    for (const before of [NOW - 1, NOW, NOW + 1, NOW + 999]) {
      const entry = issuedBefore({ type: "all" }, before);
      const passes = passesFrom(entry) ?? NaN;
      expect(passes % 1_000).toBe(0);
      expect(stands(entry, at(passes))).toBe(false);
      expect(stands(entry, at(passes - 1_000))).toBe(true);
    }
    expect(passesFrom(entryOf("claims-changed", identity), 0)).toBe(NOW + 1_000);
    expect(passesFrom(entryOf("suspension", identity))).toBeUndefined();
    expect(passesFrom(entryOf("end", targets.session))).toBeUndefined();
  });

  it("is told with the time after which a fresh token helps", () => {
    const entry = entryOf("claims-changed", identity);
    expect(refusalOf(entry, NOW).message).toBe("reauth_required;action=refresh;retry_after=61");
    expect(refusalOf(entry, (NOW + 60_500) as EpochMs).message).toBe("reauth_required;action=refresh;retry_after=1");
    expect(refusalOf(entry, (NOW + 61_000) as EpochMs).message).toBe("reauth_required;action=refresh");
    expect(refusalOf(entryOf("suspension", identity), NOW).message).toBe("account_disabled");
    expect(refusalOf(entryOf("end", targets.session), NOW).message).toBe("session_revoked;action=relogin");
  });
});

describe("the key of a target", () => {
  it("differs for each target, wherever the same text stands in it", () => {
    const x = "x";
    const all: RevocationTarget[] = [
      { type: "connection", connectionId: x as ConnectionId },
      { type: "token", issuer: x, tokenId: x },
      { type: "session", tenant: undefined, issuer: x, sessionId: x },
      { type: "session", tenant: x, issuer: x, sessionId: x },
      { type: "client", issuer: x, clientId: x },
      { type: "key", issuer: x, keyId: x },
      { type: "identity", tenant: undefined, issuer: x, subject: x },
      { type: "identity", tenant: x, issuer: x, subject: x },
      { type: "identity", tenant: "1:x", issuer: x, subject: x },
      { type: "tenant", tenant: x },
      { type: "all" },
      { type: "issued-before", before: NOW, scope: { type: "all" } },
      { type: "issued-before", before: NOW, scope: { type: "tenant", tenant: x } },
    ];
    expect(new Set(all.map((target) => revocationKey(target))).size).toBe(all.length);
  });
});
