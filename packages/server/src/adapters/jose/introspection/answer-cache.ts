/** Remembers for a short while what the issuer said of a token, so that one bearer is one question and not many. */

import type { HubwardError } from "@hubward/wire";
import type { Authentication } from "../../../core/auth/authentication.js";
import { readInstant, type Clock, type Instant } from "../../../core/clock.js";
import { hashToken } from "../token-hash.js";

export type Answer = { readonly askedAt: Instant } & (
  | { readonly kind: "accepted"; readonly authentication: Authentication }
  | { readonly kind: "refused"; readonly error: HubwardError }
);

export interface AnswerCacheOptions {
  readonly clock: Clock;
  /** Age at which an answer no longer serves, counted from the question. Milliseconds. */
  readonly maxAgeMs: { readonly accepted: number; readonly refused: number };
  /** Of each kind, so that made-up tokens crowd out no good one. Count; 0 remembers none. */
  readonly maxTokens: number;
}

export interface AnswerCache {
  /**
   * Answers at once from memory, otherwise asks; callers that bring the same token meanwhile share that question.
   * A question that got no answer is not remembered.
   * @throws HubwardError (rejects) the refusal, or whatever `ask` rejects with
   */
  resolve(token: string, ask: (token: string) => Promise<Answer>): Authentication | Promise<Authentication>;
  /** What was asked about this token before now serves nobody who comes after. The hash is {@link hashToken}'s. */
  forget(tokenHash: string): void;
  forgetAll(): void;
  /** Answers held at present, lapsed ones that nobody has asked for since included. */
  readonly size: number;
}

export function createAnswerCache({ clock, maxAgeMs, maxTokens }: AnswerCacheOptions): AnswerCache {
  // Least recently used first.
  const answers = { accepted: new Map<string, Answer>(), refused: new Map<string, Answer>() };
  const flights = new Map<string, Promise<Authentication>>();

  function isCurrent(answer: Answer): boolean {
    const { now, monotonic } = readInstant(clock);
    const ageMs = Math.max(now - answer.askedAt.now, monotonic - answer.askedAt.monotonic);
    if (ageMs >= maxAgeMs[answer.kind]) return false;
    return answer.kind === "refused" || now < answer.authentication.expiresAt;
  }

  function recall(digest: string): Answer | undefined {
    for (const held of [answers.accepted, answers.refused]) {
      const answer = held.get(digest);
      if (answer === undefined) continue;
      held.delete(digest);
      if (!isCurrent(answer)) continue;
      held.set(digest, answer);
      return answer;
    }
    return undefined;
  }

  function remember(digest: string, answer: Answer): void {
    if (maxTokens === 0 || !isCurrent(answer)) return;
    const held = answers[answer.kind];
    held.set(digest, answer);
    if (held.size <= maxTokens) return;
    const [oldest] = held.keys();
    if (oldest !== undefined) held.delete(oldest);
  }

  function startFlight(
    digest: string,
    token: string,
    ask: (token: string) => Promise<Answer>,
  ): Promise<Authentication> {
    const flight = ask(token)
      .then((answer) => {
        // Whoever forgot the token meanwhile took this flight off the list.
        if (flights.get(digest) === flight) remember(digest, answer);
        return reveal(answer);
      })
      .finally(() => {
        if (flights.get(digest) === flight) flights.delete(digest);
      });
    flights.set(digest, flight);
    return flight;
  }

  return {
    resolve(token, ask) {
      const digest = hashToken(token);
      const answer = recall(digest);
      if (answer === undefined) return flights.get(digest) ?? startFlight(digest, token, ask);
      return answer.kind === "accepted" ? answer.authentication : Promise.reject(answer.error);
    },
    forget(tokenHash) {
      answers.accepted.delete(tokenHash);
      answers.refused.delete(tokenHash);
      flights.delete(tokenHash);
    },
    forgetAll() {
      answers.accepted.clear();
      answers.refused.clear();
      flights.clear();
    },
    get size() {
      return answers.accepted.size + answers.refused.size;
    },
  };
}

function reveal(answer: Answer): Authentication {
  if (answer.kind === "refused") throw answer.error;
  return answer.authentication;
}
