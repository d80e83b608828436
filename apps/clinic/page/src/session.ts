/**
 * The life of the person's credential in this page. The access token is held in memory and nowhere else; the refresh
 * token is a cookie no script can read. A refresh that fails for now keeps everything; only the server's word, or the
 * person's, ends the session.
 */
import { type ReadonlySignal, signal } from "@preact/signals";
import type { AuthApi, Grant, GrantAnswer } from "./auth-api.js";
import { type Clock, pause } from "./clock.js";
import type { Failure } from "./reasons.js";

export interface Outage {
  readonly failure: Failure;
  /** When the next refresh is tried, on the session's clock. */
  readonly nextTryAt: number;
}

export type SessionState =
  /** The page was opened: the cookie may hold a session. */
  | { readonly phase: "restoring"; readonly outage: Outage | undefined }
  /** `because` is why a session that was running ended; undefined where the person wanted it, or none was. */
  | { readonly phase: "signed-out"; readonly because: Failure | undefined }
  | { readonly phase: "active"; readonly outage: Outage | undefined };

/** What may be shown of the token held: when it ends, never the token. */
export interface CredentialLife {
  readonly expiresAt: number;
  readonly lifetimeMs: number;
}

export type SignInAnswer =
  { readonly kind: "signed-in" } | { readonly kind: "refused" | "unavailable"; readonly failure: Failure };

export interface Session {
  readonly state: ReadonlySignal<SessionState>;
  readonly credential: ReadonlySignal<CredentialLife | undefined>;
  /** Asks the cookie for a session; called once when the page opens. */
  restore(): Promise<void>;
  signIn(username: string, password: string): Promise<SignInAnswer>;
  /**
   * A token with life left in it, refreshed first where needed; callers at the same time share one refresh.
   * Rejects with the reason `auth_unavailable` when refreshing failed for now, `session_revoked` when it is over.
   */
  token(): Promise<string>;
  /**
   * A token other than this one, fetched where none is held yet; asked for by the server, whatever the clock here says.
   * Rejects as {@link token} does.
   */
  renew(than: string): Promise<string>;
  /** The server did not accept this token: the next {@link token} refreshes, unless a newer one is held already. */
  reject(token: string): void;
  /** Ends the session because the server said so. */
  end(because: Failure): void;
  /** Ends the session because the person wants it. False when the server could not be told. */
  signOut(): Promise<boolean>;
}

export interface SessionOptions {
  readonly clock: Clock;
  readonly auth: AuthApi;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

export const sessionLimits = {
  /** How long before its end a token is renewed: this share of its life, at most 45 s, less a random quarter of that. */
  leadShare: 0.3,
  maxLeadMs: 45_000,
  /** The server takes no token with less life than this left, or a fifth of its whole life where that is shorter. */
  minUsableMs: 10_000,
  minUsableShare: 0.2,
  /** Tokens end at whole seconds of the server: up to one earlier than their lifetime says. */
  expiryRoundingMs: 1_000,
  /** Tries while another tab's refresh settles, with a short random wait between them. */
  maxSupersededTries: 5,
  /** Between failed refreshes; doubles each time. */
  firstBackoffMs: 2_000,
  maxBackoffMs: 60_000,
} as const;

interface Held {
  readonly token: string;
  readonly expiresAt: number;
  readonly lifetimeMs: number;
  readonly refreshAt: number;
}

export function createSession({ clock, auth, random }: SessionOptions): Session {
  const state = signal<SessionState>({ phase: "restoring", outage: undefined });
  const credential = signal<CredentialLife | undefined>(undefined);
  let held: Held | undefined;
  let flight: Promise<void> | undefined;
  let cancelTimer = (): void => undefined;
  let failedTries = 0;
  /** Raised by signing in and out: whatever was asked for before is void. */
  let epoch = 0;

  function forget(next: SessionState): void {
    epoch += 1;
    cancelTimer();
    held = undefined;
    flight = undefined;
    failedTries = 0;
    credential.value = undefined;
    state.value = next;
  }

  function adopt({ accessToken, lifetimeMs }: Grant, askedAt: number): void {
    // A random part of the lead: tabs and people that signed in together refresh apart.
    const spreadMs = Math.min(sessionLimits.maxLeadMs, lifetimeMs * sessionLimits.leadShare) * (0.75 + random() * 0.25);
    const leadMs = Math.max(spreadMs, minUsableMs(lifetimeMs));
    const expiresAt = askedAt + lifetimeMs;
    held = { token: accessToken, expiresAt, lifetimeMs, refreshAt: expiresAt - leadMs };
    failedTries = 0;
    credential.value = { expiresAt, lifetimeMs };
    state.value = { phase: "active", outage: undefined };
    arm(held.refreshAt - clock.now());
  }

  function arm(delayMs: number): void {
    cancelTimer();
    cancelTimer = clock.after(delayMs, () => void refresh());
  }

  /** Never rejects: what came of it is in `held` and `state`. */
  function refresh(): Promise<void> {
    if (flight !== undefined) return flight;
    const current = refreshOnce(epoch).finally(() => {
      if (flight === current) flight = undefined;
    });
    flight = current;
    return current;
  }

  async function refreshOnce(startedIn: number): Promise<void> {
    cancelTimer();
    const { answer, askedAt } = await askUntilSettled(startedIn);
    if (startedIn !== epoch) return;
    if (answer.kind === "granted") return adopt(answer.grant, askedAt);
    if (answer.kind === "refused") {
      // A page that has just been opened knows of no session: no cookie is not news.
      const because = state.peek().phase === "restoring" ? undefined : asEnd(answer.failure);
      return forget({ phase: "signed-out", because });
    }
    const delayMs = backoffMs(answer.failure);
    failedTries += 1;
    const outage = { failure: answer.failure, nextTryAt: clock.now() + delayMs };
    state.value = { phase: state.peek().phase === "restoring" ? "restoring" : "active", outage };
    arm(delayMs);
  }

  async function askUntilSettled(
    startedIn: number,
  ): Promise<{ answer: Exclude<GrantAnswer, { kind: "superseded" }>; askedAt: number }> {
    for (let tries = 1; ; tries += 1) {
      const askedAt = clock.now();
      const answer = await auth.refresh();
      if (answer.kind !== "superseded") return { answer, askedAt };
      if (tries >= sessionLimits.maxSupersededTries || startedIn !== epoch) {
        return { answer: { kind: "unavailable", failure: supersededForLong }, askedAt };
      }
      await pause(clock, 200 + random() * 600);
    }
  }

  function backoffMs({ retryAfterSeconds }: Failure): number {
    const grown = Math.min(sessionLimits.maxBackoffMs, sessionLimits.firstBackoffMs * 2 ** failedTries);
    return Math.max(grown, (retryAfterSeconds ?? 0) * 1_000) * (1 + random() * 0.5);
  }

  /** What is held, unless that has to be renewed first. */
  async function tokenUnless(isDue: (held: Held) => boolean): Promise<string> {
    if (state.peek().phase === "signed-out") throw new Error("session_revoked;action=relogin");
    if (held !== undefined && !isDue(held)) return held.token;
    await refresh();
    if (held !== undefined && isUsable(held, clock.now())) return held.token;
    if (state.peek().phase === "signed-out") throw new Error("session_revoked;action=relogin");
    throw new Error("auth_unavailable;action=retry-after");
  }

  return {
    state,
    credential,
    restore: refresh,
    async signIn(username, password) {
      const askedAt = clock.now();
      const answer = await auth.login(username, password);
      if (answer.kind === "granted") {
        forget(state.peek());
        adopt(answer.grant, askedAt);
        return { kind: "signed-in" };
      }
      if (answer.kind === "superseded") return { kind: "unavailable", failure: supersededForLong };
      return answer;
    },
    token: () => tokenUnless(({ refreshAt }) => clock.now() >= refreshAt),
    renew: (than) => tokenUnless(({ token }) => token === than),
    reject(token) {
      if (held?.token !== token) return;
      held = undefined;
      credential.value = undefined;
    },
    end(because) {
      forget({ phase: "signed-out", because });
    },
    async signOut() {
      forget({ phase: "signed-out", because: undefined });
      return await auth.logout();
    },
  };
}

function isUsable({ expiresAt, lifetimeMs }: Held, now: number): boolean {
  return expiresAt - now > minUsableMs(lifetimeMs);
}

/** The life a token needs to be worth showing to the server. Milliseconds. */
function minUsableMs(lifetimeMs: number): number {
  const share = Math.min(sessionLimits.minUsableMs, lifetimeMs * sessionLimits.minUsableShare);
  return share + sessionLimits.expiryRoundingMs;
}

/** A refused refresh is the end of the session, whatever the status alone would suggest. */
function asEnd(failure: Failure): Failure {
  return failure.condition === "denied" ? failure : { ...failure, condition: "relogin" };
}

const supersededForLong: Failure = {
  condition: "unavailable",
  name: "refresh_superseded",
  retryAfterSeconds: undefined,
  detail: undefined,
  text: "refresh_superseded;action=retry-after",
  status: 409,
  isLost: false,
};
