/** `app.group("ward/{ward}", { ward: schema }).allow(rule)`: a group nobody gave a rule cannot be joined or used. */

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { HubwardError } from "@hubward/wire";
import { assertPolicy, type Policy, type Requirement } from "../core/auth/policy.js";
import type { EventArguments, ValidEvents } from "../core/dispatch/call.js";
import {
  assigned,
  declareTemplate,
  parsePattern,
  type GroupReference,
  type GroupTemplate,
} from "../core/groups/group.js";
import { assertWhenSlow, type WhenSlow } from "../core/groups/when-slow.js";

import type { Room } from "../rooms/room.js";
import { buildRoom, type RoomDraft } from "./room-builder.js";

/** The parameter names in a template: `"ward/{ward}"` has `"ward"`. */
export type PatternParameters<Pattern extends string> = Pattern extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PatternParameters<Rest>
  : never;

export type GroupSchemas<Pattern extends string> = {
  readonly [Name in PatternParameters<Pattern>]: StandardSchemaV1<unknown, string>;
};

export type GroupValues<Pattern extends string> = { readonly [Name in PatternParameters<Pattern>]: string };

type ValuesArgument<Values> = keyof Values extends never ? [] : [values: Values];

/** A declared group without a rule yet. */
export interface GroupDraft<P, Values, Events> {
  /** Declares the group's events, so that whoever sends to it is checked. */
  events<Declared extends ValidEvents<Declared>>(): GroupDraft<P, Values, Declared>;
  allow(policy: Policy<P>): Group<P, Values, Events>;
  allow<R>(policy: Policy<P, R>, resource: (values: Values) => NoInfer<R>): Group<P, Values, Events>;
  /**
   * The application itself says who is in, by `call.groups.join` or `app.groups.add`, and that is the only rule: nothing
   * a peer sends joins it. A membership holds until it is removed or the connection ends.
   */
  assigned(): AssignedGroup<P, Values, Events>;
}

/** An event of a group with its arguments. */
export type GroupEvent<Events> = unknown extends Events
  ? [event: string, args: readonly unknown[]]
  : { [Name in keyof Events & string]: [event: Name, args: EventArguments<Events, Name>] }[keyof Events & string];

/**
 * What becomes of a group's events for a peer that does not keep up; whoever reads nothing at all is ended in any case.
 *
 * - `close`: once its outbox is full, the peer is ended as a slow consumer.
 * - `drop-oldest`: the group's oldest events make room; a `gap` notice says how many.
 * - `{ latest }`: for events that say the same thing anew. While they wait, a newer one takes the place of the one before
 *   it with the same name and key, in the same group. Undefined: this event stands for itself. Nothing is missing then,
 *   so there is no notice. Numbers are taken as their text.
 */
export type GroupWhenSlow<Events> =
  "close" | "drop-oldest" | { readonly latest: (...said: GroupEvent<Events>) => string | number | undefined };

/** A declared group whose members the application chooses: call it with its parameters to name one. */
export interface AssignedGroup<P, Values, Events> {
  /** @throws HubwardError bad_room for values the schemas refuse */
  (...values: ValuesArgument<Values>): GroupReference<P, Events>;
  /**
   * What becomes of the group's events for a peer that does not keep up; default `close`. One rule for the group,
   * wherever it is joined from. @throws TypeError for what is no rule, and for a second one
   */
  whenSlow(rule: GroupWhenSlow<Events>): this;
  /**
   * Opens it to plain WebSockets, as a room: once. Nothing may be published in it but what is declared here. Peers join
   * it by the group's own rule; where the application chooses the members, they do not.
   */
  room(build: (draft: RoomDraft<P, Values>) => RoomDraft<P, Values>): this;
}

/** A declared group: call it with its parameters to name one. */
export interface Group<P, Values, Events> extends AssignedGroup<P, Values, Events> {
  /** Adds a rule to this very group: all must allow, wherever it is joined from. */
  allow(policy: Policy<P>): Group<P, Values, Events>;
  allow<R>(policy: Policy<P, R>, resource: (values: Values) => NoInfer<R>): Group<P, Values, Events>;
}

type Schemas = Readonly<Record<string, StandardSchemaV1<unknown, string>>>;
type LooseResource = (values: never) => unknown;

/** @throws TypeError for a template that is none, or schemas that do not fit it */
export function buildGroup<P, Values, Events>(
  pattern: string,
  schemas: Schemas,
  declare: (template: GroupTemplate<P>) => void,
  open: (room: Room<P>) => void,
): GroupDraft<P, Values, Events> {
  const parameters = parsePattern(pattern);
  const given = Object.keys(schemas);
  if (given.length !== parameters.length || !parameters.every((name) => given.includes(name))) {
    throw new TypeError(`group ${pattern}: one schema for each of its parameters`);
  }

  // One template for all that hold it: a rule added later holds for who named the group before, too.
  const requirements: Requirement<P>[] = [];
  let slowRule: WhenSlow | undefined;
  let isRoom = false;
  let memberRequirements: readonly Requirement<P>[] = [];
  const template = declareTemplate<P>(
    Object.freeze({
      pattern,
      parameters,
      requirements,
      get memberRequirements() {
        return memberRequirements;
      },
      get whenSlow() {
        return slowRule;
      },
      get isRoom() {
        return isRoom;
      },
    }),
  );
  declare(template);

  const allow = (policy: Policy<P, never>, resource?: LooseResource): Group<P, Values, Events> => {
    assertPolicy(`group ${pattern}`, policy);
    requirements.push({ policy, resource: resource as Requirement<P>["resource"] });
    return group;
  };
  const whenSlow = (rule: unknown): Group<P, Values, Events> => {
    assertWhenSlow(`group ${pattern}`, rule);
    if (slowRule !== undefined) throw new TypeError(`group ${pattern}: has a rule for slow peers already`);
    slowRule = rule;
    return group;
  };
  const reference = (values: Readonly<Record<string, unknown>> = {}): GroupReference<P, Events> => ({
    template,
    values: readValues(pattern, parameters, schemas, values),
  });
  const room = (build: (draft: RoomDraft<P, Values>) => RoomDraft<P, Values>): Group<P, Values, Events> => {
    if (isRoom) throw new TypeError(`group ${pattern}: is a room already`);
    isRoom = true;
    const opened = buildRoom<P, Values>(template, reference, build);
    memberRequirements = [
      ...Array.from(opened.publications.values(), (each) => [
        ...each.requirements,
        ...each.resourceRequirements,
      ]).flat(),
      ...(opened.presence?.requirements ?? []),
    ];
    open(opened);
    return group;
  };
  const group = Object.assign(reference, { allow, room, whenSlow }) as unknown as Group<P, Values, Events>;
  const draft = { allow, assigned: () => allow(assigned), events: () => draft };
  return draft as unknown as GroupDraft<P, Values, Events>;
}

function readValues(
  pattern: string,
  parameters: readonly string[],
  schemas: Schemas,
  values: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string>> {
  const read: Record<string, string> = {};
  for (const name of parameters) {
    const result = schemas[name]?.["~standard"].validate(values[name]);
    if (result instanceof Promise) throw new TypeError(`group ${pattern}: {${name}} needs a synchronous schema`);
    if (result === undefined || result.issues !== undefined) throw new HubwardError("bad_room");
    read[name] = result.value;
  }
  return Object.freeze(read);
}
