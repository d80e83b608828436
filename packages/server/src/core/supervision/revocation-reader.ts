/**
 * Keeps the view in step with the log: reads all of it before anybody is let in, takes in each entry as it is told, and
 * reads everything anew when entries may have been missed. A log that cannot be read is asked again for ever; until it
 * answers, the view is not fresh.
 */

import { HubwardError } from "@hubward/wire";
import type { RevocationGate } from "../auth/revocation-gate.js";
import type { RevocationLog } from "../auth/revocation-log.js";
import { createRevocationView, type RevocationView } from "../auth/revocation-view.js";
import type { Revocation } from "../auth/revocation.js";
import type { Clock, Timer } from "../clock.js";
import type { Telemetry } from "../telemetry.js";

export interface RevocationReader {
  /** Resolves when the log was read. @throws (rejects with) HubwardError auth_unavailable once stopped */
  ready(): Promise<void>;
  stop(): void;
}

export interface RevocationReaderPorts {
  readonly log: Pick<RevocationLog, "read" | "subscribe">;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly skewMs: number;
  readonly gate: RevocationGate;
  /** The log has another entry. */
  readonly told: (entry: Revocation) => void;
  /** The whole log was read. */
  readonly refreshed: () => void;
  /** The view has not been fresh for too long for anybody to go on. */
  readonly fence: () => void;
}

const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 5_000;
/** How long live connections go on while nobody can say whether they were revoked. Milliseconds. */
const FENCE_MS = 5_000;
/** A log that never comes to its end is none. */
const MAX_PAGES = 1_000_000;

interface Waiter {
  resolve(): void;
  reject(error: HubwardError): void;
}

export function createRevocationReader(ports: RevocationReaderPorts): RevocationReader {
  const { log, clock, telemetry, skewMs, gate } = ports;
  const waiters = new Set<Waiter>();
  let unsubscribe: (() => void) | undefined;
  let knownLogId: string | undefined;
  /** Told while the log is read. */
  let told: Revocation[] | undefined;
  /** Counts what makes a reading worthless. */
  let interruptions = 0;
  let isStopped = false;
  let isReading = false;
  let fenceTimer: Timer | undefined;
  let retryTimer: Timer | undefined;

  const listener = {
    entry(entry: Revocation): void {
      // Also while the log is read: whoever it is about is shut out at once.
      told?.push(entry);
      ports.told(entry);
    },
    interrupted(error: unknown): void {
      interruptions++;
      const wasFresh = gate.isFresh;
      gate.doubt();
      telemetry({ event: "revocation.unavailable", error });
      if (wasFresh && !isStopped) fenceTimer ??= clock.after(FENCE_MS, ports.fence);
      void keepReading();
    },
  };

  /** @throws (rejects with) whatever the log does */
  async function readAll(): Promise<{ readonly view: RevocationView; readonly logId: string }> {
    const view = createRevocationView({ skewMs });
    let logId: string | undefined;
    for (let page = 0, after = 0; page < MAX_PAGES; page++) {
      const { logId: id, entries, upTo, head } = await log.read(after);
      if (logId !== undefined && id !== logId) throw new Error("the revocation log was replaced while it was read");
      logId = id;
      for (const entry of entries) view.apply(entry);
      view.advanceTo(upTo);
      if (upTo >= head) return { view, logId };
      if (upTo <= after) break;
      after = upTo;
    }
    throw new Error("the revocation log does not come to its end");
  }

  async function readOnce(): Promise<boolean> {
    unsubscribe ??= log.subscribe(listener);
    const before = interruptions;
    told = [];
    try {
      const { view, logId } = await readAll();
      if (isStopped || before !== interruptions) return false;
      for (const entry of told) view.apply(entry);
      const isAnotherLog = knownLogId !== undefined && knownLogId !== logId;
      knownLogId = logId;
      fenceTimer?.cancel();
      fenceTimer = undefined;
      gate.refresh(view, isAnotherLog);
    } finally {
      told = undefined;
    }
    return true;
  }

  async function keepReading(): Promise<void> {
    if (isReading) return;
    isReading = true;
    for (let retryMs = FIRST_RETRY_MS; !isStopped; retryMs = Math.min(MAX_RETRY_MS, retryMs * 2)) {
      try {
        if (await readOnce()) break;
      } catch (error) {
        telemetry({ event: "revocation.unavailable", error });
      }
      if (!isStopped) await new Promise<void>((resolve) => (retryTimer = clock.after(retryMs, resolve)));
    }
    isReading = false;
    if (isStopped) return;
    ports.refreshed();
    for (const { resolve } of waiters) resolve();
    waiters.clear();
  }

  void keepReading();

  return {
    ready() {
      if (gate.isFresh) return Promise.resolve();
      if (isStopped) return Promise.reject(stopped());
      return new Promise((resolve, reject) => void waiters.add({ resolve, reject }));
    },
    stop() {
      isStopped = true;
      unsubscribe?.();
      fenceTimer?.cancel();
      retryTimer?.cancel();
      for (const { reject } of waiters) reject(stopped());
      waiters.clear();
    },
  };
}

function stopped(): HubwardError {
  return new HubwardError("auth_unavailable", { detail: "the application was closed before the log was read" });
}
