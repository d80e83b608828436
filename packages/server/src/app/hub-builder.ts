/** `app.hub<Events>("/hubs/clinical").allow(policy).methods((m) => ({ … }))`. */

import { assertPolicy, type Policy, type Requirement } from "../core/auth/policy.js";
import type { Sender } from "../core/dispatch/call.js";
import type { Hub as CoreHub, HubMethod } from "../core/dispatch/hub.js";
import type { HubSettings } from "../core/dispatch/hub-settings.js";
import { assertNotReserved } from "../core/dispatch/sender.js";
import { buildMethod, methodParts, type GuardedMethod, type Method, type UnguardedMethod } from "./method-builder.js";

/** A hub's methods by name; a name that begins with `hubward.` does not compile. */
export type ValidMethods<Methods> = {
  [Name in keyof Methods]: Name extends `hubward.${string}` ? never : Method;
};

/** A mounted hub: speaks to its own connections, and carries the types a client is typed from. */
export interface Hub<P, Events, Methods> extends Sender<P, Events> {
  readonly path: string;
  /** Speaks within one tenant; the hub itself speaks to those without a tenant. */
  tenant(id: string): Sender<P, Events>;
  /** Exists in types only. */
  readonly types?: { readonly events: Events; readonly methods: Methods };
}

/** A hub without a policy: anyone with a valid credential may connect, so each method needs a policy of its own. */
export interface HubDraft<P, Events> {
  allow(policy: Policy<P>): GuardedHub<P, Events>;
  methods<Methods extends ValidMethods<Methods>>(
    build: (method: UnguardedMethod<P, Events, readonly []>) => Methods,
  ): Hub<P, Events, Methods>;
}

export interface GuardedHub<P, Events> {
  /** Adds a policy: all must allow, at connect and on every call. */
  allow(policy: Policy<P>): GuardedHub<P, Events>;
  /** Mounts the hub. */
  methods<Methods extends ValidMethods<Methods>>(
    build: (method: GuardedMethod<P, Events, readonly []>) => Methods,
  ): Hub<P, Events, Methods>;
}

/** Mounts a hub and returns who speaks to its connections, by tenant. */
export type Mount<P, Events> = (hub: CoreHub<P>) => (tenant: string | undefined) => Sender<P, Events>;

const PATH_PATTERN = /^(?:\/[\w.~-]+)+$/;

/** @throws TypeError for a path, a method or a name that cannot be meant */
export function buildHub<P, Events>(path: string, settings: HubSettings, mount: Mount<P, Events>): HubDraft<P, Events> {
  if (!PATH_PATTERN.test(path))
    throw new TypeError(`hub: ${JSON.stringify(path)} is not a path such as "/hubs/clinical"`);
  return draft<P, Events>(path, settings, [], mount) as unknown as HubDraft<P, Events>;
}

function draft<P, Events>(
  path: string,
  settings: HubSettings,
  requirements: readonly Requirement<P>[],
  mount: Mount<P, Events>,
): GuardedHub<P, Events> {
  return {
    allow(policy) {
      assertPolicy(`hub ${path}`, policy);
      return draft(path, settings, [...requirements, { policy, resource: undefined }], mount);
    },
    methods(build) {
      const start = buildMethod<P, Events>({
        schemas: [],
        requirements: [],
        resourceRequirements: [],
        commandId: undefined,
      });
      const built: Readonly<Record<string, Method>> = build(start) as Readonly<Record<string, Method>>;
      const methods = new Map<string, HubMethod<P>>();
      for (const [name, method] of Object.entries(built)) {
        methods.set(name.toLowerCase(), readMethod(path, name, method, methods, requirements.length > 0));
      }
      const speakTo = mount({ path, requirements, methods, settings });
      return Object.assign(speakTo(undefined), { path, tenant: (id: string) => speakTo(id) });
    },
  };
}

function readMethod<P>(
  path: string,
  name: string,
  method: Method,
  known: ReadonlyMap<string, unknown>,
  isHubGuarded: boolean,
): HubMethod<P> {
  assertNotReserved("method", name);
  const parts = methodParts<P>(method);
  if (parts === undefined) throw new TypeError(`hub ${path}: ${name} must end in .handle(…)`);
  if (known.has(name.toLowerCase()))
    throw new TypeError(`hub ${path}: two methods are called ${name} (case is ignored)`);
  // Said again at run time for callers without types: what nobody may allow must not exist.
  if (!isHubGuarded && parts.requirements.length + parts.resourceRequirements.length === 0) {
    throw new TypeError(`hub ${path}: ${name} has no policy, and neither has the hub`);
  }
  return { name, ...parts };
}
