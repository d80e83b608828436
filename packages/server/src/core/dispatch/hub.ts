/** A hub as the core sees it: who may use it, and its methods, each with its own rules. */

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { PolicyWatch, Requirement, Verdict } from "../auth/policy.js";
import type { Connection } from "../connection/connection.js";
import type { LimitedAction } from "../limits/call-limiter.js";
import type { Call } from "./call.js";
import type { HubFilter } from "./filter.js";
import type { HubHooks } from "./hooks.js";
import type { HubSettings } from "./hub-settings.js";

export interface HubMethod<P> extends LimitedAction {
  /** As declared. Lookup ignores case, as .NET's does. */
  readonly name: string;
  readonly schemas: readonly StandardSchemaV1[];
  /** What the connection itself must fulfil, whoever its principal is: asked before its policies. Default nothing. */
  readonly precondition?:
    | ((connection: Connection<P>, rawArgs: readonly unknown[], watch: PolicyWatch) => Verdict | Promise<Verdict>)
    | undefined;
  /** Judged before the input is read. */
  readonly requirements: readonly Requirement<P>[];
  /** Judged on the resource that the valid input names. */
  readonly resourceRequirements: readonly Requirement<P>[];
  /** The caller's own id of this command, out of the valid input; absent for methods that are not commands. */
  readonly commandId: ((...args: never[]) => string) | undefined;
  /** One schema for each stream that the caller sends along, judged item by item as the method reads. */
  readonly uploads: readonly StandardSchemaV1[];
  /** Whether it answers with a stream of items instead of one result. */
  readonly isStream: boolean;
  /** Gets the valid arguments, then the uploads. */
  readonly handle: (call: Call<P>, ...args: never[]) => unknown;
}

export interface Hub<P> {
  /** As mounted: `/hubs/clinical`. Compared without case. */
  readonly path: string;
  /** Judged at connect and again on every call. Empty only when every method has a requirement of its own. */
  readonly requirements: readonly Requirement<P>[];
  /** By lower-cased name. A Map: `__proto__` is just a name nobody declared. */
  readonly methods: ReadonlyMap<string, HubMethod<P>>;
  readonly settings: HubSettings;
  /** Around every call, the first one outermost. */
  readonly filters: readonly HubFilter<P>[];
  readonly hooks: HubHooks<P>;
}
