/**
 * The hub connection, on the unmodified stock client: brings it up, keeps it up within the retry policy, and says at
 * every moment which of its states it is in and why.
 */
import { HubConnectionBuilder, HubConnectionState, LogLevel } from "@microsoft/signalr";
import { type ReadonlySignal, signal } from "@preact/signals";
import type { Clock } from "./clock.js";
import { type Failure, readFailure } from "./reasons.js";
import { isUnverifiable, judge, quickDelaysMs, shortLivedMs, spreadSlowDelayMs } from "./retry-policy.js";
import { type Session, sessionLimits } from "./session.js";
import { type HubEvent, hubEvents } from "./ward-events.js";

export type ConnectionState =
  | { readonly kind: "idle" }
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  /** The credential's time is up: a new one is fetched, then the connection comes back. */
  | { readonly kind: "refreshing"; readonly failure: Failure }
  | { readonly kind: "reconnecting"; readonly failure: Failure; readonly nextTryAt: number }
  /** Ended. With `nextTryAt`, slow tries go on by themselves; without, only the person can start again. */
  | { readonly kind: "closed"; readonly failure: Failure; readonly nextTryAt: number | undefined }
  /** Signed in, and not allowed to connect. */
  | { readonly kind: "denied"; readonly failure: Failure };

export interface ConnectionListener {
  /** A new connection is up, opened with this token: nothing is subscribed on it yet. */
  live(token: string): void;
  /** It is gone, and so is every subscription. */
  lost(): void;
  /** The server, or the network, ended it or did not let it start. */
  failed(failure: Failure): void;
  event(name: HubEvent, payload: unknown): void;
  /** What the server says about the life of this connection. */
  notice(payload: unknown): void;
}

export interface ClinicalConnection {
  readonly state: ReadonlySignal<ConnectionState>;
  start(): void;
  stop(): Promise<void>;
  /** Starts again at once, with a fresh count of tries. Does nothing while the connection is live. */
  reconnectNow(): void;
  /** The connection was shown another token in the place of the one it was opened with, which ends then. */
  presented(until: number): void;
  /** Calls a hub method. Rejects with the stock client's errors; read them with `readFailure`. */
  invoke(method: string, ...args: readonly unknown[]): Promise<unknown>;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly session: Session;
  readonly clock: Clock;
  readonly random: () => number;
  readonly listener: ConnectionListener;
}

export function createClinicalConnection(options: ConnectionOptions): ClinicalConnection {
  const { url, session, clock, random, listener } = options;
  const state = signal<ConnectionState>({ kind: "idle" });
  /** Raised by start, stop and reconnectNow: what an earlier run still reports is void. */
  let run = 0;
  let cancelWait = (): void => undefined;
  let liveSince: number | undefined;
  /** Connections in a row that ended as soon as they were up. The stock client counts its tries anew after each. */
  let shortLived = 0;
  let presentedToken = "";
  let presentedUntil = 0;
  let refusedTokens = 0;

  const hub = new HubConnectionBuilder()
    .withUrl(url, {
      accessTokenFactory: async () => {
        presentedToken = await session.token();
        presentedUntil = session.credential.peek()?.expiresAt ?? 0;
        return presentedToken;
      },
    })
    .withAutomaticReconnect({
      nextRetryDelayInMilliseconds: ({ previousRetryCount, retryReason }) => {
        const failure = readFailure(retryReason);
        markLost(failure);
        return consider(failure, previousRetryCount + shortLived);
      },
    })
    // Information would write the socket's URL, ticket included, to the console.
    .configureLogging(LogLevel.None)
    .build();

  for (const name of hubEvents) hub.on(name, (payload: unknown) => listener.event(name, payload));
  hub.on("hubward.notice", (payload: unknown) => listener.notice(payload));
  hub.onreconnected(() => markLive());
  hub.onclose((error) => {
    markLost(readFailure(error));
    const { kind } = state.peek();
    // The policy has spoken already where the client gave up, or this page stopped it.
    if (kind === "denied" || kind === "closed" || kind === "idle" || kind === "connecting") return;
    const failure = readFailure(error);
    // A close without leave to reconnect is final, whatever the reason is.
    if (consider(failure, 0) !== null) settle(isUnverifiable(failure) ? "again" : "stop", failure);
  });

  /** Decides what follows a failure, shows it, and returns the delay of the next try, or null for none. */
  function consider(failure: Failure, attempt: number): number | null {
    if (session.state.peek().phase === "signed-out") return null;
    listener.failed(failure);
    const freshCredentialRefused = isUnverifiable(failure) && refusedTokens > 0;
    if (failure.condition === "expired") session.reject(presentedToken);
    if (isUnverifiable(failure)) refusedTokens += 1;
    const verdict = judge({ failure, attempt, freshCredentialRefused, random });
    switch (verdict.do) {
      case "retry": {
        const nextTryAt = clock.now() + verdict.delayMs;
        state.value =
          failure.condition === "expired"
            ? { kind: "refreshing", failure }
            : { kind: "reconnecting", failure, nextTryAt };
        return verdict.delayMs;
      }
      case "give-up":
        settle("later", failure);
        return null;
      case "stop":
        settle("stop", failure);
        return null;
      case "deny":
        state.value = { kind: "denied", failure };
        return null;
      case "sign-in-again":
        state.value = { kind: "closed", failure, nextTryAt: undefined };
        session.end({ ...failure, condition: "relogin" });
        return null;
    }
  }

  function settle(how: "later" | "stop" | "again", failure: Failure): void {
    const delayMs = how === "again" ? 0 : spreadSlowDelayMs(random);
    state.value = { kind: "closed", failure, nextTryAt: how === "stop" ? undefined : clock.now() + delayMs };
    if (how === "stop") return;
    wait(delayMs, how === "again" ? 1 : quickDelaysMs.length);
  }

  function wait(delayMs: number, attempt: number): void {
    const current = run;
    cancelWait();
    cancelWait = clock.after(delayMs, () => {
      if (current === run) void connect(current, attempt);
    });
  }

  /** The stock client retries lost connections; a first start that fails is this page's to try again. */
  async function connect(current: number, attempt: number): Promise<void> {
    if (state.peek().kind !== "refreshing" && state.peek().kind !== "reconnecting")
      state.value = { kind: "connecting" };
    try {
      await stopped();
      if (current !== run) return;
      await hub.start();
    } catch (error) {
      if (current !== run) return;
      const delayMs = consider(readFailure(error), attempt);
      if (delayMs !== null) wait(delayMs, attempt + 1);
      return;
    }
    if (current === run) markLive();
    else await hub.stop();
  }

  async function stopped(): Promise<void> {
    if (hub.state !== HubConnectionState.Disconnected) await hub.stop();
  }

  function markLive(): void {
    liveSince = clock.now();
    refusedTokens = 0;
    state.value = { kind: "live" };
    listener.live(presentedToken);
  }

  function markLost(failure: Failure | undefined): void {
    if (liveSince === undefined) return;
    const now = clock.now();
    // A credential that ends when it had to says nothing about the connection, and the next one is another.
    const isDue = failure?.condition === "expired" && now >= presentedUntil - sessionLimits.expiryRoundingMs;
    shortLived = now - liveSince < shortLivedMs && !isDue ? shortLived + 1 : 0;
    liveSince = undefined;
    listener.lost();
  }

  function begin(): void {
    run += 1;
    cancelWait();
    shortLived = 0;
    refusedTokens = 0;
    state.value = { kind: "connecting" };
    void connect(run, 0);
  }

  return {
    state,
    start: begin,
    async stop() {
      run += 1;
      cancelWait();
      state.value = { kind: "idle" };
      markLost(undefined);
      await stopped();
    },
    reconnectNow() {
      if (state.peek().kind !== "live") begin();
    },
    presented(until) {
      presentedUntil = until;
    },
    invoke: (method, ...args) => hub.invoke<unknown>(method, ...args),
  };
}
