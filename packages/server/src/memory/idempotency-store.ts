/** Commands remembered in this process, for 24 hours by default and as many as fit. They die with the process. */

import { HubwardError } from "@hubward/wire";
import { createShares } from "../core/admission/shares.js";
import type { Clock } from "../core/clock.js";
import type { CommandOutcome, CommandStart, IdempotencyStore } from "../core/dispatch/idempotency-store.js";

export interface MemoryIdempotencyOptions {
  readonly clock: Pick<Clock, "monotonic">;
  /** How long a command is remembered after it ended. Milliseconds, default 24 hours. */
  readonly keepMs?: number | undefined;
  /** Commands remembered at most; then new ones are refused rather than old ones forgotten. Default 100000. */
  readonly maxCommands?: number | undefined;
  /**
   * Of one owner; then new ones of this owner are refused. Never more than there is room left for others: however many
   * use all they may, who has none yet finds room. Default 10000.
   */
  readonly maxCommandsPerOwner?: number | undefined;
}

interface Command {
  readonly owner: string;
  readonly argumentsDigest: string;
  /** When it may be forgotten; Infinity while it runs. */
  forgetAt: number;
  outcome: CommandOutcome | Promise<CommandOutcome>;
}

export interface MemoryIdempotencyDefaults {
  readonly keepMs: number;
  readonly maxCommands: number;
  readonly maxCommandsPerOwner: number;
}

export const memoryIdempotencyDefaults: MemoryIdempotencyDefaults = {
  keepMs: 24 * 60 * 60 * 1000,
  maxCommands: 100_000,
  maxCommandsPerOwner: 10_000,
};

export function createMemoryIdempotencyStore({
  clock,
  keepMs = memoryIdempotencyDefaults.keepMs,
  maxCommands = memoryIdempotencyDefaults.maxCommands,
  maxCommandsPerOwner = memoryIdempotencyDefaults.maxCommandsPerOwner,
}: MemoryIdempotencyOptions): IdempotencyStore {
  if (!(keepMs > 0)) throw new RangeError("idempotency.keepMs: more than 0");
  if (!Number.isInteger(maxCommands) || maxCommands < 1) {
    throw new RangeError("idempotency.maxCommands: a whole number of at least 1");
  }
  if (!Number.isInteger(maxCommandsPerOwner) || maxCommandsPerOwner < 1) {
    throw new RangeError("idempotency.maxCommandsPerOwner: a whole number of at least 1");
  }
  const shares = createShares(maxCommandsPerOwner);
  // Ended commands stand in the order they ended in, which is the order they may be forgotten in.
  const running = new Map<string, Command>();
  const ended = new Map<string, Command>();

  function forgetOld(now: number): void {
    for (const [key, command] of ended) {
      if (command.forgetAt > now) return;
      ended.delete(key);
      shares.give(command.owner);
    }
  }

  function full(now: number): CommandStart {
    const oldest = ended.values().next().value;
    return { state: "full", retryAfterMs: oldest === undefined ? 1_000 : Math.max(1_000, oldest.forgetAt - now) };
  }

  function begin(key: string, argumentsDigest: string, owner: string): CommandStart {
    let settle!: (outcome: CommandOutcome) => void;
    let giveUp!: (error: unknown) => void;
    const outcome = new Promise<CommandOutcome>((resolve, reject) => {
      settle = resolve;
      giveUp = reject;
    });
    // Nobody may be waiting when it is abandoned.
    outcome.catch(() => undefined);
    const command: Command = { owner, argumentsDigest, forgetAt: Infinity, outcome };
    running.set(key, command);
    // Who let go once may not settle what somebody else has claimed since.
    const release = (): boolean => running.get(key) === command && running.delete(key);
    return {
      state: "started",
      finish(result) {
        if (!release()) return;
        command.outcome = result;
        command.forgetAt = clock.monotonic() + keepMs;
        ended.set(key, command);
        settle(result);
      },
      abandon() {
        if (!release()) return;
        shares.give(owner);
        giveUp(new HubwardError("auth_unavailable", { retryAfterSeconds: 1 }));
      },
    };
  }

  return {
    start(key, argumentsDigest, owner) {
      const now = clock.monotonic();
      forgetOld(now);
      const command = running.get(key) ?? ended.get(key);
      if (command !== undefined) {
        if (command.argumentsDigest !== argumentsDigest) return { state: "conflict" };
        return { state: "known", outcome: command.outcome };
      }
      // Choudhury and Hahne, Dynamic queue length thresholds, IEEE/ACM Transactions on Networking 6 (1998): N that take
      // all they can leave one part in N + 1.
      if (!shares.take(owner, maxCommands - running.size - ended.size)) return full(now);
      return begin(key, argumentsDigest, owner);
    },
  };
}
