/**
 * A bucket for each key, without a timer and bounded in number. Keys that were used lately stand in the young
 * generation; the old one is dropped whole, when nobody in it can have anything missing any more. Where more keys come
 * than are kept, those that were used least lately start over with a full bucket: too many keys never lock anybody out.
 */

import { refillMs, TokenBucket, type Rate } from "./token-bucket.js";

/** Buckets that are kept, at most: some 10 MB. */
const MAX_KEYS = 50_000;

export class KeyedBuckets {
  readonly rate: Rate;
  readonly #maxGeneration: number;
  readonly #generationMs: number;
  #young = new Map<string, TokenBucket>();
  #old = new Map<string, TokenBucket>();
  #turnAt = -Infinity;

  constructor(rate: Rate, maxKeys: number = MAX_KEYS) {
    this.rate = rate;
    this.#maxGeneration = Math.max(1, Math.floor(maxKeys / 2));
    this.#generationMs = refillMs(rate);
  }

  /** Buckets kept. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** How long until this key's bucket has one to give; 0 when it has one now. Milliseconds. Takes nothing. */
  waitMs(key: string, now: number): number {
    return (this.#young.get(key) ?? this.#old.get(key))?.waitMs(this.rate, now) ?? 0;
  }

  /** Takes one of this key's, whether it has one or not: ask `waitMs` first. */
  take(key: string, now: number): void {
    (this.#young.get(key) ?? this.#rejuvenate(key, now)).take(this.rate, now);
  }

  #rejuvenate(key: string, now: number): TokenBucket {
    if (now >= this.#turnAt || this.#young.size >= this.#maxGeneration) this.#turn(now);
    const bucket = this.#old.get(key) ?? new TokenBucket();
    this.#old.delete(key);
    this.#young.set(key, bucket);
    return bucket;
  }

  /** What is dropped was used last before the turn before this one: a whole refill ago, unless there were too many. */
  #turn(now: number): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#turnAt = now + this.#generationMs;
  }
}
