/** Policies, schemas, groups and hubs under test, made of the core's own parts. */

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Policy, PolicyContext, Requirement } from "../src/core/auth/policy.js";
import { hubDefaults } from "../src/core/dispatch/hub-settings.js";
import type { Hub, HubMethod } from "../src/core/dispatch/hub.js";
import { declareTemplate, parsePattern, type GroupReference, type GroupTemplate } from "../src/core/groups/group.js";
import type { Staff } from "./connection-fixture.js";

type Check<R> = (context: PolicyContext<Staff>, resource: R) => boolean | Promise<boolean>;

export function policy<R = void>(name: string, check: Check<R>, message?: string): Policy<Staff, R> {
  return { name, check, message };
}

export function requirement<R = void>(
  required: Policy<Staff, R>,
  resource?: (...args: never[]) => unknown,
): Requirement<Staff> {
  return { policy: required as Policy<Staff, never>, resource };
}

export const allowAll: Requirement<Staff> = requirement(policy("Everyone", () => true));
export const denyAll: Requirement<Staff> = requirement(policy("Nobody", () => false, "nobody may"));

/** A schema that takes text of the alphabet and says how often it was asked. */
export interface CountingSchema extends StandardSchemaV1<unknown, string> {
  asked: number;
}

type Validate = StandardSchemaV1<unknown, string>["~standard"]["validate"];

export function schemaOf(validate: Validate): CountingSchema {
  const schema: CountingSchema = {
    asked: 0,
    "~standard": {
      version: 1,
      vendor: "test",
      validate(value) {
        schema.asked++;
        return validate(value);
      },
    },
  };
  return schema;
}

export function textSchema(): CountingSchema {
  return schemaOf((value) => (typeof value === "string" ? { value } : { issues: [{ message: "text" }] }));
}

export function template(pattern: string, ...requirements: readonly Requirement<Staff>[]): GroupTemplate<Staff> {
  return declareTemplate({ pattern, parameters: parsePattern(pattern), requirements });
}

export function groupOf(
  of: GroupTemplate<Staff>,
  values: Readonly<Record<string, string>> = {},
): GroupReference<Staff> {
  return { template: of, values };
}

export function methodOf(name: string, parts: Partial<Omit<HubMethod<Staff>, "name">> = {}): HubMethod<Staff> {
  return {
    name,
    schemas: [],
    requirements: [],
    resourceRequirements: [],
    commandId: undefined,
    uploads: [],
    isStream: false,
    handle: () => undefined,
    ...parts,
  };
}

export function hubOf(
  methods: readonly HubMethod<Staff>[],
  { path = "/hubs/ward", requirements = [allowAll], ...rest }: Partial<Omit<Hub<Staff>, "methods">> = {},
): Hub<Staff> {
  const byName = new Map(methods.map((method) => [method.name.toLowerCase(), method]));
  return { path, requirements, methods: byName, settings: hubDefaults, filters: [], hooks: NO_HOOKS, ...rest };
}

const NO_HOOKS = { connected: undefined, disconnected: undefined };

/** A promise that a test settles by hand. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
