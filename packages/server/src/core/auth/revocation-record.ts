/** Entries of the revocation log at the two doors they come in by: made from a request, and read back from a store. */

import type { EpochMs } from "../clock.js";
import type { ConnectionId } from "../ids.js";
import {
  assertFits,
  defaultReason,
  revocationDefaults,
  type NewRevocation,
  type Revocation,
  type RevocationKind,
  type RevocationReason,
  type RevocationScope,
  type RevocationTarget,
} from "./revocation.js";

export interface RevocationRequest {
  readonly kind: RevocationKind;
  readonly target: RevocationTarget;
  /** Default: what fits kind and target, such as `tenant_suspended` for the suspension of a tenant. */
  readonly reason?: RevocationReason | undefined;
  /** Who asks for it: told to telemetry, and no part of the entry. As an identifier. */
  readonly by?: string | undefined;
}

export interface RevocationTerms {
  readonly now: EpochMs;
  /** The longest a token can live that is accepted anywhere the log is used: `exp` less `iat`. Milliseconds. */
  readonly maxTokenAgeMs: number;
  /** How far issuers' clocks may be ahead. Milliseconds, default 60000. */
  readonly skewMs?: number | undefined;
}

/** Longest record of one entry, in UTF-16 code units. */
export const MAX_RECORD_LENGTH = 16_384;
const MAX_IDENTIFIER_LENGTH = 2_048;
/** Identifiers of credentials have none of these, so an entry that has would stand against nobody. */
const UNFIT_FOR_IDENTIFIERS = /[\p{Cc}\p{Cs}]/u;
/** The last instant a Date can hold (ECMA-262 21.4.1.1). */
const MAX_EPOCH_MS = 8.64e15;

const KINDS: readonly unknown[] = ["end", "suspension", "lift", "claims-changed"] satisfies RevocationKind[];
const REASONS: readonly unknown[] = [
  "session_revoked",
  "account_disabled",
  "tenant_suspended",
  "reauth_required",
] satisfies RevocationReason[];

const MEMBERS: readonly (keyof NewRevocation)[] = ["at", "kind", "target", "reason", "keepUntil"];

/**
 * Makes an entry for a log to take. It is kept until the last token it can stand against has expired: for
 * `maxTokenAgeMs`, and the skew, as a token may be issued that much ahead of our clock.
 * @throws TypeError when kind, target and reason do not fit or an identifier cannot be one. RangeError for a cut-off
 * further ahead than the skew, and for terms without end
 */
export function createRevocation(
  request: RevocationRequest,
  { now, maxTokenAgeMs, skewMs = revocationDefaults.skewMs }: RevocationTerms,
): NewRevocation {
  if (!(maxTokenAgeMs > 0) || !(skewMs >= 0) || !(now + maxTokenAgeMs + skewMs <= MAX_EPOCH_MS)) {
    throw new RangeError("revocation: maxTokenAgeMs and skewMs are finite, the former more than 0");
  }
  const kind = readMember(request.kind, KINDS, "kind") as RevocationKind;
  const target = readTarget(request.target);
  readOptional(request.by, "by");
  const reason =
    request.reason === undefined
      ? defaultReason(kind, target)
      : (readMember(request.reason, REASONS, "reason") as RevocationReason);
  assertFits(kind, target, reason);
  if (target.type === "issued-before" && target.before > now + skewMs) {
    throw new RangeError("revocation.target.before: not in the future");
  }
  const keepUntil = kind === "suspension" ? undefined : (Math.ceil(now + maxTokenAgeMs + skewMs) as EpochMs);
  return Object.freeze({ at: readInstant(now, "now"), kind, target, reason, keepUntil });
}

/** An entry as text for a store: JSON with a fixed order of members. */
export function encodeRevocation({ number, at, kind, target, reason, keepUntil }: Revocation): string {
  return JSON.stringify({ number, at, kind, target, reason, keepUntil });
}

/**
 * Reads back what {@link encodeRevocation} wrote, and nothing else: every member is checked, unknown ones are refused.
 * @throws Error with a cause: the record is corrupt, and the store that held it must not be believed
 */
export function decodeRevocation(record: string): Revocation {
  try {
    if (record.length > MAX_RECORD_LENGTH) throw new RangeError("the record is too long");
    return readRevocation(JSON.parse(record));
  } catch (cause) {
    throw new Error("the revocation log holds a record that is none", { cause });
  }
}

function readRevocation(value: unknown): Revocation {
  const { number, ...entry } = readObject(value, "entry", ["number", ...MEMBERS]);
  if (!Number.isSafeInteger(number) || (number as number) < 1) {
    throw new TypeError("revocation.number: a whole number from 1");
  }
  return Object.freeze({ number: number as number, ...readNewRevocation(entry) });
}

/**
 * For logs: a frozen copy of an entry they are asked to take, so that nothing is kept that could not be read back.
 * @throws TypeError when it is none
 */
export function readNewRevocation(value: unknown): NewRevocation {
  const members = readObject(value, "entry", MEMBERS);
  const kind = readMember(members["kind"], KINDS, "kind") as RevocationKind;
  const target = readTarget(members["target"]);
  const reason = readMember(members["reason"], REASONS, "reason") as RevocationReason;
  assertFits(kind, target, reason);
  const isKeptForEver = members["keepUntil"] === undefined;
  if (isKeptForEver !== (kind === "suspension")) throw new TypeError("revocation.keepUntil: for all but suspensions");
  return Object.freeze({
    at: readInstant(members["at"], "at"),
    kind,
    target,
    reason,
    keepUntil: isKeptForEver ? undefined : readInstant(members["keepUntil"], "keepUntil"),
  });
}

/** A frozen copy with the members that belong to its type, each of which must be there. @throws TypeError */
function readTarget(value: unknown): RevocationTarget {
  const type = readType(value);
  switch (type) {
    case "connection": {
      const { connectionId } = readObject(value, "target", ["type", "connectionId"]);
      return Object.freeze({ type, connectionId: readIdentifier(connectionId, "connectionId") as ConnectionId });
    }
    case "token": {
      const { tenant, issuer, tokenId } = readObject(value, "target", ["type", "tenant", "issuer", "tokenId"]);
      return Object.freeze({
        type,
        tenant: readOptional(tenant, "tenant"),
        issuer: readIdentifier(issuer, "issuer"),
        tokenId: readIdentifier(tokenId, "tokenId"),
      });
    }
    case "session": {
      const { tenant, issuer, sessionId } = readObject(value, "target", ["type", "tenant", "issuer", "sessionId"]);
      return Object.freeze({
        type,
        tenant: readOptional(tenant, "tenant"),
        issuer: readIdentifier(issuer, "issuer"),
        sessionId: readIdentifier(sessionId, "sessionId"),
      });
    }
    case "client": {
      const { issuer, clientId } = readObject(value, "target", ["type", "issuer", "clientId"]);
      return Object.freeze({
        type,
        issuer: readIdentifier(issuer, "issuer"),
        clientId: readIdentifier(clientId, "clientId"),
      });
    }
    case "key": {
      const { issuer, keyId } = readObject(value, "target", ["type", "issuer", "keyId"]);
      return Object.freeze({ type, issuer: readIdentifier(issuer, "issuer"), keyId: readIdentifier(keyId, "keyId") });
    }
    case "issued-before": {
      const { before, scope } = readObject(value, "target", ["type", "before", "scope"]);
      return Object.freeze({ type, before: readInstant(before, "target.before"), scope: readScope(scope) });
    }
    case "identity":
    case "subject":
    case "tenant":
    case "all":
      return readScope(value) as RevocationTarget;
    default:
      throw new TypeError("revocation.target.type: no such target");
  }
}

function readScope(value: unknown): RevocationScope {
  const type = readType(value);
  switch (type) {
    case "identity": {
      const { tenant, issuer, subject } = readObject(value, "scope", ["type", "tenant", "issuer", "subject"]);
      return Object.freeze({
        type,
        tenant: readOptional(tenant, "tenant"),
        issuer: readIdentifier(issuer, "issuer"),
        subject: readIdentifier(subject, "subject"),
      });
    }
    case "subject": {
      const { issuer, subject } = readObject(value, "scope", ["type", "issuer", "subject"]);
      return Object.freeze({
        type,
        issuer: readIdentifier(issuer, "issuer"),
        subject: readIdentifier(subject, "subject"),
      });
    }
    case "tenant": {
      const { tenant } = readObject(value, "scope", ["type", "tenant"]);
      return Object.freeze({ type, tenant: readIdentifier(tenant, "tenant") });
    }
    case "issuer": {
      const { tenant, issuer } = readObject(value, "scope", ["type", "tenant", "issuer"]);
      return Object.freeze({
        type,
        tenant: readOptional(tenant, "tenant"),
        issuer: readIdentifier(issuer, "issuer"),
      });
    }
    case "all":
      readObject(value, "scope", ["type"]);
      return Object.freeze({ type });
    default:
      throw new TypeError("revocation.scope.type: no such scope");
  }
}

function readType(value: unknown): unknown {
  return typeof value === "object" && value !== null && "type" in value ? value.type : undefined;
}

function readObject(value: unknown, name: string, members: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`revocation.${name}: an object`);
  }
  for (const member of Object.keys(value)) {
    if (!members.includes(member)) throw new TypeError(`revocation.${name}: only ${members.join(", ")}`);
  }
  return value as Readonly<Record<string, unknown>>;
}

function readMember(value: unknown, members: readonly unknown[], name: string): unknown {
  if (!members.includes(value)) throw new TypeError(`revocation.${name}: one of ${members.join(", ")}`);
  return value;
}

function readOptional(value: unknown, name: string): string | undefined {
  return value === undefined ? undefined : readIdentifier(value, name);
}

function readIdentifier(value: unknown, name: string): string {
  if (typeof value !== "string" || value === "" || value.length > MAX_IDENTIFIER_LENGTH) {
    throw new TypeError(`revocation.${name}: a text of 1 to ${MAX_IDENTIFIER_LENGTH} characters`);
  }
  if (UNFIT_FOR_IDENTIFIERS.test(value)) {
    throw new TypeError(`revocation.${name}: no control characters, no broken Unicode`);
  }
  return value;
}

function readInstant(value: unknown, name: string): EpochMs {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > MAX_EPOCH_MS) {
    throw new TypeError(`revocation.${name}: whole milliseconds since 1970`);
  }
  return value as EpochMs;
}
