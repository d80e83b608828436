/**
 * The side of a connection that a credential stands behind: who it speaks for, since which version, until when, and
 * what follows when that changes. The lifecycle decides; here its effects are done.
 */

import { formatReason, type Notice } from "@hubward/wire";
import type { Authentication } from "../auth/authentication.js";
import type { Admission } from "../auth/policy.js";
import { readInstant, type Clock, type Instant } from "../clock.js";
import { groupName, type GroupKey, type Judged, type View } from "../groups/group.js";
import { identityKey, principalAddress, type IdentityKey, type PrincipalAddress } from "../ids.js";
import type { Dropped, Frame } from "../publication.js";
import type { HeldVerdict } from "./held-frames.js";
import { CredentialTimes } from "./credential-times.js";
import { Delivery, type DeliverySetup } from "./delivery.js";
import type { LapseReason, LifecycleEvent } from "./lifecycle.js";
import { isOver, remainingMs, type Lifetime } from "./lifetime.js";
import type { MembershipChange, ProtocolHandler } from "./protocol-handler.js";

/** How long a lapsed connection waits for a new credential. Milliseconds. */
export interface GraceTimes {
  readonly graceMs: number;
  /** Where claims have changed: until tokens that pass can have been issued, and as long again as by `graceMs`. */
  readonly claimsGraceMs: number;
}

export interface CredentialedSetup<P> extends DeliverySetup {
  readonly admission: Admission<P>;
  /** A random fraction in [0, 1), anew for each credential: spreads warnings over connections. */
  readonly spread: () => number;
  readonly times: GraceTimes;
}

/** Groups that one notice names, at most: it stands in an outbox that is full already. */
const MAX_GAP_GROUPS = 100;

export abstract class Credentialed<P> extends Delivery {
  readonly identity: IdentityKey;
  /** What sends to its principal go by. Never for security decisions. */
  readonly address: PrincipalAddress;
  readonly #setup: {
    readonly clock: Clock;
    readonly spread: () => number;
    readonly times: GraceTimes;
  };
  readonly #times: CredentialTimes;
  #admission: Admission<P>;
  /** Who is to take the present principal's place, while the lifecycle is asked. */
  #candidate: Admission<P> | undefined;
  #memberships: Map<GroupKey, Judged> | undefined;
  #views: Map<GroupKey, View> | undefined;
  #standing = 0;
  #aborter: AbortController | undefined;
  #wantsNotices = false;
  /** A warning came due while there was nobody to tell. */
  #owesWarning = false;

  protected constructor(setup: CredentialedSetup<P>, instant: Instant) {
    const { authentication, principalId } = setup.admission;
    const times = new CredentialTimes(authentication.expiresAt, instant, setup.spread());
    super(setup, times.lifetime, instant);
    this.#times = times;
    this.#setup = setup;
    this.#admission = setup.admission;
    this.identity = identityKey(authentication);
    this.address =
      principalId === authentication.subject
        ? // Nearly everyone's: one text for both.
          (this.identity as string as PrincipalAddress)
        : principalAddress({ tenant: authentication.tenant, issuer: authentication.issuer, principalId });
  }

  /** The principal as it is now, with the credential it was made from. */
  get admission(): Admission<P> {
    return this.#admission;
  }

  get authentication(): Authentication {
    return this.#admission.authentication;
  }

  get tenant(): string | undefined {
    return this.#admission.authentication.tenant;
  }

  /** Counts losses of standing: what began under another number must not take effect. */
  get standing(): number {
    return this.#standing;
  }

  /** The groups it is in; kept by `Groups`. */
  get memberships(): Map<GroupKey, Judged> {
    return (this.#memberships ??= new Map());
  }

  /** What it is told about its groups by rules of their own, by the key of its frames; kept by who asks these rules. */
  get views(): Map<GroupKey, View> {
    return (this.#views ??= new Map());
  }

  /** Whether it is in any group. Most connections never are, and have no map that could be asked. */
  get hasMemberships(): boolean {
    return this.#memberships !== undefined && this.#memberships.size > 0;
  }

  /** Milliseconds the credential still has. */
  get remainingMs(): number {
    return remainingMs(this.lifetime, readInstant(this.#setup.clock));
  }

  /** Aborts when standing is lost; another one when it came back. */
  get signal(): AbortSignal {
    if (this.hasStanding) return (this.#aborter ??= new AbortController()).signal;
    // Not kept: who comes back from a lapse gets one that has not aborted.
    const aborter = new AbortController();
    aborter.abort();
    return aborter.signal;
  }

  /** When something is due next in the life of its credential. */
  get deadline(): Lifetime {
    return this.#times.deadline;
  }

  /** Does what is due of it. */
  due(instant: Instant): void {
    switch (this.#times.due(instant)) {
      case "grace":
        return this.apply({ type: "grace-over" });
      case "expiry":
        return this.apply({ type: "expiry-due" });
      case "warning":
        this.#times.warned();
        this.#owesWarning = true;
        return this.tellWarning();
      case undefined:
    }
  }

  /**
   * Puts another principal in the place of the present one: whole, and at once. Everything that was judged for the
   * present one waits until it was judged again. False where the connection has ended meanwhile.
   */
  replace(admission: Admission<P>, how: "reauthenticated" | "rechecked"): boolean {
    const instant = readInstant(this.#setup.clock);
    // A blocked loop may come here before it runs its timers: what is over was over first.
    if (!this.hasStanding || isOver(this.lifetime, instant)) this.due(instant);
    this.#candidate = admission;
    this.apply({ type: how });
    const wasTaken = this.#candidate === undefined;
    this.#candidate = undefined;
    return wasTaken;
  }

  /** Resolves when it is known what may go on of the calls that ran when its principal was replaced. */
  get judging(): Promise<unknown> | undefined {
    return this.handler?.judging;
  }

  /** Tells it whatever is to be told, not only what nobody has to ask for. It can refresh, then. */
  subscribe(): void {
    this.#wantsNotices = true;
    this.apply({ type: "refresh-shown" });
  }

  notify(notice: Notice): void {
    const frame = this.#frameOf(notice);
    if (frame !== undefined) this.answer(frame);
  }

  /** In the words of now: groups that it has left meanwhile are not named, though counted. */
  override gapNotice(dropped: Dropped): Frame | undefined {
    const groups = new Set<string>();
    let count = 0;
    const { handler } = this;
    for (const [group, frames] of dropped) {
      count += frames;
      const membership = group === undefined ? undefined : this.#memberships?.get(this.#views?.get(group)?.of ?? group);
      if (membership === undefined || groups.size === MAX_GAP_GROUPS) continue;
      groups.add(handler?.nameOf?.(membership.reference) ?? groupName(membership.reference));
    }
    const frame = this.#frameOf({ kind: "gap", dropped: count, groups: [...groups] });
    return frame && { ...frame, gap: dropped };
  }

  /** Tells its peer what became of a membership, where its protocol has words for it. */
  tellMembership(change: MembershipChange): void {
    const bytes = this.handler?.membership?.(change);
    if (bytes !== undefined) this.answer({ bytes, group: undefined });
  }

  /** Says what was held, as far as it was judged for this principal. */
  sayHeld(): void {
    if (!this.isActive) return;
    const dropped = this.letGo((group) => (group === undefined ? "say" : this.#verdictOn(group)));
    const notice = dropped && this.gapNotice(dropped);
    if (notice !== undefined) this.answer(notice);
  }

  abstract override apply(event: LifecycleEvent): void;

  /** Of a view that is none any more nothing is said, nor of a group that it is not in. */
  #verdictOn(group: GroupKey): HeldVerdict {
    const view = this.#views?.get(group);
    const membership = this.#memberships?.get(view?.of ?? group);
    if (membership === undefined) return "drop";
    const isJudged =
      membership.judgedVersion === this.version && (view?.judgedVersion ?? this.version) === this.version;
    return isJudged ? "say" : "wait";
  }

  /** Undefined for whom it is not told. */
  #frameOf(notice: Notice): Frame | undefined {
    const isUnasked = notice.kind === "expiring" || notice.kind === "expired";
    const { handler } = this;
    if (!isUnasked && !this.#wantsNotices && handler?.hearsEverything !== true) return undefined;
    const bytes = handler?.notice(notice);
    return bytes && { bytes, group: undefined };
  }

  /** Whether what is asked of it now may still take effect. */
  protected abstract readonly hasStanding: boolean;
  protected abstract readonly handler: ProtocolHandler | undefined;
  /** Something else is due next. */
  protected abstract rescheduled(): void;

  /** Whoever it was until now. Nothing has been done as its successor yet. */
  protected abstract replaced(before: Admission<P>): void;

  /** What began before must not take effect any more. */
  protected loseStanding(): void {
    this.#standing++;
    this.#aborter?.abort();
    this.#aborter = undefined;
  }

  /** Tells a warning that is due, in the words of now, as soon as somebody hears it. */
  protected tellWarning(): void {
    if (!this.#owesWarning || !this.hasHearer) return;
    this.#owesWarning = false;
    this.notify({ kind: "expiring", expiresInSeconds: Math.floor(this.remainingMs / 1000) });
  }

  protected takeCandidate(): void {
    const admission = this.#candidate;
    if (admission === undefined) throw new TypeError("connection: nobody to take the principal's place");
    this.#candidate = undefined;
    const { expiresAt } = admission.authentication;
    const before = this.#admission;
    const isLater = expiresAt !== before.authentication.expiresAt;
    this.#admission = admission;
    this.replaced(before);
    this.nextVersion();
    if (isLater) {
      this.#times.renew(expiresAt, readInstant(this.#setup.clock), this.#setup.spread());
      this.#owesWarning = false;
    }
    if (this.isActive) this.renew(this.#times.lifetime);
    if (isLater) this.rescheduled();
    this.handler?.replaced();
  }

  protected suspend(reason: LapseReason): void {
    const { clock, times } = this.#setup;
    // One that lapsed already has nothing queued but answers: they still go out.
    const isIntact = this.#times.isGraceRunning || this.holdBack();
    const instant = readInstant(clock);
    // Never longer than if the credential had lived to its end.
    const untilEndMs = remainingMs(this.#times.lifetime, instant) + times.graceMs;
    const graceMs = reason === "reauth_required" ? Math.min(times.claimsGraceMs, untilEndMs) : times.graceMs;
    this.#times.lapsed(instant, graceMs, reason === "auth_unavailable");
    this.rescheduled();
    // Behind what was queued: whoever hears of it may have something to say.
    this.loseStanding();
    if (!isIntact) return this.apply({ type: "aborted", reason: "not_found" });
    this.handler?.suspended(reason);
    this.notify({
      kind: "expired",
      reason: formatReason(reason),
      graceSeconds: Math.floor(graceMs / 1000),
    });
  }

  protected restore(): void {
    this.#times.restored();
    this.renew(this.#times.lifetime);
    this.rescheduled();
    this.sayHeld();
  }
}
