/**
 * `group.room((r) => r.publish("note", schema, (g) => g.allow(policy)))`: opens a group to plain WebSockets. What may be
 * published is declared message by message, each with somebody who may.
 */

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { HubwardError } from "@hubward/wire";
import { assertPolicy, type Policy, type Requirement } from "../core/auth/policy.js";
import type { Call, CommandCall, UnreservedName } from "../core/dispatch/call.js";
import type { ConnectionCall } from "../core/dispatch/connection-call.js";
import type { HubMethod } from "../core/dispatch/hub.js";
import { assertNotReserved } from "../core/dispatch/sender.js";
import { assigned, type GroupReference, type GroupTemplate } from "../core/groups/group.js";
import { judgeMember } from "../core/groups/membership.js";
import { resolveRate } from "../core/limits/limit-options.js";
import type { Rate } from "../core/limits/token-bucket.js";
import type { Room, RoomPresence } from "../rooms/room.js";

/** What plain WebSockets may do in a room, beside being in it. */
export interface RoomDraft<P, Values> {
  /**
   * Declares a message that members may publish: `event` for everybody in the group, hub clients included, with the
   * payload as its one argument.
   * @param payload judges what a client sends; must be synchronous or not, as any method's argument
   */
  publish<const Name extends string, Payload extends StandardSchemaV1>(
    event: UnreservedName<Name>,
    payload: Payload,
    rules: (draft: UnguardedPublication<P, Values, StandardSchemaV1.InferOutput<Payload>>) => Publishing,
  ): RoomDraft<P, Values>;
  /** Lets members see who is there. Nobody may unless it is declared. */
  presence(rules: (draft: UnguardedPresence<P>) => Seeing): RoomDraft<P, Values>;
}

/** A message nobody may publish yet. */
export interface UnguardedPublication<P, Values, Payload> {
  /** Adds a policy: all must allow, beside being a member. */
  allow(policy: Policy<P>): GuardedPublication<P, Values, Payload>;
  allow<R>(
    policy: Policy<P, R>,
    resource: (payload: Payload, room: Values) => NoInfer<R>,
  ): GuardedPublication<P, Values, Payload>;
  /** Whoever is in the room may publish it. */
  members(): GuardedPublication<P, Values, Payload>;
}

/** A message with somebody who may publish it. */
export interface GuardedPublication<P, Values, Payload> extends Publishing {
  allow(policy: Policy<P>): GuardedPublication<P, Values, Payload>;
  allow<R>(
    policy: Policy<P, R>,
    resource: (payload: Payload, room: Values) => NoInfer<R>,
  ): GuardedPublication<P, Values, Payload>;
  /** How often one principal may publish it, on all its connections together: `.limit({ burst: 3, perSecond: 0.1 })`. */
  limit(rate: Rate): GuardedPublication<P, Values, Payload>;
  /** Every publication of it must carry a `command`, so that it takes effect once; its handler may commit. */
  once(): CommandPublication<P, Values, Payload>;
  /**
   * What is done with it first; what is returned is what the room is told, undefined too. A throw tells the room nothing.
   * Default: the room is told the payload.
   */
  handle(handler: (call: Call<P>, payload: Payload, room: Values) => unknown): Publishing;
}

/** A message that takes effect once for each command id. */
export interface CommandPublication<P, Values, Payload> extends Publishing {
  handle(handler: (call: CommandCall<P>, payload: Payload, room: Values) => unknown): Publishing;
}

/** A finished declaration of a message. */
export interface Publishing {
  /** Exists in types only. */
  readonly publishes?: true;
}

export interface UnguardedPresence<P> {
  allow(policy: Policy<P>): GuardedPresence<P>;
  /** Whoever is in the room may see who is there. */
  members(): GuardedPresence<P>;
}

export interface GuardedPresence<P> extends Seeing {
  allow(policy: Policy<P>): GuardedPresence<P>;
  /**
   * What is told of each person: plain data, at once, and the same for the same principal. Whoever it throws for is not
   * told of. Default `{ subject }`.
   */
  describe(describe: (principal: P) => unknown): Seeing;
}

/** A finished declaration of presence. */
export interface Seeing {
  /** Exists in types only. */
  readonly sees?: true;
}

type Handler<P> = (call: Call<P>, payload: never, room: never) => unknown;

interface PublicationParts<P> {
  readonly requirements: readonly Requirement<P>[];
  readonly resourceRequirements: readonly Requirement<P>[];
  readonly isCommand: boolean;
  readonly limit: Rate | undefined;
  readonly handler: Handler<P> | undefined;
}

const publications = new WeakMap<Publishing, PublicationParts<never>>();
const presences = new WeakMap<Seeing, RoomPresence<never>>();

/** @throws TypeError for what cannot be meant */
export function buildRoom<P, Values>(
  template: GroupTemplate<P>,
  reference: (values: Readonly<Record<string, string>>) => GroupReference<P>,
  build: (draft: RoomDraft<P, Values>) => RoomDraft<P, Values>,
): Room<P> {
  const where = `room ${template.pattern}`;
  const methods = new Map<string, HubMethod<P>>();
  let presence: RoomPresence<P> | undefined;
  const draft: RoomDraft<P, Values> = {
    publish(event: string, payload: StandardSchemaV1, rules: (draft: never) => Publishing) {
      assertNotReserved("event", event);
      if (event === "" || event.length > MAX_EVENT_LENGTH)
        throw new TypeError(`${where}: an event has a name of 1 to ${MAX_EVENT_LENGTH} characters`);
      if (typeof payload?.["~standard"]?.validate !== "function")
        throw new TypeError(`${where}: ${event} needs a Standard Schema for its payload`);
      // Looked up as a hub's methods are, which ignores case.
      if (methods.has(event.toLowerCase()))
        throw new TypeError(`${where}: two messages are called ${event} (case is ignored)`);
      const parts = publications.get(rules(publication<P>(where, event, NO_PARTS) as never));
      if (parts === undefined) throw new TypeError(`${where}: ${event} must say who may publish it`);
      methods.set(event.toLowerCase(), publicationMethod(template, event, payload, parts as PublicationParts<P>));
      return draft;
    },
    presence(rules) {
      if (presence !== undefined) throw new TypeError(`${where}: presence is declared already`);
      presence = presences.get(rules(seeing<P>(where, []))) as RoomPresence<P> | undefined;
      if (presence === undefined) throw new TypeError(`${where}: presence must say who may see it`);
      return draft;
    },
  } as RoomDraft<P, Values>;
  build(draft);
  return {
    template,
    isAssigned: () => template.requirements.some(({ policy }) => (policy as Policy<unknown, never>) === assigned),
    reference,
    publications: methods,
    presence,
  };
}

const MAX_EVENT_LENGTH = 128;
const NO_PARTS = {
  requirements: [],
  resourceRequirements: [],
  isCommand: false,
  limit: undefined,
  handler: undefined,
} as const;

function publication<P>(where: string, event: string, parts: PublicationParts<P>): Publishing {
  const guarded = (next: PublicationParts<P>): Publishing => {
    const self = publication(where, event, next);
    publications.set(self, next as PublicationParts<never>);
    return self;
  };
  return {
    members: () => guarded(parts),
    allow(policy: Policy<P, never>, resource?: (...args: never[]) => unknown) {
      assertPolicy(`${where} ${event}`, policy);
      const requirement: Requirement<P> = { policy, resource };
      return guarded(
        resource === undefined
          ? { ...parts, requirements: [...parts.requirements, requirement] }
          : { ...parts, resourceRequirements: [...parts.resourceRequirements, requirement] },
      );
    },
    limit: (rate: Rate) => guarded({ ...parts, limit: resolveRate(`${where} ${event}.limit`, rate) }),
    once: () => guarded({ ...parts, isCommand: true }),
    handle(handler: Handler<P>) {
      if (typeof handler !== "function") throw new TypeError(`${where} ${event}: handle takes a function`);
      return guarded({ ...parts, handler });
    },
  } as Publishing;
}

function seeing<P>(where: string, requirements: readonly Requirement<P>[]): GuardedPresence<P> & UnguardedPresence<P> {
  const guarded = (next: readonly Requirement<P>[], describe?: (principal: P) => unknown): GuardedPresence<P> => {
    const self = seeing(where, next);
    presences.set(self, { requirements: next, describe: describe ?? describeSubject } as RoomPresence<never>);
    return self;
  };
  return {
    members: () => guarded(requirements),
    allow(policy: Policy<P>) {
      assertPolicy(`${where} presence`, policy);
      return guarded([...requirements, { policy, resource: undefined }]);
    },
    describe: (describe) => guarded(requirements, describe),
  };
}

function describeSubject(principal: unknown): unknown {
  return { subject: (principal as { readonly subject: string }).subject };
}

/** The room's values are the server's own: read out of its name. */
const anything: StandardSchemaV1 = {
  "~standard": { version: 1, vendor: "hubward", validate: (value) => ({ value }) },
};
/** No id of the caller's: refused. */
const withoutCommand = (): string => "";

function publicationMethod<P>(
  template: GroupTemplate<P>,
  event: string,
  payload: StandardSchemaV1,
  { requirements, resourceRequirements, isCommand, limit, handler }: PublicationParts<P>,
): HubMethod<P> {
  const referenceTo = (values: Readonly<Record<string, string>>): GroupReference<P> => ({ template, values });
  /** Whoever is not in any more, or may not be, has nothing to say there: asked in the moment it would happen. */
  function asMember(call: Call<P>, reference: GroupReference<P>, act: () => unknown): unknown {
    const verdict = (call as ConnectionCall<P, unknown>).judgeMember(reference);
    const settle = (refusal: HubwardError | undefined): unknown => {
      if (refusal !== undefined) throw refusal;
      return act();
    };
    return verdict instanceof Promise ? verdict.then(settle) : settle(verdict);
  }
  const tell = (call: Call<P>, reference: GroupReference<P>, value: unknown): unknown =>
    asMember(call, reference, () => call.to(reference).emit(event as never, value));
  return {
    name: event,
    schemas: [payload, anything],
    requirements,
    resourceRequirements,
    commandId: isCommand ? withoutCommand : undefined,
    limit,
    uploads: [],
    isStream: false,
    precondition: (connection, [, values], watch) =>
      judgeMember(connection, referenceTo(values as Readonly<Record<string, string>>), watch),
    handle(call, value: never, values: never) {
      const reference = referenceTo(values);
      if (handler === undefined) return tell(call, reference, value);
      // It may have been taken out while its policies were asked, or the payload was read.
      return asMember(call, reference, () => {
        const told = handler(call, value, values);
        if (!isThenable(told)) return tell(call, reference, told);
        return Promise.resolve(told).then((settled) => tell(call, reference, settled));
      });
    },
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
}
