/** `m.args(schema).allow(policy).handle(…)`: one hub method. `handle` exists once a policy guards the method. */

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { assertPolicy, type Policy, type Requirement } from "../core/auth/policy.js";
import type { Call } from "../core/dispatch/call.js";
import type { HubMethod } from "../core/dispatch/hub.js";

export type ArgumentSchemas = readonly StandardSchemaV1[];

/** What a client passes. */
export type ArgumentInputs<Schemas extends ArgumentSchemas> = {
  -readonly [Index in keyof Schemas]: StandardSchemaV1.InferInput<Schemas[Index]>;
};

/** What the handler gets. */
export type ArgumentOutputs<Schemas extends ArgumentSchemas> = {
  -readonly [Index in keyof Schemas]: StandardSchemaV1.InferOutput<Schemas[Index]>;
};

/** A finished method; its types are what a client is typed from. */
export interface Method<Args extends readonly unknown[] = readonly unknown[], Result = unknown> {
  /** Exists in types only. */
  readonly types?: { readonly args: Args; readonly result: Result };
}

/** A method that nothing guards yet: its hub has no policy, and neither has it. */
export interface UnguardedMethod<P, Events, Schemas extends ArgumentSchemas> {
  args<const Declared extends ArgumentSchemas>(...schemas: Declared): UnguardedMethod<P, Events, Declared>;
  allow(policy: Policy<P>): GuardedMethod<P, Events, Schemas>;
  allow<R>(
    policy: Policy<P, R>,
    resource: (...args: ArgumentOutputs<Schemas>) => NoInfer<R>,
  ): GuardedMethod<P, Events, Schemas>;
}

export interface GuardedMethod<P, Events, Schemas extends ArgumentSchemas> extends HandledMethod<P, Events, Schemas> {
  /** One Standard Schema per argument, in order. Other arguments, or other counts, never reach the handler. */
  args<const Declared extends ArgumentSchemas>(...schemas: Declared): GuardedMethod<P, Events, Declared>;
  /** Adds a policy: all must allow. */
  allow(policy: Policy<P>): GuardedMethod<P, Events, Schemas>;
  allow<R>(
    policy: Policy<P, R>,
    resource: (...args: ArgumentOutputs<Schemas>) => NoInfer<R>,
  ): GuardedMethod<P, Events, Schemas>;
  /**
   * Makes it a command: for one caller and one id the handler is entered at most once, and whoever sends it
   * again is told how it ended. The id comes from the client and must be the same on every retry.
   */
  once(commandId: (...args: ArgumentOutputs<Schemas>) => string): HandledMethod<P, Events, Schemas>;
}

export interface HandledMethod<P, Events, Schemas extends ArgumentSchemas> {
  handle<Result>(
    handler: (call: Call<P, Events>, ...args: ArgumentOutputs<Schemas>) => Result,
  ): Method<ArgumentInputs<Schemas>, Awaited<Result>>;
}

/** What a finished method is made of, before it has a name. */
export type MethodParts<P> = Omit<HubMethod<P>, "name">;

/** Parts stay out of the public type: a method can only be made by a builder. */
const partsOf = new WeakMap<Method, MethodParts<never>>();

export function methodParts<P>(method: Method): MethodParts<P> | undefined {
  return partsOf.get(method) as MethodParts<P> | undefined;
}

type LooseFunction = (...args: never[]) => unknown;

/** Every step returns a new builder, so one can be kept and branched. */
export function buildMethod<P, Events>(parts: Omit<MethodParts<P>, "handle">): GuardedMethod<P, Events, readonly []> {
  const builder = {
    args: (...schemas: ArgumentSchemas) => {
      for (const schema of schemas) {
        if (typeof schema?.["~standard"]?.validate !== "function")
          throw new TypeError("args: a Standard Schema for each argument");
      }
      if (parts.resourceRequirements.length > 0)
        throw new TypeError("args: name the arguments before policies that use them");
      return buildMethod({ ...parts, schemas });
    },
    allow: (policy: Policy<P, never>, resource?: LooseFunction) => {
      assertPolicy("method.allow", policy);
      const requirement: Requirement<P> = { policy, resource };
      return buildMethod(
        resource === undefined
          ? { ...parts, requirements: [...parts.requirements, requirement] }
          : { ...parts, resourceRequirements: [...parts.resourceRequirements, requirement] },
      );
    },
    once: (commandId: (...args: never[]) => string) => buildMethod({ ...parts, commandId }),
    handle: (handle: LooseFunction): Method => {
      const method: Method = Object.freeze({});
      partsOf.set(method, { ...parts, handle } as unknown as MethodParts<never>);
      return method;
    },
  };
  return builder as unknown as GuardedMethod<P, Events, readonly []>;
}
