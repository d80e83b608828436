/** Revocation as an application asks for it: short names for targets, made into entries of the log. */

import type { RevocationRequest } from "../core/auth/revocation-record.js";
import type { RevocationReason, RevocationScope, RevocationTarget } from "../core/auth/revocation.js";
import type { EpochMs } from "../core/clock.js";
import type { ConnectionId } from "../core/ids.js";
import type { RevocableConnection, RevocationReceipt, Revocations } from "../core/supervision/revocations.js";

/** Default: the scope's issuer, where its authenticator has only one. */
interface OfIssuer {
  readonly issuer?: string | undefined;
}

/** One person, by the token's subject, whatever `principalId` makes of it. */
export interface SubjectTarget extends OfIssuer {
  readonly subject: string;
}

/** One token, by its `jti`. */
export interface TokenTarget extends OfIssuer {
  readonly tokenId: string;
}

/** A login session (`sid`). */
export interface SessionTarget extends OfIssuer {
  readonly session: string;
}

/**
 * Tokens issued at that instant or earlier, by `iat`, or without one. Milliseconds since 1970, not in the future. Of one
 * person, or of everybody there.
 */
export interface IssuedBeforeTarget extends OfIssuer {
  readonly issuedBefore: number;
  readonly subject?: string | undefined;
}

/**
 * What can be revoked inside one tenant: it stands against credentials of that tenant alone. The same through
 * `app.everyTenant()`, and it stands against those of all, and of none.
 */
export type TenantRevokeTarget = SubjectTarget | SessionTarget | TokenTarget | IssuedBeforeTarget;

/**
 * What can be revoked. `subject` without a tenant is one of those without; within a tenant it is `app.tenant(id)`'s to
 * revoke, and in whatever tenant `app.everyTenant()`'s. A session and a token are that in whatever tenant. A subject, a
 * tenant and a client are suspended until they are lifted; everything else ends for good.
 */
export type RevokeTarget =
  | TenantRevokeTarget
  | { readonly connection: ConnectionId }
  | { readonly tenant: string }
  | ({ readonly client: string } & OfIssuer)
  /** Every token signed with this key (`kid`). */
  | ({ readonly keyId: string } & OfIssuer)
  | (IssuedBeforeTarget & { readonly tenant: string });

/** What stands until it is lifted. */
export type SuspendedTarget = SubjectTarget | { readonly tenant: string } | ({ readonly client: string } & OfIssuer);

/** Whose tokens say what is not so any more. `all`: everybody's, of every issuer. */
export type ReauthenticationTarget = SubjectTarget | { readonly tenant: string } | { readonly all: true };

/** Who asks, as telemetry and the audit are to say it: ids, never a secret. The refused are not told. */
export interface AskedBy {
  /** 1 to 2048 characters without control characters, such as an administrator's subject. */
  readonly by?: string | undefined;
}

export interface RevokeOptions extends AskedBy {
  /** What those who are refused are told. Default: what fits the target, such as `tenant_suspended`. */
  readonly reason?: RevocationReason | undefined;
  readonly dryRun?: false | undefined;
}

/** Only asks who would be shut out. */
export interface DryRunOptions {
  readonly dryRun: true;
}

/** A live connection that a revocation would shut. */
export interface RevocableConnectionSummary {
  readonly connectionId: ConnectionId;
  readonly hub: string;
  readonly tenant: string | undefined;
  readonly issuer: string;
  readonly subject: string;
  readonly sessionId: string | undefined;
}

export interface RevocationPreview {
  readonly matched: number;
  readonly connections: readonly RevocableConnectionSummary[];
}

/** Every function rejects with a TypeError | RangeError for what cannot be meant; nothing has happened then. */
export interface Revoking<Target, Suspended, Changed> {
  /**
   * Shuts out whoever holds such a credential: live connections and every door. They are shut when this returns its
   * promise, and for good (or until lifted) when it resolves.
   * @throws (rejects with) HubwardError `not_durable`: no log has it. What was shut stays shut and the doors of this
   * process go on to refuse, but a restart may let them in again: ask again
   */
  revoke(target: Target, options?: RevokeOptions): Promise<RevocationReceipt>;
  revoke(target: Target, options: DryRunOptions): Promise<RevocationPreview>;
  /** Takes a suspension back, also one that is not there. @throws (rejects with) HubwardError `not_durable`: it stands */
  lift(target: Suspended, options?: AskedBy): Promise<{ readonly number: number }>;
  /**
   * Tokens issued until now no longer say what is true. Live connections lapse with `reauth_required` and have the grace
   * where their client can refresh, else they end and may come back; doors refuse such tokens, with `retry_after` as
   * long as new ones would be refused, too: `maxIssuerSkewMs`. @throws (rejects with) HubwardError `not_durable`
   */
  requireReauthentication(target: Changed, options?: AskedBy): Promise<RevocationReceipt>;
}

/** Who speaks. */
export interface RevokingScope {
  /** What a target without one means. */
  readonly issuer: string | undefined;
  /** `app`: people without a tenant, and whatever a target names. */
  readonly within: { readonly tenant: string | undefined } | "app" | "every-tenant";
}

type Fields = Readonly<Record<string, unknown>>;

/** What a target is named by; the first that is there. */
const NAMES = [
  "issuedBefore",
  "connection",
  "tokenId",
  "session",
  "subject",
  "client",
  "keyId",
  "tenant",
  "all",
] as const;
type Name = (typeof NAMES)[number];
/** What may stand beside it. */
const BESIDE: Partial<Record<Name, readonly string[]>> = {
  issuedBefore: ["issuer", "subject", "tenant"],
  connection: [],
  tenant: [],
  all: [],
};

/** What people have, and so what can be revoked of a tenant's. */
const OF_PEOPLE: readonly Name[] = ["issuedBefore", "tokenId", "session", "subject"];

/** @throws TypeError for a target that cannot be meant, or one that needs an issuer and has none */
export function revocationTargetOf(target: object, scope: RevokingScope): RevocationTarget {
  const fields = target as Fields;
  const name = NAMES.find((each) => fields[each] !== undefined);
  if (name === undefined) throw new TypeError(`revoke: a target with one of ${NAMES.join(", ")}`);
  const beside = BESIDE[name] ?? ["issuer"];
  for (const [key, value] of Object.entries(fields))
    if (key !== name && value !== undefined && !beside.includes(key))
      throw new TypeError(`revoke: ${key} beside ${name}`);
  const { within } = scope;
  if (within !== "app" && (!OF_PEOPLE.includes(name) || fields["tenant"] !== undefined))
    throw new TypeError(`revoke: ${name} is no part of a tenant`);

  // An undefined one would be every tenant's to a session, and to what was issued before.
  if (typeof within === "object" && typeof within.tenant !== "string")
    throw new TypeError("revoke: a tenant, as a text");
  const tenant = typeof within === "string" ? (fields["tenant"] as string | undefined) : within.tenant;
  const issuer = (): string => {
    const named = fields["issuer"] ?? scope.issuer;
    if (typeof named !== "string")
      throw new TypeError("revoke: an issuer, as the authenticator does not name its only one");
    return named;
  };
  const text = (key: Name): string => fields[key] as string;
  switch (name) {
    case "issuedBefore":
      return { type: "issued-before", before: fields[name] as EpochMs, scope: cutOffScope() };
    case "connection":
      return { type: "connection", connectionId: fields[name] as ConnectionId };
    case "tokenId":
      return { type: "token", tenant, issuer: issuer(), tokenId: text(name) };
    case "session":
      return { type: "session", tenant, issuer: issuer(), sessionId: text(name) };
    case "subject":
      return person();
    case "client":
      return { type: "client", issuer: issuer(), clientId: text(name) };
    case "keyId":
      return { type: "key", issuer: issuer(), keyId: text(name) };
    case "tenant":
      return { type: "tenant", tenant: text(name) };
    case "all":
      return { type: "all" };
  }

  function person(): Extract<RevocationTarget, { readonly type: "identity" | "subject" }> {
    const named = { issuer: issuer(), subject: text("subject") };
    return within === "every-tenant" ? { type: "subject", ...named } : { type: "identity", tenant, ...named };
  }

  function cutOffScope(): RevocationScope {
    if (fields["subject"] !== undefined) return person();
    const isOfOneIssuer = tenant === undefined || fields["issuer"] !== undefined;
    return isOfOneIssuer ? { type: "issuer", tenant, issuer: issuer() } : { type: "tenant", tenant };
  }
}

/** What stands until it is lifted. */
const SUSPENDED: readonly RevocationTarget["type"][] = ["identity", "subject", "tenant", "client"];

function requestOf(
  target: object,
  { reason, by }: Omit<RevokeOptions, "dryRun">,
  scope: RevokingScope,
): RevocationRequest {
  const made = revocationTargetOf(target, scope);
  return { kind: SUSPENDED.includes(made.type) ? "suspension" : "end", target: made, reason, by };
}

/** Binds revocation to a scope, or to one tenant of it, or to all of them. */
export function createRevoking(
  revocations: Pick<Revocations, "revoke" | "lift" | "preview">,
  scope: RevokingScope,
): Revoking<RevokeTarget, SuspendedTarget, ReauthenticationTarget> {
  function revoke(target: RevokeTarget, options?: RevokeOptions): Promise<RevocationReceipt>;
  function revoke(target: RevokeTarget, options: DryRunOptions): Promise<RevocationPreview>;
  async function revoke(
    target: RevokeTarget,
    options: Omit<RevokeOptions, "dryRun"> & { readonly dryRun?: boolean | undefined } = {},
  ): Promise<RevocationReceipt | RevocationPreview> {
    const request = requestOf(target, options, scope);
    if (options.dryRun !== true) return revocations.revoke(request);
    const connections = revocations.preview(request).map(summaryOf);
    return { matched: connections.length, connections };
  }

  return {
    revoke,
    // async: what cannot be meant rejects, as everywhere here.
    lift: async (target, { by } = {}) => revocations.lift(revocationTargetOf(target, scope), by),
    requireReauthentication: async (target, { by } = {}) =>
      revocations.revoke({ kind: "claims-changed", target: revocationTargetOf(target, scope), by }),
  };
}

function summaryOf({ id, hub, authentication }: RevocableConnection): RevocableConnectionSummary {
  const { tenant, issuer, subject, sessionId } = authentication;
  return { connectionId: id, hub, tenant, issuer, subject, sessionId };
}
