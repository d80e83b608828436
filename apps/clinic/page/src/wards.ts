/**
 * Which wards this person watches. What is wanted and what the server has granted are two things: a ward stays wanted
 * through a lost connection and is joined again on the next one; a refusal ends the wish.
 */
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Clock } from "./clock.js";
import type { WardId } from "./hub-contract.js";
import { type Failure, readFailure } from "./reasons.js";

export type WardStanding =
  | { readonly kind: "off" }
  | { readonly kind: "joining" }
  | { readonly kind: "joined" }
  | { readonly kind: "refused"; readonly failure: Failure };

export interface Wards {
  standing(ward: WardId): ReadonlySignal<WardStanding>;
  /** Asks for the ward, or gives it up. */
  toggle(ward: WardId): void;
  want(ward: WardId): void;
  /** A new connection: joins what is wanted. */
  connected(): void;
  /** The connection is gone, and every membership with it. */
  disconnected(): void;
  /** Signed out. */
  reset(): void;
}

export interface WardsOptions {
  readonly ids: readonly WardId[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly invoke: (method: string, ward: WardId) => Promise<unknown>;
  readonly onJoined: (ward: WardId) => void;
  readonly onLeft: (ward: WardId) => void;
  readonly onRefused: (ward: WardId, failure: Failure) => void;
}

interface Entry {
  readonly id: WardId;
  readonly standing: Signal<WardStanding>;
  isWanted: boolean;
  isJoined: boolean;
  isBusy: boolean;
}

export function createWards({ ids, clock, random, invoke, onJoined, onLeft, onRefused }: WardsOptions): Wards {
  const entries = new Map<WardId, Entry>(
    ids.map((id) => [
      id,
      { id, standing: signal<WardStanding>({ kind: "off" }), isWanted: false, isJoined: false, isBusy: false },
    ]),
  );
  let isLive = false;
  let cancelRetry = (): void => undefined;

  function entryOf(ward: WardId): Entry {
    const entry = entries.get(ward);
    if (entry === undefined) throw new RangeError(`no such ward: ${ward}`);
    return entry;
  }

  /** One call at a time for each ward, until the server agrees with the wish. */
  async function settle(entry: Entry): Promise<void> {
    if (entry.isBusy) return;
    entry.isBusy = true;
    try {
      while (isLive && entry.isWanted !== entry.isJoined) {
        const goesOn = entry.isWanted ? await join(entry) : await leave(entry);
        if (!goesOn) return;
      }
    } finally {
      entry.isBusy = false;
    }
  }

  async function join(entry: Entry): Promise<boolean> {
    entry.standing.value = { kind: "joining" };
    try {
      await invoke("SubscribeToWard", entry.id);
    } catch (error) {
      return joinFailed(entry, readFailure(error, "failed"));
    }
    entry.isJoined = true;
    if (entry.isWanted) {
      entry.standing.value = { kind: "joined" };
      onJoined(entry.id);
    }
    return true;
  }

  function joinFailed(entry: Entry, failure: Failure): boolean {
    if (!entry.isWanted) return false;
    if (failure.isLost || failure.condition === "expired") return false; // the next connection asks again
    if (failure.condition === "unavailable") {
      cancelRetry();
      cancelRetry = clock.after(Math.max(2, failure.retryAfterSeconds ?? 0) * 1_000 * (1 + random() * 0.5), settleAll);
      return false;
    }
    entry.isWanted = false;
    entry.standing.value = { kind: "refused", failure };
    onRefused(entry.id, failure);
    onLeft(entry.id);
    return false;
  }

  async function leave(entry: Entry): Promise<boolean> {
    try {
      await invoke("UnsubscribeFromWard", entry.id);
    } catch {
      // The page ignores the ward's events either way, and the next connection does not join it.
    }
    entry.isJoined = false;
    return true;
  }

  function settleAll(): void {
    for (const entry of entries.values()) void settle(entry);
  }

  function want(ward: WardId): void {
    const entry = entryOf(ward);
    if (entry.isWanted) return;
    entry.isWanted = true;
    entry.standing.value = { kind: "joining" };
    void settle(entry);
  }

  return {
    standing: (ward) => entryOf(ward).standing,
    want,
    toggle(ward) {
      const entry = entryOf(ward);
      if (!entry.isWanted) return want(ward);
      entry.isWanted = false;
      entry.standing.value = { kind: "off" };
      onLeft(ward);
      void settle(entry);
    },
    connected() {
      isLive = true;
      settleAll();
    },
    disconnected() {
      isLive = false;
      cancelRetry();
      for (const entry of entries.values()) {
        entry.isJoined = false;
        if (entry.isWanted) entry.standing.value = { kind: "joining" };
      }
    },
    reset() {
      isLive = false;
      cancelRetry();
      for (const entry of entries.values()) {
        entry.isWanted = false;
        entry.isJoined = false;
        entry.standing.value = { kind: "off" };
      }
    },
  };
}
