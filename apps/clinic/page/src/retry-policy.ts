/**
 * Decides what follows a failed or lost connection: try again and when, give up for a while, or stop because trying
 * again cannot help. Pure; the connection carries it out.
 */
import type { Failure } from "./reasons.js";

export type Verdict =
  | { readonly do: "retry"; readonly delayMs: number }
  /** The quick tries are used up: wait for the person, trying slowly meanwhile. */
  | { readonly do: "give-up" }
  /** The server ended it for good: only the person can start again. */
  | { readonly do: "stop" }
  /** Signed in, and not allowed here. */
  | { readonly do: "deny" }
  | { readonly do: "sign-in-again" };

export interface Situation {
  readonly failure: Failure;
  /** Tries that have failed since the connection last held. */
  readonly attempt: number;
  /** A credential fetched because the one before it was not accepted was not accepted either. */
  readonly freshCredentialRefused: boolean;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

/** Milliseconds before each quick try; each gets a random share on top, so that many pages never return as one. */
export const quickDelaysMs: readonly number[] = [0, 2_000, 10_000, 30_000];

/** Mean milliseconds between slow tries, once the quick ones are used up. */
export const slowDelayMs = 60_000;

/** A connection shorter than this did not hold: its end counts as one more failed try. */
export const shortLivedMs = 2_000;

export function judge({ failure, attempt, freshCredentialRefused, random }: Situation): Verdict {
  switch (failure.condition) {
    case "relogin":
      return { do: "sign-in-again" };
    case "denied":
      return { do: failure.name === "superseded" || failure.name === "normal" ? "stop" : "deny" };
    case "failed":
      return { do: "stop" };
    case "expired":
      if (isUnverifiable(failure) && freshCredentialRefused) return { do: "sign-in-again" };
      break;
    case "unavailable":
      break;
  }
  const delayMs = retryDelayMs(failure, attempt, random);
  return delayMs === undefined ? { do: "give-up" } : { do: "retry", delayMs };
}

/** The credential itself was not accepted, and not because its time was up. */
export function isUnverifiable(failure: Failure): boolean {
  return failure.name === "invalid_token" || (failure.name === undefined && failure.status === 401);
}

/** Milliseconds until a slow try, 45 to 75 s. */
export function spreadSlowDelayMs(random: () => number): number {
  return slowDelayMs * (0.75 + random() * 0.5);
}

function retryDelayMs(failure: Failure, attempt: number, random: () => number): number | undefined {
  const base = quickDelaysMs[attempt];
  if (base === undefined) return undefined;
  if (failure.retryAfterSeconds !== undefined) {
    const asked = Math.max(base, failure.retryAfterSeconds * 1_000);
    return asked + random() * Math.max(1_000, asked / 4);
  }
  // An expiry strikes each page at its own moment; a server that falls over strikes all of them at once.
  const spread = base > 0 ? base / 2 : failure.condition === "expired" ? 250 : 1_000;
  return base + random() * spread;
}
