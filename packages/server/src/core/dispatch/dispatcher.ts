/** From a call to its outcome: gate, idempotency, the application's method. */

import { HubError, HubwardError } from "../errors.js";
import type { PolicyFailure } from "../auth/policy.js";
import type { Connection } from "../connection/connection.js";
import type { Digest } from "../digest.js";
import { joinKey } from "../ids.js";
import type { Call } from "./call.js";
import { canonicalText } from "./fingerprint.js";
import { pass, type Passage } from "./gate.js";
import type { Hub, HubMethod } from "./hub.js";
import type { CommandOutcome, CommandStart, IdempotencyStore } from "./idempotency-store.js";

export type Outcome =
  | { readonly kind: "value"; readonly value: unknown }
  /** The method was never entered. */
  | { readonly kind: "refused"; readonly error: HubwardError; readonly method: string | undefined }
  /** The method threw. */
  | { readonly kind: "failed"; readonly error: unknown; readonly method: string }
  /** The caller was let in, but asked for a stream where there is none, or sent streams nobody takes. */
  | { readonly kind: "wrong-mode"; readonly method: string };

/** How the caller wants the answer, and how many streams it sends along. */
export interface CallMode {
  readonly isStream: boolean;
  readonly uploads: number;
}

export interface DispatcherPorts<P> {
  readonly idempotency: IdempotencyStore;
  readonly digest: Digest;
  readonly createCall: (connection: Connection<P>, method: HubMethod<P>) => Call<P>;
  readonly onPolicyFailure: PolicyFailure;
}

/** Runs one call. Answers at once when nothing on the way is asynchronous. Never throws, never rejects. */
export type Dispatch<P> = (
  connection: Connection<P>,
  hub: Hub<P>,
  target: string,
  args: readonly unknown[],
  mode: CallMode,
) => Outcome | Promise<Outcome>;

export function createDispatcher<P>(ports: DispatcherPorts<P>): Dispatch<P> {
  function enter(
    connection: Connection<P>,
    hub: Hub<P>,
    rawArgs: readonly unknown[],
    mode: CallMode,
    passage: Passage<P>,
  ): Outcome | Promise<Outcome> {
    if (mode.isStream || mode.uploads > 0) return { kind: "wrong-mode", method: passage.method.name };
    return passage.method.commandId === undefined
      ? run(connection, passage)
      : runOnce(connection, hub, rawArgs, passage, passage.method.commandId);
  }

  function run(connection: Connection<P>, { method, args, version, standing }: Passage<P>): Outcome | Promise<Outcome> {
    // Between the gate and here a store may have been asked: the yes must still be this principal's.
    if (connection.standing !== standing) return refused(connection.refusal(), method);
    if (connection.version !== version) return refused(tryAgain(), method);
    try {
      const result = method.handle(ports.createCall(connection, method), ...(args as never[]));
      if (!isThenable(result)) return { kind: "value", value: result };
      return Promise.resolve(result).then(
        (value: unknown) => ({ kind: "value", value }),
        (error: unknown) => ({ kind: "failed", error, method: method.name }),
      );
    } catch (error) {
      return { kind: "failed", error, method: method.name };
    }
  }

  async function runOnce(
    connection: Connection<P>,
    hub: Hub<P>,
    rawArgs: readonly unknown[],
    passage: Passage<P>,
    commandId: (...args: never[]) => string,
  ): Promise<Outcome> {
    const { method } = passage;
    try {
      const id: unknown = commandId(...(passage.args as never[]));
      // Without types anything may come out; commands without an id would all be one.
      if (typeof id !== "string" || id === "") return refused(new HubwardError("bad_arguments"), method);
      const key = joinKey([connection.identity, hub.path, method.name, id]);
      const start = await ports.idempotency.start(key, ports.digest(canonicalText(rawArgs)), connection.identity);
      if (start.state === "conflict") return refused(new HubwardError("idempotency_conflict"), method);
      if (start.state === "full") {
        const retryAfterSeconds = (start.retryAfterMs ?? 60_000) / 1000;
        return refused(new HubwardError("rate_limited", { retryAfterSeconds }), method);
      }
      if (start.state === "known") return replay(await start.outcome, method);
      const refusal = connection.refusal();
      const outcome = refusal === undefined ? await run(connection, passage) : refused(refusal, method);
      if (outcome.kind === "refused") await start.abandon();
      else await settle(start.finish, outcome);
      return outcome;
    } catch (cause) {
      return refused(tryAgain(cause), method);
    }
  }

  /** The method was entered: what came of it is told also when the store cannot keep it. */
  async function settle(finish: Started["finish"], outcome: Exclude<Outcome, { kind: "refused" }>): Promise<void> {
    try {
      await finish(outcome.kind === "value" ? outcome : record(outcome.kind === "failed" ? outcome.error : undefined));
    } catch (error) {
      ports.onPolicyFailure("idempotency store", error);
    }
  }

  return (connection, hub, target, args, mode) => {
    const passage = pass(connection, hub, target, args, ports.onPolicyFailure);
    if (passage instanceof HubwardError) return refused(passage, lookUp(hub, target));
    if (!(passage instanceof Promise)) return enter(connection, hub, args, mode, passage);
    return passage.then((settled) =>
      settled instanceof HubwardError
        ? refused(settled, lookUp(hub, target))
        : enter(connection, hub, args, mode, settled),
    );
  };
}

type Started = Extract<CommandStart, { readonly state: "started" }>;

/** A query builder's promise need not be one of ours. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
}

function lookUp<P>(hub: Hub<P>, target: string): HubMethod<P> | undefined {
  return hub.methods.get(target.toLowerCase());
}

function refused<P>(error: HubwardError | undefined, method: HubMethod<P> | undefined): Outcome {
  return { kind: "refused", error: error ?? new HubwardError("auth_unavailable"), method: method?.name };
}

function tryAgain(cause?: unknown): HubwardError {
  return new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause });
}

function record(error: unknown): CommandOutcome {
  if (error instanceof HubError) return { kind: "hub-error", message: error.message };
  if (error instanceof HubwardError) {
    const { reason, detail, retryAfterSeconds } = error;
    return { kind: "reason", reason, detail, retryAfterSeconds };
  }
  return { kind: "hidden" };
}

function replay<P>(outcome: CommandOutcome, method: HubMethod<P>): Outcome {
  if (outcome.kind === "value") return outcome;
  const failed = (error: unknown): Outcome => ({ kind: "failed", error, method: method.name });
  switch (outcome.kind) {
    case "hub-error":
      return failed(new HubError(outcome.message));
    case "reason":
      return failed(new HubwardError(outcome.reason, outcome));
    default:
      return failed(new Error("the command failed when it was first sent"));
  }
}
