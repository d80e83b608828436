/** `m.args(schema).allow(policy).handle(…)`: one hub method. `handle` exists once a policy guards the method. */

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { assertPolicy, type Policy, type Requirement } from "../core/auth/policy.js";
import { resolveRate } from "../core/limits/limit-options.js";
import type { Rate } from "../core/limits/token-bucket.js";
import type { Call, CommandCall } from "../core/dispatch/call.js";
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
   * How often one principal may call it, on all its connections together: `.limit({ burst: 3, perSecond: 0.1 })`.
   * Beside the limits that hold for every call; more is refused as `rate_limited`, before any policy is asked.
   * @throws RangeError
   */
  limit(rate: Rate): GuardedMethod<P, Events, Schemas>;
  /**
   * Makes it a command: for one caller and one id the handler is entered at most once, and whoever sends it
   * again is told how it ended. The id comes from the client and must be the same on every retry.
   */
  once(commandId: (...args: ArgumentOutputs<Schemas>) => string): CommandMethod<P, Events, Schemas>;
  /**
   * Streams the client sends along, one Standard Schema for the items of each. The handler gets them behind the
   * arguments. An item that its schema refuses ends the stream where it is read.
   */
  uploads<const Uploads extends ArgumentSchemas>(...items: Uploads): StreamedMethod<P, Events, Schemas, Uploads>;
  /** Answers with a stream: see {@link StreamedMethod}. */
  stream: StreamedMethod<P, Events, Schemas, readonly []>["stream"];
}

export interface HandledMethod<P, Events, Schemas extends ArgumentSchemas> {
  handle<Result>(
    handler: (call: Call<P, Events>, ...args: ArgumentOutputs<Schemas>) => Result,
  ): Method<ArgumentInputs<Schemas>, Awaited<Result>>;
}

/** A command: its method may commit. */
export interface CommandMethod<P, Events, Schemas extends ArgumentSchemas> {
  handle<Result>(
    handler: (call: CommandCall<P, Events>, ...args: ArgumentOutputs<Schemas>) => Result,
  ): Method<ArgumentInputs<Schemas>, Awaited<Result>>;
}

/** What a streaming method may give: a generator, an array, a ReadableStream, anything read item by item. */
export type Streamable<Item> = AsyncIterable<Item> | Iterable<Item>;

/** A streaming method; its items are what a client is typed from. */
export interface StreamMethod<Args extends readonly unknown[] = readonly unknown[], Item = unknown> extends Method<
  Args,
  Streamable<Item>
> {
  /** Exists in types only. */
  readonly item?: Item;
}

/** A method that answers with a stream, or takes some. */
export interface StreamedMethod<P, Events, Schemas extends ArgumentSchemas, Uploads extends ArgumentSchemas> {
  handle<Result>(
    handler: (call: Call<P, Events>, ...args: WithUploads<Schemas, Uploads>) => Result,
  ): Method<readonly [...ArgumentInputs<Schemas>, ...UploadInputs<Uploads>], Awaited<Result>>;
  /**
   * Answers with a stream: the client calls `stream`. Items leave as fast as the client takes them. When it cancels,
   * or the connection loses its standing, `call.signal` aborts and the iterator's `return()` is called.
   */
  stream<Item>(
    handler: (
      call: Call<P, Events>,
      ...args: WithUploads<Schemas, Uploads>
    ) => Streamable<Item> | Promise<Streamable<Item>>,
  ): StreamMethod<readonly [...ArgumentInputs<Schemas>, ...UploadInputs<Uploads>], Awaited<Item>>;
}

/** What a handler gets for the streams a client sends: each can be read once, and holds the client back. */
export type UploadOutputs<Uploads extends ArgumentSchemas> = {
  -readonly [Index in keyof Uploads]: AsyncIterable<StandardSchemaV1.InferOutput<Uploads[Index]>>;
};

/** What a client passes for them; a stock client passes a Subject. */
export type UploadInputs<Uploads extends ArgumentSchemas> = {
  -readonly [Index in keyof Uploads]: AsyncIterable<StandardSchemaV1.InferInput<Uploads[Index]>>;
};

type WithUploads<Schemas extends ArgumentSchemas, Uploads extends ArgumentSchemas> = [
  ...args: ArgumentOutputs<Schemas>,
  ...uploads: UploadOutputs<Uploads>,
];

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
      assertSchemas("args", schemas);
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
    limit: (rate: Rate) => buildMethod({ ...parts, limit: resolveRate("method.limit", rate) }),
    once: (commandId: (...args: never[]) => string) => buildMethod({ ...parts, commandId }),
    uploads: (...uploads: ArgumentSchemas) => {
      assertSchemas("uploads", uploads);
      return buildMethod({ ...parts, uploads });
    },
    handle: (handle: MethodParts<P>["handle"]): Method => finish({ ...parts, handle }),
    stream: (handle: MethodParts<P>["handle"]): Method => finish({ ...parts, handle, isStream: true }),
  };
  return builder as unknown as GuardedMethod<P, Events, readonly []>;
}

function finish<P>(parts: MethodParts<P>): Method {
  // Said again at run time for callers without types: a stream has no outcome that could be told again.
  if (parts.commandId !== undefined && (parts.isStream || parts.uploads.length > 0))
    throw new TypeError("once: a command neither streams nor takes streams");
  const method: Method = Object.freeze({});
  partsOf.set(method, parts as MethodParts<never>);
  return method;
}

function assertSchemas(where: string, schemas: ArgumentSchemas): void {
  for (const schema of schemas) {
    if (typeof schema?.["~standard"]?.validate !== "function")
      throw new TypeError(`${where}: a Standard Schema for each`);
  }
}
