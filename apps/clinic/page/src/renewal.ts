/**
 * Keeps the live connection's credential young, in place: whenever the session holds a newer token, the hub is shown
 * it over the connection itself, which goes on as it is. The server's notices say when that is urgent.
 */
import { type ReadonlySignal, signal } from "@preact/signals";
import type { Clock } from "./clock.js";
import { type HubNotice, parseHubNotice, parseRenewal } from "./hub-contract.js";
import { type Failure, readFailure } from "./reasons.js";
import type { Session } from "./session.js";

/** `lapsed`: nothing is told or done until a newer credential is shown. `renewed` is shown for a moment. */
export type RenewalPhase = "steady" | "expiring" | "renewed" | "lapsed";

export interface RenewalListener {
  /** The connection holds a newer credential, for so long. */
  renewed(lifetimeMs: number): void;
  /** Its credential has ended; without a newer one it ends, too, after the grace. */
  lapsed(graceSeconds: number): void;
  /** What it brought was not taken. The connection is as it was. */
  failed(failure: Failure): void;
}

export interface Renewal {
  readonly phase: ReadonlySignal<RenewalPhase>;
  /** A connection is up, and was opened with this token. */
  live(token: string): void;
  lost(): void;
  /** Takes a notice as it came. */
  notice(payload: unknown): void;
  /** The session has another credential. */
  credentialChanged(): void;
}

export interface RenewalOptions {
  readonly session: Session;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly invoke: (method: string, ...args: readonly unknown[]) => Promise<unknown>;
  readonly listener: RenewalListener;
}

export const renewalTimes = { renewedMs: 3_000, firstBackoffMs: 1_000, maxBackoffMs: 15_000 } as const;

export function createRenewal({ session, clock, random, invoke, listener }: RenewalOptions): Renewal {
  const phase = signal<RenewalPhase>("steady");
  /** What the connection holds; undefined while there is none. */
  let shown: string | undefined;
  let isShowing = false;
  /** Asked for again meanwhile: the token may be another by now. */
  let isDue = false;
  let failedTries = 0;
  let cancelTimer = (): void => undefined;

  function after(delayMs: number, action: () => void): void {
    cancelTimer();
    cancelTimer = clock.after(delayMs, action);
  }

  /** Shows the hub whatever newer token the session holds. */
  async function show(): Promise<void> {
    const before = shown;
    isDue = isShowing;
    if (before === undefined || isShowing) return;
    isShowing = true;
    try {
      const token = await session.token();
      if (token !== before && shown === before) await bring(token);
    } catch (error) {
      if (shown === before) consider(readFailure(error, "failed"));
    } finally {
      isShowing = false;
    }
    if (isDue) await show();
  }

  async function bring(token: string): Promise<void> {
    const before = shown;
    const lifetimeMs = parseRenewal(await invoke("hubward.reauthenticate", token));
    if (shown !== before) return;
    shown = token;
    failedTries = 0;
    settle(lifetimeMs);
  }

  function settle(lifetimeMs: number | undefined): void {
    phase.value = "renewed";
    after(renewalTimes.renewedMs, () => {
      if (phase.peek() === "renewed") phase.value = "steady";
    });
    if (lifetimeMs !== undefined) listener.renewed(lifetimeMs);
  }

  function consider(failure: Failure): void {
    // The connection is gone, and tells why itself.
    if (failure.isLost) return;
    listener.failed(failure);
    if (failure.condition !== "unavailable") return;
    const grown = Math.min(renewalTimes.maxBackoffMs, renewalTimes.firstBackoffMs * 2 ** failedTries);
    failedTries += 1;
    const delayMs = Math.max(grown, (failure.retryAfterSeconds ?? 0) * 1_000) * (1 + random() * 0.5);
    after(delayMs, () => void show());
  }

  /** The server wants a newer one than it has: the session may hold it already. */
  function urge(): void {
    if (shown === undefined) return;
    session.renew(shown).then(show, () => undefined);
  }

  function heed(notice: HubNotice): void {
    switch (notice.kind) {
      case "expiring":
        if (phase.peek() !== "lapsed") phase.value = "expiring";
        return urge();
      case "expired":
        phase.value = "lapsed";
        listener.lapsed(notice.graceSeconds);
        return urge();
    }
  }

  return {
    phase,
    live(token) {
      shown = token;
      failedTries = 0;
      phase.value = "steady";
      // Says that this page can refresh: a lapse is then no end yet.
      invoke("hubward.notices").catch(() => undefined);
      void show();
    },
    lost() {
      shown = undefined;
      cancelTimer();
      phase.value = "steady";
    },
    notice(payload) {
      const notice = parseHubNotice(payload);
      if (notice !== undefined && shown !== undefined) heed(notice);
    },
    credentialChanged: () => void show(),
  };
}
