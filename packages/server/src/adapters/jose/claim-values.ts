/** Single claims, read by the rules that hold for every kind of token. */

import type { EpochMs } from "../../core/clock.js";
import { refuseToken } from "./refuse-token.js";
import { ownMember } from "./strict-json.js";

export type Claims = Readonly<Record<string, unknown>>;

/** Longest identifier taken from a claim, in UTF-16 code units. */
const MAX_IDENTIFIER_LENGTH = 512;
/** The last instant a Date can hold (ECMA-262 21.4.1.1). */
const MAX_EPOCH_MS = 8.64e15;
/** Control characters forge log lines; two lone surrogates become the same bytes in every store. */
const UNFIT_FOR_IDENTIFIERS = /[\p{Cc}\p{Cs}]/u;

/** RFC 7519 4.1.3: a string or an array of strings; one of them must be us. */
export function assertAudience(audience: unknown, ours: ReadonlySet<string>): void {
  const named: readonly unknown[] = Array.isArray(audience) ? audience : [audience];
  const isWellFormed = named.every((name) => typeof name === "string");
  if (!isWellFormed || !named.some((name) => ours.has(name))) throw refuseToken("the audience is another");
}

/**
 * A NumericDate (RFC 7519 2: seconds, fractions allowed) in whole milliseconds, rounded down. Numbers that are no
 * instant are refused: a timer armed with 1e308 fires at once.
 * @throws HubwardError `invalid_token`
 */
export function readInstant(claims: Claims, name: string): EpochMs | undefined {
  const value = ownMember(claims, name);
  if (value === undefined) return undefined;
  const ms = typeof value === "number" ? Math.floor(value * 1000) : NaN;
  if (!(ms >= 0 && ms <= MAX_EPOCH_MS)) throw refuseToken("a date is not an instant");
  return ms as EpochMs;
}

/**
 * An identifier of at most 512 code units without control characters, or undefined where it is missing.
 * @throws HubwardError `invalid_token`
 */
export function readIdentifier(claims: Claims, name: string): string | undefined {
  const value = ownMember(claims, name);
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "" || value.length > MAX_IDENTIFIER_LENGTH) {
    throw refuseToken("an identifier is not a string of reasonable length");
  }
  if (UNFIT_FOR_IDENTIFIERS.test(value)) throw refuseToken("an identifier holds control characters or broken Unicode");
  return value;
}

/** The depth was bounded when the JSON was parsed. */
export function freezeDeeply(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const member of Object.values(value)) freezeDeeply(member);
  Object.freeze(value);
}
