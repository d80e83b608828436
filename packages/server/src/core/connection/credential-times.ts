/**
 * When something is due in the life of one credential on one connection: the warning before its end, its end, and the
 * end of the grace behind a lapse. On both clocks: whichever is further along decides.
 */

import type { EpochMs, Instant, MonotonicMs } from "../clock.js";
import { isOver, lifetimeUntil, type Lifetime } from "./lifetime.js";

export type Due = "warning" | "expiry" | "grace";

/** The warning comes in this share of the lifetime before its end, spread over connections so that none refresh together. */
const WARNING_SHARE = 0.15;
const WARNING_SHARE_SPREAD = 0.1;
/** For tokens of days: nobody needs to know that early. */
const WARNING_MS = 180_000;
const WARNING_SPREAD_MS = 120_000;

export class CredentialTimes {
  #lifetime: Lifetime;
  /** Time between the warning and the end; 0 once it was given. */
  #warningMs: number;
  #grace: Lifetime | undefined;
  /** Whether the credential's own end is still to come, or means something, during a lapse. */
  #isExpiryAhead = true;

  /** @param spread a random fraction in [0, 1): where in its window the warning comes */
  constructor(expiresAt: EpochMs, instant: Instant, spread: number) {
    this.#lifetime = lifetimeUntil(expiresAt, instant);
    this.#warningMs = warningMs(expiresAt - instant.now, spread);
  }

  get lifetime(): Lifetime {
    return this.#lifetime;
  }

  get isGraceRunning(): boolean {
    return this.#grace !== undefined;
  }

  /** What comes next. */
  get deadline(): Lifetime {
    const grace = this.#grace;
    if (grace === undefined) return before(this.#lifetime, this.#warningMs);
    return this.#isExpiryAhead ? earlier(grace, this.#lifetime) : grace;
  }

  due(instant: Instant): Due | undefined {
    if (this.#grace !== undefined && isOver(this.#grace, instant)) return "grace";
    if (this.#isExpiryAhead && isOver(this.#lifetime, instant)) return "expiry";
    if (this.#grace !== undefined || this.#warningMs === 0) return undefined;
    return isOver(before(this.#lifetime, this.#warningMs), instant) ? "warning" : undefined;
  }

  /** The warning was given. */
  warned(): void {
    this.#warningMs = 0;
  }

  /** The connection lapsed and has this long. `watchesExpiry`: the credential itself may still end meanwhile. */
  lapsed(instant: Instant, graceMs: number, watchesExpiry: boolean): void {
    this.#grace = lifetimeUntil((instant.now + graceMs) as EpochMs, instant);
    this.#isExpiryAhead = watchesExpiry;
  }

  restored(): void {
    this.#grace = undefined;
    this.#isExpiryAhead = true;
  }

  /** A later credential took its place. */
  renew(expiresAt: EpochMs, instant: Instant, spread: number): void {
    this.#lifetime = lifetimeUntil(expiresAt, instant);
    this.#warningMs = warningMs(expiresAt - instant.now, spread);
  }
}

function warningMs(livesMs: number, spread: number): number {
  const share = WARNING_SHARE + WARNING_SHARE_SPREAD * spread;
  return Math.max(0, Math.floor(Math.min(livesMs * share, WARNING_MS + WARNING_SPREAD_MS * spread)));
}

function before({ expiresAt, expiresAtMonotonic }: Lifetime, ms: number): Lifetime {
  return {
    expiresAt: (expiresAt - ms) as EpochMs,
    expiresAtMonotonic: (expiresAtMonotonic - ms) as MonotonicMs,
  };
}

/** The clocks may disagree about which comes first: then each has its own say. */
function earlier(a: Lifetime, b: Lifetime): Lifetime {
  return {
    expiresAt: Math.min(a.expiresAt, b.expiresAt) as EpochMs,
    expiresAtMonotonic: Math.min(a.expiresAtMonotonic, b.expiresAtMonotonic) as MonotonicMs,
  };
}
