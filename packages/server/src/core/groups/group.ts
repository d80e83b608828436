/** Groups: declared templates such as `ward/{ward}`, each with the one rule that decides who is in. */

import type { Brand } from "../ids.js";
import { joinKey } from "../ids.js";
import type { Policy, Requirement } from "../auth/policy.js";
import type { WhenSlow } from "./when-slow.js";

/** One group of one tenant as a collision-free string. */
export type GroupKey = Brand<string, "GroupKey">;

/** In which group somebody is, and for which principal version that was last judged. */
export interface Judged {
  readonly reference: GroupPlace;
  readonly judgedVersion: number;
}

/**
 * What somebody is told about a group by a rule of its own, beside what is said in it: frames of a key of its own. They
 * pass only with both, the view's rule and the membership, judged for the present principal.
 */
export interface View extends Judged {
  /** The group it is a view of. */
  readonly of: GroupKey;
}

/** A declared kind of group. */
export interface GroupTemplate<P> {
  /** As declared: `ward/{ward}`. */
  readonly pattern: string;
  readonly parameters: readonly string[];
  /** All must allow; the rule holds wherever the group is joined from. Without any nobody can join. */
  readonly requirements: readonly Requirement<P>[];
  /** What members are asked beside, for what they may do there: publish, see who is there. Default nothing. */
  readonly memberRequirements?: readonly Requirement<P>[] | undefined;
  /** What becomes of its events for a peer that does not keep up. Default `close`. */
  readonly whenSlow?: WhenSlow | undefined;
  /** Whether plain WebSockets may be in it. What is said there is then for everybody in it, whichever hub says so. */
  readonly isRoom?: boolean | undefined;
}

/** One group, not yet of any tenant: the tenant comes from who joins or sends. */
export interface GroupReference<P, Events = unknown> {
  readonly template: GroupTemplate<P>;
  readonly values: Readonly<Record<string, string>>;
  /** Exists in types only: the events declared for the group. */
  readonly events?: Events;
}

/**
 * The rule of groups whose members the application itself chooses: it has said yes by joining them. A membership
 * holds until it is taken or the connection ends, whoever the connection becomes meanwhile. A protocol in which peers
 * name the group to join must refuse those that have this rule.
 */
export const assigned: Policy<unknown> = Object.freeze({
  name: "assigned",
  message: undefined,
  check: () => true,
});

/** Templates somebody declared: what a peer sends in the shape of a reference names none of them. */
const declared = new WeakSet<object>();

export function declareTemplate<P>(template: GroupTemplate<P>): GroupTemplate<P> {
  declared.add(template);
  return template;
}

/** Which group, without whose rule it has or which tenant's it is. */
export interface GroupPlace {
  readonly template: { readonly pattern: string; readonly whenSlow?: WhenSlow | undefined };
  readonly values: Readonly<Record<string, string>>;
}

/** As a person reads it: `ward/icu`. Not a key: two tenants have groups of one name. */
export function groupName({ template, values }: GroupPlace): string {
  return template.pattern.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
}

/** Longest value of one parameter, in UTF-16 units. */
const MAX_VALUE_LENGTH = 128;

/**
 * The key of a group in one tenant. Values must be well-formed Unicode in NFC, so that two names that look or
 * encode the same are the same. @throws TypeError otherwise.
 */
export function groupKey<P>(tenant: string | undefined, { template, values }: GroupReference<P>): GroupKey {
  if (!declared.has(template)) throw new TypeError("group: a reference that no declared group made");
  const parts: (string | undefined)[] = [tenant, template.pattern];
  for (const name of template.parameters) {
    const value = values[name];
    if (typeof value !== "string" || value.length === 0 || value.length > MAX_VALUE_LENGTH || !isPlainName(value)) {
      throw new TypeError(
        `group ${template.pattern}: {${name}} must be 1 to ${MAX_VALUE_LENGTH} characters of well-formed NFC text`,
      );
    }
    parts.push(value);
  }
  return joinKey(parts) as GroupKey;
}

// Lone surrogates would collapse to one replacement character when encoded; control characters forge log lines.
const UNSAFE = /[\p{Cc}\p{Cs}]/u;

/** Printable ASCII is both, and nearly every name is nothing else. */
const ASCII = /^[\x20-\x7e]*$/;

function isPlainName(value: string): boolean {
  if (ASCII.test(value)) return true;
  return !UNSAFE.test(value) && value.normalize("NFC") === value;
}

const PATTERN = /^[a-z][\w-]*(?:\/(?:[\w-]+|\{\w+\}))*$/i;

/** Reads the parameters out of a template. @throws TypeError for a pattern that is none. */
export function parsePattern(pattern: string): readonly string[] {
  if (!PATTERN.test(pattern))
    throw new TypeError(`group: ${JSON.stringify(pattern)} is not a template such as "ward/{ward}"`);
  const names = [...pattern.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string);
  if (new Set(names).size !== names.length) throw new TypeError(`group: ${pattern} names a parameter twice`);
  return names;
}
