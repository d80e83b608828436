/** Checks that the options of several functions share. Each names the option as a reader wrote it: `jwt.audience`. */

import type { KeySource } from "./key-source.js";

/**
 * Stands in for `aud` where an issuer writes none into access tokens (Amazon Cognito). Weaker than an audience: every
 * service that trusts the same client accepts the same tokens.
 */
export interface ClientAudience {
  /** The token's `client_id` must be one of these. A token that does have an `aud` is refused. */
  readonly clientIds: readonly string[];
}

type AudienceOption = string | readonly string[] | ClientAudience;

/** @throws TypeError */
export function assertKeySource(option: string, keys: KeySource): void {
  if (typeof keys?.find !== "function" || typeof keys.holds !== "function" || !Array.isArray(keys.algorithms)) {
    throw new TypeError(`${option}: a KeySource is needed, such as sharedSecret(bytes) or publicKey(key)`);
  }
}

/** @throws TypeError, RangeError */
export function resolveAudience(
  where: string,
  audience: AudienceOption,
): { readonly audience: ReadonlySet<string>; readonly clientIds: ReadonlySet<string> | undefined } {
  if (isClientAudience(audience)) {
    assertTexts(`${where}.audience.clientIds`, audience.clientIds);
    return { audience: new Set(), clientIds: new Set(audience.clientIds) };
  }
  const names = typeof audience === "string" ? [audience] : audience;
  assertTexts(`${where}.audience`, names);
  return { audience: new Set(names), clientIds: undefined };
}

function isClientAudience(audience: AudienceOption): audience is ClientAudience {
  return typeof audience === "object" && audience !== null && "clientIds" in audience;
}

/** @throws TypeError, RangeError */
export function resolveRequiredClaims(
  where: string,
  claims: Readonly<Record<string, string | readonly string[] | true>>,
): ReadonlyMap<string, ReadonlySet<string> | undefined> {
  const rules = Object.entries(claims).map(([name, value]) => {
    assertText(`${where}.requiredClaims`, name);
    if (value === true) return [name, undefined] as const;
    const values = typeof value === "string" ? [value] : value;
    assertTexts(`${where}.requiredClaims.${name}`, values);
    return [name, new Set(values)] as const;
  });
  return new Map(rules);
}

export function assertText(option: string, value: unknown): void {
  if (typeof value !== "string") throw new TypeError(`${option}: a string is needed`);
  if (value === "") throw new RangeError(`${option}: must not be empty`);
}

export function assertTexts(option: string, values: unknown): void {
  if (!Array.isArray(values)) throw new TypeError(`${option}: a list of strings is needed`);
  if (values.length === 0) throw new RangeError(`${option}: must name at least one`);
  for (const value of values) assertText(option, value);
}

export function assertRange(option: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${option}: a whole number from ${min} to ${max}`);
  }
}
