/** What an application holds in its hands: itself, and scopes for people of other providers. */

import type { Policy, PolicyContext } from "../core/auth/policy.js";
import type { SecurityAction } from "../core/auth/security-action.js";
import type { Sender, Target, ValidEvents } from "../core/dispatch/call.js";
import type { LiveConnection } from "../core/connection/live-connection.js";
import type { Decision } from "../core/dispatch/decisions.js";
import type { HubOptions } from "../core/dispatch/hub-settings.js";
import type { TenantGroups } from "../core/dispatch/tenant-groups.js";
import type { Principal } from "../core/auth/principal.js";
import type { RecheckResult } from "../core/supervision/recheck-requests.js";
import type { RecheckSelector, TenantSelector } from "../core/supervision/recheck-selector.js";
import type { Endpoint } from "../core/endpoint.js";
import type { CarriedOut } from "./carry-out.js";
import type { GroupDraft, GroupSchemas, GroupValues } from "./group-builder.js";
import type { HttpAuthentication } from "./http.js";
import type { HubDraft } from "./hub-builder.js";
import type {
  AskedBy,
  ReauthenticationTarget,
  Revoking,
  RevokeTarget,
  SubjectTarget,
  SuspendedTarget,
  TenantRevokeTarget,
} from "./revocation-face.js";
import type { RoomsOptions } from "../rooms/rooms-settings.js";
import type { ScopeOptions } from "./options.js";

export interface PolicyOptions {
  /** A constant text for the refused caller, shown after `forbidden: `. */
  readonly message?: string | undefined;
}

/** What can be said within one tenant. */
interface Speaker<P> extends Sender<P, unknown> {
  readonly groups: TenantGroups<P>;
  /**
   * Its open connections of this node, each as it is when it is asked for. What comes or goes between two of them may be
   * in or not. Values: to act on one, use its id.
   */
  connections(): Iterable<LiveConnection>;
  /**
   * Something that rights come of has changed where no token says so: asks the application's mapping and every policy
   * again for the same credentials, on this node. Call it when the change can be read. Who may not be here any more is
   * ended, with `forbidden`; memberships, running calls and streams that no rule allows any more end. Resolves when no
   * frame of a lost membership can leave this process; that waits for sockets that are busy, at most until such a peer
   * counts as slow. Where nobody can say, the connection lapses with `auth_unavailable` and is asked about again. Who is
   * named and was still connecting has to connect anew; who joins a group that it was about is asked about first, also much later.
   */
  recheck(selector: RecheckSelector<P>): Promise<RecheckResult>;
}

/**
 * All tenants of a scope at once, those without one included. A subject here is whoever the issuer calls so, in whatever
 * tenant. What is suspended here is lifted here, and leaves a tenant's own suspension as it is.
 */
export interface EveryTenant<P> extends Revoking<TenantRevokeTarget, SubjectTarget, SubjectTarget> {
  toAll(): Target<unknown>;
  connections(): Iterable<LiveConnection>;
  recheck(selector: RecheckSelector<P>): Promise<RecheckResult>;
}

/** What can be said and done within one tenant. */
export interface Tenant<P> extends Speaker<P>, Revoking<TenantRevokeTarget, SubjectTarget, SubjectTarget> {}

/**
 * The hubs, groups, policies and routes of the people that one authenticator vouches for. It speaks to its own
 * connections only; where a tenant is meant, it is that of those without one. What it revokes holds in every scope of
 * the application whose people have such credentials.
 */
export interface Scope<P> extends Speaker<P>, Revoking<RevokeTarget, SuspendedTarget, ReauthenticationTarget> {
  /** Declares a policy. With a second parameter it judges a resource, which is named where the policy is required. */
  policy<R = void>(
    name: string,
    check: (context: PolicyContext<P>, resource: R) => boolean | Promise<boolean>,
    options?: PolicyOptions,
  ): Policy<P, R>;
  /** Declares a kind of group: `app.group("ward/{ward}", { ward: schema })`. It needs a rule to be of use. */
  group<const Pattern extends string>(
    pattern: Pattern,
    schemas: GroupSchemas<Pattern>,
  ): GroupDraft<P, GroupValues<Pattern>, unknown>;
  /** Declares a hub, mounted when its methods are given. */
  hub(path: string, options?: HubOptions): HubDraft<P, unknown>;
  hub<Events extends ValidEvents<Events>>(path: string, options?: HubOptions): HubDraft<P, Events>;
  /**
   * Mounts the rooms protocol for plain WebSockets: `/rooms` by default. The rooms are the groups that were opened with
   * `.room(…)`, whenever that was. Whoever has a credential may connect; each room's own rule says who may be in it.
   */
  rooms(path?: string, options?: RoomsOptions): Rooms<P>;
  /** As {@link Tenant.recheck} of those without a tenant, or of everybody in the tenant that is named. */
  recheck(selector: RecheckSelector<P> | TenantSelector): Promise<RecheckResult>;
  /**
   * Does what an issuer's word asks for, in whatever tenant it is: what `securityEvents()` and `backChannelLogout()` make
   * of it. `revoke` ends the session, or whatever was issued to the person until now, or to the issuer's people of the
   * tenant, as {@link Revoking.revoke} does, durably; `recheck` is of this scope's connections on this node; `none` is
   * the application's own to understand. A person in a tenant is also that of an issuer whose tokens name no tenant.
   * Who asks for what is revoked is the issuer, unless `by` says another.
   * @throws (rejects with) HubwardError `not_durable`: ask again
   */
  carryOut(action: SecurityAction, asked?: AskedBy): Promise<CarriedOut>;
  /** Speaks within one tenant. The app itself speaks to those without a tenant. */
  tenant(id: string): Tenant<P>;
  /** The only address that spans tenants, and the only place where whoever is in several is revoked in all of them. */
  everyTenant(): EveryTenant<P>;
  /** Who may connect, call and join, and which policies say so: everything that was declared so far. */
  decisions(): readonly Decision[];
  /** Credential and policies for ordinary HTTP routes. */
  readonly http: HttpAuthentication<P>;
}

/** Rooms that are mounted. */
export interface Rooms<P> {
  readonly path: string;
  /** Adds a policy: all must allow, at connect and on every request. */
  allow(policy: Policy<P>): Rooms<P>;
}

export interface App<P> extends Scope<P> {
  /**
   * Opens a scope of its own for people whom another authenticator vouches for, or whose pages are others: devices
   * beside staff, partners beside employees. Its credentials and tickets are worth nothing in another scope.
   */
  scope<Attributes extends object>(options: ScopeOptions<Attributes>): Scope<Principal<Attributes>>;
  /** What adapters mount. */
  readonly endpoint: Endpoint;
  /**
   * Resolves when the revocations were read, which the doors wait for: until then they answer `auth_unavailable`.
   * @throws (rejects with) HubwardError auth_unavailable when it was closed before
   */
  ready(): Promise<void>;
  /**
   * Open connections of this node, those of all scopes. Where very many end in one moment, some of them are counted a
   * moment longer.
   */
  readonly connectionCount: number;
  /**
   * Refuses new connections, tells the open ones `going_away`, and resolves when all sockets are gone: after
   * about 2 s at most, when those that do not answer are reset; 5 s for long polling clients, which have to come for it.
   * With `noticeMs` clients that hear notices are told of it (`draining`), calls go on for the first half of that time,
   * and connections end one after the other over the second, so that they do not come back all at once.
   * @throws RangeError for a time that is none
   */
  close(options?: { readonly noticeMs?: number | undefined }): Promise<void>;
}
