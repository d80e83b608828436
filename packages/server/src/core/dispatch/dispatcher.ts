/** From a call to its outcome: gate, idempotency, the application's method. */

import { HubError, HubwardError, isRefusal } from "../errors.js";
import type { PolicyWatch } from "../auth/policy.js";
import type { Connection } from "../connection/connection.js";
import type { Digest } from "../digest.js";
import { joinKey } from "../ids.js";
import type { Call } from "./call.js";
import type { CallControl } from "./call-control.js";
import { CommandCommit, type Commit } from "./commit.js";
import { throughFilters } from "./filter.js";
import { canonicalText } from "./fingerprint.js";
import type { CallLimiter } from "../limits/call-limiter.js";
import { pass, passAgain, type Passage } from "./gate.js";
import type { Hub, HubMethod } from "./hub.js";
import type { CommandOutcome, CommandStart, IdempotencyStore } from "./idempotency-store.js";
import { readUploads, type Upload } from "./upload.js";

export type Outcome =
  | { readonly kind: "value"; readonly value: unknown }
  /** What the method gave to be read item by item; not yet looked at. */
  | { readonly kind: "stream"; readonly items: unknown; readonly method: string }
  /** The caller thought better of it in time: the method was never entered. */
  | { readonly kind: "cancelled"; readonly method: string }
  /** The method was never entered. */
  | { readonly kind: "refused"; readonly error: HubwardError; readonly method: string | undefined }
  /** The method threw. */
  | { readonly kind: "failed"; readonly error: unknown; readonly method: string }
  /** The caller was let in, but asked for a stream where there is none or the other way round. */
  | { readonly kind: "wrong-mode"; readonly method: string; readonly isStream: boolean }
  /** The caller was let in, but sent more or fewer streams along than the method takes. */
  | { readonly kind: "wrong-uploads"; readonly method: string; readonly sent: number; readonly expected: number };

/** One call as it arrived. */
export interface CallRequest {
  readonly target: string;
  readonly args: readonly unknown[];
  /** Whether the caller wants a stream of items. */
  readonly isStream: boolean;
  readonly uploads: readonly Upload[];
  /** The caller's own id of it, where the protocol itself has one: it takes effect once. Default: as the method says. */
  readonly command?: string | undefined;
  readonly control: CallControl;
}

export interface DispatcherPorts<P> {
  readonly idempotency: IdempotencyStore;
  readonly digest: Digest;
  /** `commit`: where the method is a command's. */
  readonly createCall: (connection: Connection<P>, method: string, control: CallControl, commit?: Commit) => Call<P>;
  readonly watch: PolicyWatch;
  readonly limiter: CallLimiter;
}

/** Runs one call. Answers at once when nothing on the way is asynchronous. Never throws, never rejects. */
export type Dispatch<P> = (connection: Connection<P>, hub: Hub<P>, request: CallRequest) => Outcome | Promise<Outcome>;

export function createDispatcher<P>(ports: DispatcherPorts<P>): Dispatch<P> {
  function enter(
    connection: Connection<P>,
    hub: Hub<P>,
    request: CallRequest,
    passage: Passage<P>,
  ): Outcome | Promise<Outcome> {
    const { method } = passage;
    // .NET looks at the kind of answer first and at the streams sent along second.
    if (request.isStream !== method.isStream)
      return { kind: "wrong-mode", method: method.name, isStream: method.isStream };
    const [sent, expected] = [request.uploads.length, method.uploads.length];
    if (sent !== expected) return { kind: "wrong-uploads", method: method.name, sent, expected };
    return method.commandId === undefined && request.command === undefined
      ? run(connection, hub, request, passage)
      : runOnce(connection, hub, request, passage);
  }

  function run(
    connection: Connection<P>,
    hub: Hub<P>,
    request: CallRequest,
    passage: Passage<P>,
    commit?: Commit,
  ): Outcome | Promise<Outcome> {
    const { method, args } = passage;
    // Between the gate and here a store may have been asked.
    if (isOfAnother(connection, passage)) return runAgain(connection, hub, request, passage, commit);
    const obstacle = obstacleTo(connection, request, passage);
    if (obstacle !== undefined) return obstacle;
    request.control.granted(() => refusalOf(passAgain(connection, hub, passage, ports.watch)));
    try {
      const call = ports.createCall(connection, method.name, request.control, commit);
      const all = request.uploads.length === 0 ? args : [...args, ...readUploads(request.uploads, method.uploads)];
      if (hub.filters.length > 0) return runFiltered(connection, hub, request, passage, call, all);
      const result = method.handle(call, ...(all as never[]));
      if (!isThenable(result)) return done(method, result);
      return Promise.resolve(result).then(
        (value: unknown) => done(method, value),
        (error: unknown) => ({ kind: "failed", error, method: method.name }),
      );
    } catch (error) {
      return { kind: "failed", error, method: method.name };
    }
  }

  /** The principal was replaced between the gate and here: may this one do it? */
  function runAgain(
    connection: Connection<P>,
    hub: Hub<P>,
    request: CallRequest,
    { method, args }: Passage<P>,
    commit: Commit | undefined,
  ): Outcome | Promise<Outcome> {
    const go = (passed: Passage<P> | HubwardError): Outcome | Promise<Outcome> =>
      passed instanceof HubwardError ? refused(passed, method) : run(connection, hub, request, passed, commit);
    const passed = passAgain(connection, hub, { method, args }, ports.watch);
    return passed instanceof Promise ? passed.then(go) : go(passed);
  }

  /** A filter may have waited for anything: what is true at the method's own door decides, whatever filters make of it. */
  async function runFiltered(
    connection: Connection<P>,
    hub: Hub<P>,
    request: CallRequest,
    passage: Passage<P>,
    call: Call<P>,
    args: readonly unknown[],
  ): Promise<Outcome> {
    const { method } = passage;
    let obstacle: Outcome | undefined;
    const enter = (): unknown => {
      // Asked anew: time has passed. What a new principal may is judged beside it, and stops the call.
      const { judging } = request.control;
      if (judging !== undefined) return judging.then(enter);
      obstacle = obstacleTo(connection, request, passage, connection.refusal() ?? request.control.refusal);
      if (obstacle === undefined) return method.handle(call, ...(args as never[]));
      if (obstacle.kind === "refused") throw obstacle.error;
      return request.control.signal.throwIfAborted();
    };
    try {
      const value = await throughFilters(hub.filters, call, args, enter);
      return obstacle ?? done(method, value);
    } catch (error) {
      return obstacle ?? { kind: "failed", error, method: method.name };
    }
  }

  async function runOnce(
    connection: Connection<P>,
    hub: Hub<P>,
    request: CallRequest,
    passage: Passage<P>,
  ): Promise<Outcome> {
    const { method } = passage;
    try {
      const id: unknown = request.command ?? method.commandId?.(...(passage.args as never[]));
      // Without types anything may come out; commands without an id would all be one.
      if (typeof id !== "string" || id === "") return refused(new HubwardError("bad_arguments"), method);
      const key = joinKey([connection.identity, hub.path, method.name, id]);
      const start = await ports.idempotency.start(key, ports.digest(canonicalText(request.args)), connection.identity);
      if (start.state === "conflict") return refused(new HubwardError("idempotency_conflict"), method);
      if (start.state === "full") {
        const retryAfterSeconds = (start.retryAfterMs ?? 60_000) / 1000;
        return refused(new HubwardError("rate_limited", { retryAfterSeconds }), method);
      }
      if (start.state === "known") return replay(await start.outcome, method);
      // Whoever judges it takes time, too, in which a credential may end.
      const refusal = connection.refusal() ?? (await refusalMeanwhile(connection, passage)) ?? connection.refusal();
      const commit = new CommandCommit(start.commit, () => request.control.assertMaySpeak(connection));
      const outcome =
        refusal === undefined ? await run(connection, hub, request, passage, commit.run) : refused(refusal, method);
      const committed = await commit.end();
      if (committed !== undefined) {
        // It has happened, and is recorded: an error on the way out cannot take it back.
        if (outcome.kind === "failed" && !request.control.explains(outcome.error))
          ports.watch.failed(method.name, outcome.error);
        return { kind: "value", value: committed.value };
      }
      if (outcome.kind === "refused" || outcome.kind === "cancelled") await start.abandon();
      else await settle(start.finish, outcome);
      return outcome;
    } catch (cause) {
      return refused(tryAgain(cause), method);
    }
  }

  /** The store took its time: what has to hold before anything else is judged, such as a membership, may be gone. */
  function refusalMeanwhile(
    connection: Connection<P>,
    passage: Passage<P>,
  ): HubwardError | undefined | Promise<HubwardError | undefined> {
    // Of another principal everything is judged again.
    if (isOfAnother(connection, passage)) return undefined;
    return passage.method.precondition?.(connection, passage.args, ports.watch);
  }

  /** The method was entered: what came of it is told also when the store cannot keep it. */
  async function settle(finish: Started["finish"], outcome: Entered): Promise<void> {
    try {
      await finish(outcome.kind === "value" ? outcome : record(outcome.kind === "failed" ? outcome.error : undefined));
    } catch (error) {
      ports.watch.failed("idempotency store", error);
    }
  }

  return (connection, hub, request) => {
    const { target } = request;
    const passage = pass(connection, hub, target, request.args, ports.watch, ports.limiter);
    if (passage instanceof HubwardError) return refused(passage, lookUp(hub, target));
    if (!(passage instanceof Promise)) return enter(connection, hub, request, passage);
    return passage.then((settled) =>
      settled instanceof HubwardError
        ? refused(settled, lookUp(hub, target))
        : enter(connection, hub, request, settled),
    );
  };
}

function done<P>({ isStream, name }: HubMethod<P>, value: unknown): Outcome {
  return isStream ? { kind: "stream", items: value, method: name } : { kind: "value", value };
}

/** Why the method may not be entered now though the gate said yes: the yes must still be this principal's. */
function obstacleTo<P>(
  connection: Connection<P>,
  { control }: CallRequest,
  { method, standing }: Passage<P>,
  refusal: HubwardError | undefined = control.refusal,
): Exclude<Outcome, Entered> | undefined {
  if (refusal !== undefined || connection.standing !== standing)
    return refused(refusal ?? connection.refusal(), method);
  return control.isCancelled ? { kind: "cancelled", method: method.name } : undefined;
}

/** Whether the yes was said to the principal before this one. Who has lost their standing has nobody to ask for. */
function isOfAnother<P>(connection: Connection<P>, { version, standing }: Passage<P>): boolean {
  return connection.version !== version && connection.standing === standing;
}

function refusalOf<P>(
  passed: Passage<P> | HubwardError | Promise<Passage<P> | HubwardError>,
): HubwardError | undefined | Promise<HubwardError | undefined> {
  if (passed instanceof Promise)
    return passed.then((settled) => (settled instanceof HubwardError ? settled : undefined));
  return passed instanceof HubwardError ? passed : undefined;
}

type Entered = Exclude<Outcome, { readonly kind: "refused" | "cancelled" }>;

type Started = Extract<CommandStart, { readonly state: "started" }>;

/** A query builder's promise need not be one of ours. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
}

function lookUp<P>(hub: Hub<P>, target: string): HubMethod<P> | undefined {
  return hub.methods.get(target.toLowerCase());
}

function refused<P>(
  error: HubwardError | undefined,
  method: HubMethod<P> | undefined,
): Extract<Outcome, { kind: "refused" }> {
  return { kind: "refused", error: error ?? new HubwardError("auth_unavailable"), method: method?.name };
}

function tryAgain(cause?: unknown): HubwardError {
  return new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause });
}

function record(error: unknown): CommandOutcome {
  if (error instanceof HubError) return { kind: "hub-error", message: error.message };
  if (isRefusal(error)) {
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
