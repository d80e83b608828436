/**
 * The gate: every call passes here, and only here. In order: the connection's standing and expiry, the limits on the
 * rate of calls, the hub's policies, the method, its policies, the input, the policies on the resource the input names.
 *
 * .NET binds arguments before it asks policies; here nothing is read for someone who may not ask.
 */

import { HubwardError } from "@hubward/wire";
import { judge, type PolicyWatch, type Verdict } from "../auth/policy.js";
import type { Connection } from "../connection/connection.js";
import type { CallLimiter } from "../limits/call-limiter.js";
import type { Hub, HubMethod } from "./hub.js";

/** A call that was let in: with valid input, for the principal as it was when the last rule said yes. */
export interface Passage<P> {
  readonly method: HubMethod<P>;
  readonly args: readonly unknown[];
  readonly version: number;
  readonly standing: number;
}

interface Attempt<P> {
  readonly connection: Connection<P>;
  readonly hub: Hub<P>;
  readonly method: HubMethod<P> | undefined;
  readonly rawArgs: readonly unknown[];
  readonly watch: PolicyWatch;
  readonly version: number;
  readonly standing: number;
  args: readonly unknown[];
}

type Stage = (attempt: Attempt<never>) => Verdict | Promise<Verdict>;

const NO_ARGS: readonly unknown[] = [];

/** The application's rules. Standing is asked before them, each time; the rate before them, once a call. */
const entrance: readonly Stage[] = [
  ({ hub, connection, watch }) => judge(hub.requirements, connection.admission, NO_ARGS, watch),
  assertMethod,
  ({ method, connection, rawArgs, watch }) => method?.precondition?.(connection, rawArgs, watch),
  ({ method, connection, watch }) => judge(method?.requirements ?? [], connection.admission, NO_ARGS, watch),
  readInput,
  ({ method, connection, args, watch }) => judge(method?.resourceRequirements ?? [], connection.admission, args, watch),
];

/** The same rules for a call whose method and input are known. */
const review: readonly Stage[] = entrance.filter((stage) => stage !== assertMethod && stage !== readInput);

/** How often a verdict may be overtaken by a new principal before the call is refused. */
const MAX_ATTEMPTS = 3;

/**
 * Lets a call in or says why not. Answers at once unless a policy or a schema is asynchronous. It counts as a call
 * whatever comes of it, also where nobody declared its name; not again when a new principal is judged for it.
 */
export function pass<P>(
  connection: Connection<P>,
  hub: Hub<P>,
  target: string,
  rawArgs: readonly unknown[],
  watch: PolicyWatch,
  limiter: CallLimiter,
): Passed<P> | Promise<Passed<P>> {
  const { version, standing } = connection;
  const method = hub.methods.get(target.toLowerCase());
  const attempt = { connection, hub, rawArgs, watch, version, standing, method, args: NO_ARGS };
  const instant = connection.instant();
  return (
    connection.refusal(instant) ??
    limiter.take(connection, hub.settings.connectionRate, method, instant.monotonic) ??
    judged<P>(attempt, entrance, MAX_ATTEMPTS)
  );
}

/**
 * Asks the rules again about a call that was let in before its principal was replaced; the input stays as it was read,
 * and it is no second call. Standing counts from now.
 */
export function passAgain<P>(
  connection: Connection<P>,
  hub: Hub<P>,
  { method, args }: Pick<Passage<P>, "method" | "args">,
  watch: PolicyWatch,
): Passed<P> | Promise<Passed<P>> {
  const { version, standing } = connection;
  const attempt = { connection, hub, rawArgs: args, watch, version, standing, method, args };
  return connection.refusal() ?? judged<P>(attempt, review, MAX_ATTEMPTS);
}

type Passed<P> = Passage<P> | HubwardError;

function judged<P>(
  attempt: Attempt<P>,
  stages: readonly Stage[],
  attemptsLeft: number,
): Passed<P> | Promise<Passed<P>> {
  const { connection } = attempt;
  const verdict = walk(attempt as unknown as Attempt<never>, stages, 0);
  if (!(verdict instanceof Promise)) return verdict ?? passage(attempt);
  return verdict.then((refusal) => {
    // While somebody thought about it, the connection may have ended or become someone with other rights.
    if (connection.standing !== attempt.standing) return connection.refusal() ?? new HubwardError("auth_unavailable");
    if (connection.version !== attempt.version) {
      if (attemptsLeft <= 1) return new HubwardError("auth_unavailable", { retryAfterSeconds: 1 });
      const again = { ...attempt, version: connection.version };
      return connection.refusal() ?? judged(again, stages, attemptsLeft - 1);
    }
    // Expiry has no event of its own here: it is asked again, because time passed.
    return refusal ?? connection.refusal() ?? passage(attempt);
  });
}

function assertMethod({ method }: Attempt<never>): Verdict {
  return method === undefined ? new HubwardError("method_not_found") : undefined;
}

function walk(attempt: Attempt<never>, stages: readonly Stage[], start: number): Verdict | Promise<Verdict> {
  for (let index = start; index < stages.length; index++) {
    const verdict = (stages[index] as Stage)(attempt);
    if (verdict === undefined) continue;
    if (!(verdict instanceof Promise)) return verdict;
    return verdict.then((refusal) => refusal ?? walk(attempt, stages, index + 1));
  }
  return undefined;
}

function passage<P>({ method, args, version, standing }: Attempt<P>): Passage<P> {
  return { method: method as HubMethod<P>, args, version, standing };
}

function readInput(attempt: Attempt<never>): Verdict | Promise<Verdict> {
  const schemas = attempt.method?.schemas ?? [];
  if (attempt.rawArgs.length !== schemas.length) return badArguments();
  const args: unknown[] = new Array<unknown>(schemas.length);
  attempt.args = args;
  let pending: Promise<Verdict>[] | undefined;
  for (let index = 0; index < schemas.length; index++) {
    try {
      const result = schemas[index]?.["~standard"].validate(attempt.rawArgs[index]);
      if (result instanceof Promise) {
        (pending ??= []).push(result.then((settled) => take(settled, args, index)).catch(badArguments));
      } else {
        const verdict = take(result, args, index);
        if (verdict !== undefined) return verdict;
      }
    } catch (cause) {
      return badArguments(cause);
    }
  }
  if (pending === undefined) return undefined;
  return Promise.all(pending).then((verdicts) => verdicts.find((verdict) => verdict !== undefined));
}

interface SchemaResult {
  readonly issues?: readonly unknown[] | undefined;
  readonly value?: unknown;
}

/** What is neither a value nor issues, a foreign promise for one, was not validated. */
function take(result: SchemaResult | null | undefined, args: unknown[], index: number): Verdict {
  if (result === null || result === undefined || !("value" in result) || result.issues !== undefined) {
    return badArguments();
  }
  args[index] = result.value;
  return undefined;
}

function badArguments(cause?: unknown): HubwardError {
  return new HubwardError("bad_arguments", { cause });
}
