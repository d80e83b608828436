/** Policies: named rules over a principal, and over a resource where one is named. Default deny. */

import { HubwardError } from "@hubward/wire";
import type { Deadline } from "../deadline.js";
import type { Authentication } from "./authentication.js";

export interface PolicyContext<P> {
  /** The connection's current principal, not the one it started with. */
  readonly principal: P;
  readonly authentication: Authentication;
}

export interface Policy<P, R = void> {
  readonly name: string;
  /** A constant text the refused caller sees after `forbidden: `. Never built from peer data. */
  readonly message: string | undefined;
  /** Allows with exactly `true`; anything else, a throw included, does not allow. */
  readonly check: (context: PolicyContext<P>, resource: R) => boolean | Promise<boolean>;
}

/** A policy where it is required, with how its resource comes out of the arguments at hand. */
export interface Requirement<P> {
  readonly policy: Policy<P, never>;
  /** Absent: the policy needs no resource and is judged before the input is read. */
  readonly resource: ((...args: never[]) => unknown) | undefined;
}

/** Who acts, as one unit that is replaced whole. */
export interface Admission<P> extends PolicyContext<P> {
  /** What `toPrincipal` addresses this principal by: the subject, unless the application chose otherwise. */
  readonly principalId: string;
  /** Which asking of the application's mapping it came of, counted by the process: an earlier one may be out of date. */
  readonly askedAt?: number | undefined;
}

/** For callers without types: a rule that is none must not wait for its first call to be found. @throws TypeError */
export function assertPolicy(where: string, policy: Policy<never, never>): void {
  if (typeof policy?.check !== "function")
    throw new TypeError(`${where}: a policy, as app.policy(…) and anyOf(…) make them`);
}

/** Why not, or undefined when allowed. */
export type Verdict = HubwardError | undefined;

/** Told about policies that threw; the caller is told `auth_unavailable`, because nobody can say yes. */
export type PolicyFailure = (policy: string, error: unknown) => void;

/** Who watches over the rules that are asked. */
export interface PolicyWatch {
  readonly failed: PolicyFailure;
  /** How long one rule may take; one that takes longer has failed. */
  readonly deadline: Deadline;
}

type AnyPolicy = Policy<never, never>;
type NeedsResource<P extends AnyPolicy> = P extends Policy<never, infer R> ? ([R] extends [void] ? never : P) : never;

/** Who all the given policies are about. */
export type CommonPrincipal<P extends AnyPolicy> = [P] extends [Policy<infer Principal, never>] ? Principal : never;

/** What all the given policies can judge; those that need no resource do not count. */
export type CommonResource<P extends AnyPolicy> = [NeedsResource<P>] extends [never]
  ? void
  : [NeedsResource<P>] extends [Policy<never, infer Resource>]
    ? Resource
    : never;

/** What `anyOf` was made of. */
const alternatives = new WeakMap<object, readonly AnyPolicy[]>();

/** Whether a policy is among what is required, also as one of several of which any is enough. */
export function requires<P>(requirements: readonly Requirement<P>[], policy: AnyPolicy): boolean {
  return requirements.some((requirement) => isOrHas(requirement.policy, policy));
}

function isOrHas(required: AnyPolicy, policy: AnyPolicy): boolean {
  if (required === policy) return true;
  return alternatives.get(required)?.some((alternative) => isOrHas(alternative, policy)) === true;
}

/** One policy that allows when any of the given ones does, tried in order. Needs a resource if one of them does. */
export function anyOf<Policies extends readonly AnyPolicy[]>(
  ...policies: Policies
): Policy<CommonPrincipal<Policies[number]>, CommonResource<Policies[number]>> {
  type P = CommonPrincipal<Policies[number]>;
  type R = CommonResource<Policies[number]>;
  if (policies.length === 0) throw new TypeError("anyOf: at least one policy");
  for (const policy of policies) assertPolicy("anyOf", policy);
  const checks = policies.map((policy) => policy.check as unknown as Policy<P, R>["check"]);
  const either = Object.freeze({
    name: `anyOf(${policies.map((policy) => policy.name).join(", ")})`,
    message: policies.find((policy) => policy.message !== undefined)?.message,
    check: (context: PolicyContext<P>, resource: R) => tryFrom(checks, 0, context, resource, undefined),
  });
  alternatives.set(either, policies);
  return either;
}

/** A failing policy must not hide one that allows, and must not turn into a plain "no" either. */
function tryFrom<P, R>(
  checks: readonly Policy<P, R>["check"][],
  start: number,
  context: PolicyContext<P>,
  resource: R,
  earlierFailure: { readonly error: unknown } | undefined,
): boolean | Promise<boolean> {
  let failure = earlierFailure;
  for (let index = start; index < checks.length; index++) {
    try {
      const answer = checks[index]?.(context, resource);
      if (answer === true) return true;
      if (answer instanceof Promise) {
        const soFar = failure;
        return answer.then(
          (allowed) => (allowed === true ? true : tryFrom(checks, index + 1, context, resource, soFar)),
          (error: unknown) => tryFrom(checks, index + 1, context, resource, soFar ?? { error }),
        );
      }
    } catch (error) {
      failure ??= { error };
    }
  }
  if (failure !== undefined) throw failure.error;
  return false;
}

/** Judges requirements in order, each within the deadline; the first refusal wins. Answers at once unless a policy is asynchronous. */
export function judge<P>(
  requirements: readonly Requirement<P>[],
  admission: Admission<P>,
  args: readonly unknown[],
  watch: PolicyWatch,
  start = 0,
): Verdict | Promise<Verdict> {
  for (let index = start; index < requirements.length; index++) {
    const requirement = requirements[index] as Requirement<P>;
    const verdict = judgeOne(requirement, admission, args, watch);
    if (verdict === undefined) continue;
    if (!(verdict instanceof Promise)) return verdict;
    return verdict.then((refusal) => refusal ?? judge(requirements, admission, args, watch, index + 1));
  }
  return undefined;
}

function judgeOne<P>(
  { policy, resource }: Requirement<P>,
  admission: Admission<P>,
  args: readonly unknown[],
  watch: PolicyWatch,
): Verdict | Promise<Verdict> {
  try {
    const subject: unknown = resource === undefined ? undefined : resource(...(args as never[]));
    if (subject instanceof Promise) {
      // A policy would judge the promise; and a rejection nobody hears would end the process.
      subject.catch(() => undefined);
      throw new TypeError(`policy ${policy.name}: a resource must be there at once`);
    }
    const answer: unknown = policy.check(admission, subject as never);
    if (answer === true) return undefined;
    if (!(answer instanceof Promise)) return refusal(policy);
    return Promise.resolve(watch.deadline<unknown>(answer)).then(
      (allowed) => (allowed === true ? undefined : refusal(policy)),
      (error: unknown) => unavailable(policy, error, watch),
    );
  } catch (error) {
    return unavailable(policy, error, watch);
  }
}

function refusal(policy: Policy<never, never>): HubwardError {
  return new PolicyRefusal(policy.name, policy.message);
}

function unavailable(policy: Policy<never, never>, error: unknown, { failed }: PolicyWatch): HubwardError {
  failed(policy.name, error);
  return new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause: error });
}

/** A `forbidden` that remembers which policy said so, for the log. */
export class PolicyRefusal extends HubwardError {
  readonly policy: string;

  constructor(policy: string, message: string | undefined) {
    super("forbidden", { detail: message });
    this.policy = policy;
  }
}
