/** Bounds of one connection's outbox. */

export interface OutboxOptions {
  /** Bytes held, handed over or unconfirmed before the peer counts as a slow consumer. Default 1 MiB. */
  readonly maxBytes?: number | undefined;
  /** Age of the oldest unconfirmed byte before the peer counts as a slow consumer. Milliseconds, default 30000. */
  readonly maxLagMs?: number | undefined;
  /**
   * Bytes held back for a connection whose credential lapsed, or while a group's rule is asked again; the oldest make
   * room. Default 256 KiB.
   */
  readonly maxHeldBytes?: number | undefined;
}

export interface ResolvedOutboxOptions {
  readonly maxBytes: number;
  readonly maxLagMs: number;
  readonly maxHeldBytes: number;
}

export const outboxDefaults: ResolvedOutboxOptions = {
  maxBytes: 1024 * 1024,
  maxLagMs: 30_000,
  maxHeldBytes: 256 * 1024,
};

/** @throws RangeError */
export function resolveOutboxOptions({
  maxBytes = outboxDefaults.maxBytes,
  maxLagMs = outboxDefaults.maxLagMs,
  maxHeldBytes = Math.min(outboxDefaults.maxHeldBytes, maxBytes),
}: OutboxOptions = {}): ResolvedOutboxOptions {
  if (!Number.isInteger(maxBytes) || maxBytes < 1024)
    throw new RangeError("outbox.maxBytes: a whole number of at least 1024");
  if (!Number.isInteger(maxLagMs) || maxLagMs < 1000)
    throw new RangeError("outbox.maxLagMs: a whole number of at least 1000");
  if (!Number.isInteger(maxHeldBytes) || maxHeldBytes < 0 || maxHeldBytes > maxBytes)
    throw new RangeError("outbox.maxHeldBytes: a whole number from 0 to outbox.maxBytes");
  return { maxBytes, maxLagMs, maxHeldBytes };
}
