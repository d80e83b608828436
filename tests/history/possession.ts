/**
 * Which credentials a connection can be said to hold at an instant, known from outside: what it came with, what was
 * acknowledged since, and what is on its way. Doubt goes in the server's favour: what cannot be excluded counts.
 */

import type { CredentialFacts, HistoryEvent } from "./history.js";

interface Held {
  readonly credential: CredentialFacts;
  /** From when on, by the monotonic clock, it may have been held. */
  readonly since: number;
  /** The monotonic clock less the wall clock, at its largest while the credential may have been taken. */
  offset: number;
}

/** When the wall clock went how: one entry for each step of it. */
interface Segment {
  readonly from: number;
  readonly offset: number;
}

/** Both clocks over a history. */
export class Clocks {
  readonly #segments: Segment[] = [];
  readonly #stalls: { readonly until: number; readonly ms: number }[] = [];

  follow({ now, monotonic, ...event }: HistoryEvent): void {
    const offset = monotonic - now;
    const last = this.#segments.at(-1);
    if (last === undefined || last.offset !== offset) this.#segments.push({ from: monotonic, offset });
    if (event.type === "blocked") this.#stalls.push({ until: monotonic, ms: event.ms });
  }

  get offset(): number {
    return this.#segments.at(-1)?.offset ?? 0;
  }

  /** When the wall clock first showed this instant since, by the monotonic one; Infinity while it has not. */
  firstShown(instant: number, since: number): number {
    for (const [index, { from, offset }] of this.#segments.entries()) {
      const at = Math.max(from, since, instant + offset);
      if (at < (this.#segments[index + 1]?.from ?? Infinity)) return at;
    }
    return Infinity;
  }

  /** Milliseconds since then in which no timer could run. */
  stalledSince(monotonic: number): number {
    return this.#stalls.reduce(
      (sum, { until, ms }) => sum + Math.max(0, Math.min(ms, until - Math.max(monotonic, until - ms))),
      0,
    );
  }
}

export class Possession {
  #current: Held;
  #onTheirWay: Held[] = [];

  constructor(credential: CredentialFacts, since: number, offset: number) {
    this.#current = { credential, since, offset };
  }

  /** The wall clock was stepped: what is on its way may be taken before or after. */
  stepped(offset: number): void {
    for (const held of this.#onTheirWay) held.offset = Math.max(held.offset, offset);
  }

  presented(credential: CredentialFacts, since: number, offset: number): void {
    this.#onTheirWay.push({ credential, since, offset });
  }

  /** @param isOutdated whether the present one was to be replaced by whatever is newer, however soon that ends */
  renewed({ id }: CredentialFacts, isOutdated: (credential: CredentialFacts) => boolean): void {
    const taken = this.#onTheirWay.find(({ credential }) => credential.id === id);
    this.declined(id);
    // Answered with what holds: the one that ends later, be it the one that was there.
    if (taken === undefined) return;
    const current = this.#current.credential;
    if (taken.credential.expiresAt > current.expiresAt || isOutdated(current)) this.#current = taken;
  }

  declined(id: string): void {
    const index = this.#onTheirWay.findIndex(({ credential }) => credential.id === id);
    if (index !== -1) this.#onTheirWay.splice(index, 1);
  }

  /** Whether everything it may hold is such. */
  every(isSuch: (credential: CredentialFacts) => boolean): boolean {
    return isSuch(this.#current.credential) && this.#onTheirWay.every(({ credential }) => isSuch(credential));
  }

  get current(): CredentialFacts {
    return this.#current.credential;
  }

  /** When the last of what it may hold ended, by the monotonic clock; Infinity while one of them has not. */
  endedAt(clocks: Clocks): number {
    return Math.max(
      ...[this.#current, ...this.#onTheirWay].map(({ credential: { expiresAt }, since, offset }) =>
        Math.min(expiresAt + offset, clocks.firstShown(expiresAt, since)),
      ),
    );
  }

  /** Whether all it may hold has ended, by the clock that is further along. */
  isOver(now: number, monotonic: number): boolean {
    return [this.#current, ...this.#onTheirWay].every(
      ({ credential: { expiresAt }, offset }) => now >= expiresAt || monotonic >= expiresAt + offset,
    );
  }
}
