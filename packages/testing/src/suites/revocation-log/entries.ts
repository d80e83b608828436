/** Entries of every kind, for tokens that live an hour. */

import { createRevocation, type EpochMs, type NewRevocation, type RevocationRequest } from "@hubward/server/ports";
import type { FakeClock } from "../../fake-clock.js";

export const TOKEN_AGE_MS: number = 60 * 60 * 1000;
export const issuer = "https://issuer.example";

export const HOSTILE_NAMES: readonly string[] = [
  "a",
  "A",
  "a ",
  "__proto__",
  "é",
  "e\u0301",
  "'; --",
  '"\\',
  "\u{1F3E5}\u2028",
  "x".repeat(2_048),
];

export function entryOf(clock: FakeClock, request: RevocationRequest): NewRevocation {
  return createRevocation(request, { now: clock.now(), maxTokenAgeMs: TOKEN_AGE_MS, skewMs: 0 });
}

export function sessionEnd(clock: FakeClock, sessionId: string): NewRevocation {
  return entryOf(clock, { kind: "end", target: { type: "session", tenant: undefined, issuer, sessionId } });
}

export function onPerson(clock: FakeClock, kind: "suspension" | "lift", subject: string): NewRevocation {
  return entryOf(clock, { kind, target: { type: "identity", tenant: "north", issuer, subject } });
}

/** Every shape of entry. */
export function everyShape(clock: FakeClock, name: string): NewRevocation[] {
  const identity = { type: "identity", tenant: undefined, issuer, subject: name } as const;
  const requests: RevocationRequest[] = [
    { kind: "end", target: { type: "token", issuer, tokenId: name } },
    { kind: "end", target: { type: "token", tenant: name, issuer, tokenId: name } },
    { kind: "end", target: { type: "session", tenant: name, issuer, sessionId: name }, reason: "reauth_required" },
    { kind: "end", target: { type: "key", issuer, keyId: name } },
    {
      kind: "end",
      target: { type: "issued-before", before: 1_234 as EpochMs, scope: { type: "issuer", issuer: name } },
    },
    {
      kind: "end",
      target: { type: "issued-before", before: 1_234 as EpochMs, scope: { type: "issuer", tenant: name, issuer } },
    },
    { kind: "end", target: { type: "issued-before", before: clock.now(), scope: { type: "all" } } },
    {
      kind: "end",
      target: { type: "issued-before", before: clock.now(), scope: { type: "subject", issuer, subject: name } },
    },
    { kind: "suspension", target: { type: "subject", issuer, subject: name } },
    { kind: "suspension", target: { ...identity, tenant: name } },
    { kind: "suspension", target: { type: "client", issuer, clientId: name } },
    { kind: "suspension", target: { type: "tenant", tenant: name } },
    { kind: "claims-changed", target: identity },
    { kind: "claims-changed", target: { type: "all" } },
  ];
  return requests.map((request) => entryOf(clock, request));
}
