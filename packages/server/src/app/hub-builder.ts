/** `app.hub<Events>("/hubs/clinical").allow(policy).methods((m) => ({ … }))`. */

import { assertPolicy, type Policy } from "../core/auth/policy.js";
import type { Call, Sender } from "../core/dispatch/call.js";
import type { HubFilter } from "../core/dispatch/filter.js";
import type { Departure, HubHooks } from "../core/dispatch/hooks.js";
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
export interface HubDraft<P, Events> extends HubSteps<P, Events, HubDraft<P, Events>> {
  allow(policy: Policy<P>): GuardedHub<P, Events>;
  methods<Methods extends ValidMethods<Methods>>(
    build: (method: UnguardedMethod<P, Events, readonly []>) => Methods,
  ): Hub<P, Events, Methods>;
}

/** What a hub may be given between its path and its methods. */
interface HubSteps<P, Events, Self> {
  /** Puts code around every call that was let in. The first filter is the outermost. */
  filter(filter: HubFilter<P>): Self;
  /** Runs when a connection has come: see `HubHooks`. One for each hub. */
  connected(hook: (call: Call<P, Events>) => unknown): Self;
  /** Runs when a connection has gone, with the reason. One for each hub. */
  disconnected(hook: (departure: Departure<P, Events>) => unknown): Self;
}

export interface GuardedHub<P, Events> extends HubSteps<P, Events, GuardedHub<P, Events>> {
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

/** @throws TypeError */
export function assertPath(what: "hub" | "rooms", path: string): void {
  if (!PATH_PATTERN.test(path))
    throw new TypeError(`${what}: ${JSON.stringify(path)} is not a path such as "/hubs/clinical"`);
}

/** @throws TypeError for a path, a method or a name that cannot be meant */
export function buildHub<P, Events>(path: string, settings: HubSettings, mount: Mount<P, Events>): HubDraft<P, Events> {
  assertPath("hub", path);
  const hooks = { connected: undefined, disconnected: undefined };
  return draft<P, Events>({ path, settings, requirements: [], filters: [], hooks }, mount) as unknown as HubDraft<
    P,
    Events
  >;
}

/** Every step returns a new draft, so one can be kept and branched. */
function draft<P, Events>(parts: Omit<CoreHub<P>, "methods">, mount: Mount<P, Events>): GuardedHub<P, Events> {
  const { path, requirements, filters, hooks } = parts;
  const withHook = (name: keyof HubHooks<P>, hook: unknown): GuardedHub<P, Events> => {
    if (typeof hook !== "function") throw new TypeError(`hub ${path}: ${name} takes a function`);
    if (hooks[name] !== undefined) throw new TypeError(`hub ${path}: ${name} is given already`);
    return draft({ ...parts, hooks: { ...hooks, [name]: hook } }, mount);
  };
  return {
    allow(policy) {
      assertPolicy(`hub ${path}`, policy);
      return draft({ ...parts, requirements: [...requirements, { policy, resource: undefined }] }, mount);
    },
    filter(filter) {
      if (typeof filter !== "function") throw new TypeError(`hub ${path}: filter takes a function`);
      return draft({ ...parts, filters: [...filters, filter] }, mount);
    },
    connected: (hook) => withHook("connected", hook),
    disconnected: (hook) => withHook("disconnected", hook),
    methods(build) {
      const start = buildMethod<P, Events>({
        schemas: [],
        requirements: [],
        resourceRequirements: [],
        commandId: undefined,
        uploads: [],
        isStream: false,
      });
      const built: Readonly<Record<string, Method>> = build(start) as Readonly<Record<string, Method>>;
      const methods = new Map<string, HubMethod<P>>();
      for (const [name, method] of Object.entries(built)) {
        methods.set(name.toLowerCase(), readMethod(path, name, method, methods, requirements.length > 0));
      }
      const speakTo = mount({ ...parts, methods });
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
