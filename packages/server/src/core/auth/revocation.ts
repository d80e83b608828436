/** What can be taken back from a verified credential, and which credentials an entry of the log stands against. */

import { HubwardError } from "@hubward/wire";
import type { EpochMs } from "../clock.js";
import { joinKey, type ConnectionId, type Identity } from "../ids.js";
import type { Authentication } from "./authentication.js";

/** People by what they have in common. */
export type RevocationScope =
  | ({ readonly type: "identity" } & Identity)
  /** Whom one issuer calls by this name, in whatever tenant, and in none. */
  | { readonly type: "subject"; readonly issuer: string; readonly subject: string }
  | { readonly type: "tenant"; readonly tenant: string }
  /** Everybody of an issuer. With a tenant: of its people there. */
  | { readonly type: "issuer"; readonly tenant?: string | undefined; readonly issuer: string }
  | { readonly type: "all" };

/** What an entry is about. Names that an issuer gives (`jti`, `sid`, `kid`, `client_id`) are unique per issuer only. */
export type RevocationTarget =
  | { readonly type: "connection"; readonly connectionId: ConnectionId }
  /** By `jti`. With a tenant: only where the credential is of this tenant. */
  | { readonly type: "token"; readonly tenant?: string | undefined; readonly issuer: string; readonly tokenId: string }
  /** A login session (`sid`). With a tenant: only where the credential is of this tenant. */
  | {
      readonly type: "session";
      readonly tenant: string | undefined;
      readonly issuer: string;
      readonly sessionId: string;
    }
  | { readonly type: "client"; readonly issuer: string; readonly clientId: string }
  | { readonly type: "key"; readonly issuer: string; readonly keyId: string }
  /** Every token of the scope that was issued at `before` or earlier. */
  | { readonly type: "issued-before"; readonly before: EpochMs; readonly scope: RevocationScope }
  | Exclude<RevocationScope, { type: "issuer" }>;

/**
 * `end`: for good. `suspension`: until a later `lift` of the same target. `claims-changed`: tokens issued before the
 * entry no longer say what is true; newer ones pass.
 */
export type RevocationKind = "end" | "suspension" | "lift" | "claims-changed";

/** What those who are refused are told; of the catalogue. */
export type RevocationReason = "session_revoked" | "account_disabled" | "tenant_suspended" | "reauth_required";

/** An entry that no log has numbered yet. `createRevocation` makes one. */
export interface NewRevocation {
  readonly at: EpochMs;
  readonly kind: RevocationKind;
  readonly target: RevocationTarget;
  readonly reason: RevocationReason;
  /** No token it stands against is alive at this instant or later. Undefined (suspensions): until it is lifted. */
  readonly keepUntil: EpochMs | undefined;
}

/** An entry of the log. Immutable. */
export interface Revocation extends NewRevocation {
  /** From 1, strictly increasing in the order the log took the entries in; numbers may be left out. */
  readonly number: number;
}

export interface RevocationDefaults {
  readonly skewMs: number;
}

export const revocationDefaults: RevocationDefaults = {
  /** How far an issuer's clock may be ahead of ours: what `iat` is compared with. Milliseconds. */
  skewMs: 60_000,
};

/** Which kinds fit a target, and the reason each gives unless it is told another. */
const fitting: Readonly<Record<RevocationTarget["type"], Readonly<Partial<Record<RevocationKind, RevocationReason>>>>> =
  {
    connection: { end: "session_revoked" },
    token: { end: "session_revoked" },
    session: { end: "session_revoked" },
    key: { end: "session_revoked" },
    "issued-before": { end: "session_revoked" },
    client: { suspension: "account_disabled", lift: "account_disabled" },
    identity: { suspension: "account_disabled", lift: "account_disabled", "claims-changed": "reauth_required" },
    subject: { suspension: "account_disabled", lift: "account_disabled", "claims-changed": "reauth_required" },
    tenant: { suspension: "tenant_suspended", lift: "tenant_suspended", "claims-changed": "reauth_required" },
    all: { "claims-changed": "reauth_required" },
  };

/** Other reasons than the default that a kind may give. A client that is told `reauth_required` tries again. */
const otherReasons: Readonly<Record<RevocationKind, readonly RevocationReason[]>> = {
  end: ["account_disabled", "tenant_suspended", "reauth_required"],
  suspension: ["account_disabled", "tenant_suspended"],
  lift: ["account_disabled", "tenant_suspended"],
  "claims-changed": [],
};

/** The reason an entry of this kind gives by default. @throws TypeError when the kind does not fit the target */
export function defaultReason(kind: RevocationKind, target: RevocationTarget): RevocationReason {
  const kinds = fitting[target.type];
  const reason = kinds[kind];
  if (reason !== undefined) return reason;
  const possible = Object.keys(kinds).join(", ");
  throw new TypeError(`revocation: a target of type "${target.type}" takes ${possible}; not "${kind}"`);
}

/** @throws TypeError when the kind does not fit the target, or the reason the kind */
export function assertFits(kind: RevocationKind, target: RevocationTarget, reason: RevocationReason): void {
  const usual = defaultReason(kind, target);
  if (reason === usual || otherReasons[kind].includes(reason)) return;
  throw new TypeError(`revocation: an entry of kind "${kind}" does not give the reason "${reason}"`);
}

/** A target or scope as one collision-free string. `before` is no part of it: cut-offs of one scope share a key. */
export function revocationKey(target: RevocationTarget | RevocationScope): string {
  switch (target.type) {
    case "connection":
      return joinKey([target.type, target.connectionId]);
    case "token":
      return joinKey([target.type, target.tenant, target.issuer, target.tokenId]);
    case "session":
      return joinKey([target.type, target.tenant, target.issuer, target.sessionId]);
    case "client":
      return joinKey([target.type, target.issuer, target.clientId]);
    case "key":
      return joinKey([target.type, target.issuer, target.keyId]);
    case "identity":
      return joinKey([target.type, target.tenant, target.issuer, target.subject]);
    case "subject":
      return joinKey([target.type, target.issuer, target.subject]);
    case "tenant":
      return joinKey([target.type, target.tenant]);
    case "issuer":
      return joinKey([target.type, target.tenant, target.issuer]);
    case "all":
      return joinKey([target.type]);
    case "issued-before":
      return joinKey([target.type, revocationKey(target.scope)]);
    default:
      return unreachable(target);
  }
}

/** Where an authentication stands when it is judged. */
export interface RevocationCircumstances {
  /** The connection that uses it, where there is one. */
  readonly connectionId?: ConnectionId | undefined;
  /**
   * `head` of the view when this authentication was verified: for live connections and for whatever else outlives the
   * door it came in by. Undefined: it comes in now.
   */
  readonly authenticatedAtNumber?: number | undefined;
}

/** The part of an entry that goes by time: tokens of `scope` issued at `before` or earlier. */
export interface CutOff {
  readonly scope: RevocationScope;
  readonly before: EpochMs;
  /**
   * It reaches up to the entry itself: then it also stands against whatever was authenticated before the entry, whose
   * token cannot be newer, whatever the issuer's clock wrote into it.
   */
  readonly isUpToEntry: boolean;
}

/** Undefined for entries that do not go by time. */
export function cutOffOf({ kind, target, at }: NewRevocation): CutOff | undefined {
  if (target.type === "issued-before") {
    return { scope: target.scope, before: target.before, isUpToEntry: target.before >= at };
  }
  if (kind !== "claims-changed") return undefined;
  return { scope: target as RevocationScope, before: at, isUpToEntry: true };
}

/** Whether a token falls under a cut-off by what it says of itself: no `iat` is as good as an old one. */
export function isIssuedBefore(issuedAt: EpochMs | undefined, before: number, skewMs: number): boolean {
  return issuedAt === undefined || issuedAt <= before + skewMs;
}

/** Whether what it was made of stands against an authentication. */
export type RevocationMatcher = (authentication: Authentication, circumstances?: RevocationCircumstances) => boolean;

/**
 * Whether one entry stands against an authentication: what a new entry is applied to live connections by, all of which
 * it is asked of in one go. An entry that has no number yet will have a later one than anything there is.
 */
export function revocationMatcher(
  entry: NewRevocation | Revocation,
  skewMs: number = revocationDefaults.skewMs,
): RevocationMatcher {
  if (entry.kind === "lift") return () => false;
  const cutOff = cutOffOf(entry);
  if (cutOff === undefined) return aboutMatcher(entry.target);
  const isAbout = aboutMatcher(cutOff.scope);
  const { before, isUpToEntry } = cutOff;
  const number = "number" in entry ? entry.number : Infinity;
  return (authentication, circumstances) => {
    if (!isAbout(authentication, circumstances)) return false;
    if (isIssuedBefore(authentication.issuedAt, before, skewMs)) return true;
    const { authenticatedAtNumber } = circumstances ?? {};
    return isUpToEntry && authenticatedAtNumber !== undefined && authenticatedAtNumber < number;
  };
}

function aboutMatcher(target: RevocationTarget | RevocationScope): RevocationMatcher {
  switch (target.type) {
    case "connection": {
      const { connectionId } = target;
      return (_, circumstances) => circumstances?.connectionId === connectionId;
    }
    case "token": {
      const { tokenId, issuer, tenant } = target;
      return (known) => known.tokenId === tokenId && known.issuer === issuer && isIn(tenant, known.tenant);
    }
    case "session": {
      const { sessionId, issuer, tenant } = target;
      return (known) => known.sessionId === sessionId && known.issuer === issuer && isIn(tenant, known.tenant);
    }
    case "client": {
      const { clientId, issuer } = target;
      return (known) => known.clientId === clientId && known.issuer === issuer;
    }
    case "key": {
      const { keyId, issuer } = target;
      return (known) => known.keyId === keyId && known.issuer === issuer;
    }
    case "identity": {
      const { subject, issuer, tenant } = target;
      return (known) => known.subject === subject && known.issuer === issuer && known.tenant === tenant;
    }
    case "subject": {
      const { subject, issuer } = target;
      return (known) => known.subject === subject && known.issuer === issuer;
    }
    case "tenant": {
      const { tenant } = target;
      return (known) => known.tenant === tenant;
    }
    case "issuer": {
      const { issuer, tenant } = target;
      return (known) => known.issuer === issuer && isIn(tenant, known.tenant);
    }
    case "all":
      return () => true;
    case "issued-before":
      return aboutMatcher(target.scope);
    default:
      return unreachable(target);
  }
}

/** For targets whose name is the issuer's, whatever the tenant: one that they name narrows them down. */
function isIn(named: string | undefined, tenant: string | undefined): boolean {
  return named === undefined || named === tenant;
}

/**
 * From when newly issued tokens pass this entry: the first whole second (`iat` has no finer grain as a rule) that no
 * tolerated clock can have written before the cut-off. Undefined where time alone changes nothing.
 */
export function passesFrom(entry: NewRevocation, skewMs: number = revocationDefaults.skewMs): EpochMs | undefined {
  const cutOff = cutOffOf(entry);
  if (cutOff === undefined) return undefined;
  return ((Math.floor((cutOff.before + skewMs) / 1000) + 1) * 1000) as EpochMs;
}

/** The refusal an entry stands for. It says when to try again where a fresh token would still be refused now. */
export function refusalOf(
  entry: NewRevocation,
  now: EpochMs,
  skewMs: number = revocationDefaults.skewMs,
): HubwardError {
  const passes = passesFrom(entry, skewMs);
  if (passes === undefined || passes <= now) return new HubwardError(entry.reason);
  return new HubwardError(entry.reason, { retryAfterSeconds: (passes - now) / 1000 });
}

function unreachable(value: never): never {
  throw new TypeError(`revocation: no such target: ${JSON.stringify(value)}`);
}
