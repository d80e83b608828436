/** Which DPoP proofs were used already (RFC 9449 11.1). */

import { hash } from "node:crypto";
import type { Clock } from "../../../core/clock.js";
import { systemClock } from "../../../platform/system-clock.js";
import { assertRange } from "../option-checks.js";
import { createSeenIds } from "../seen-ids.js";

/** What makes a proof this one and no other. */
export interface SpentProof {
  readonly keyThumbprint: string;
  readonly targetUri: string;
  readonly tokenId: string;
}

export type DpopUse = "first" | "again" | "unavailable";

export interface DpopReplays {
  /**
   * Uses a proof up, once. `unavailable`: too many are remembered, so that nobody can say.
   * @param forMs how long the proof would be accepted otherwise
   */
  spend(proof: SpentProof, forMs: number): DpopUse | Promise<DpopUse>;
}

export interface DpopReplayOptions {
  /** Proofs remembered at once: a minute's worth. Count, default 100,000. */
  readonly maxProofs?: number | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

const DEFAULT_MAX_PROOFS = 100_000;

/**
 * The memory of one process: behind several, a proof is good once for each, unless the server's nonces differ between
 * them. Share one between everything that answers at the same address.
 * @throws RangeError
 */
export function dpopReplays(options: DpopReplayOptions = {}): DpopReplays {
  const { maxProofs = DEFAULT_MAX_PROOFS, clock = systemClock } = options;
  assertRange("dpopReplays.maxProofs", maxProofs, 1, 10_000_000);
  const seen = createSeenIds({ clock, maxIds: maxProofs, whenFull: "refuse" });
  return {
    spend({ keyThumbprint, targetUri, tokenId }, forMs) {
      // With the key, so that nobody spends another's proof; by its hash, so that long ids take no more room.
      const id = hash("sha256", `${keyThumbprint}\n${targetUri}\n${tokenId}`, "base64url");
      if (seen.has(id)) return "again";
      return seen.add(id, forMs) ? "first" : "unavailable";
    },
  };
}
