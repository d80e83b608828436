/** Branded identifiers and the key under which an identity is compared. */

declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Public name of one accepted connection; safe in logs. */
export type ConnectionId = Brand<string, "ConnectionId">;

/** Who, everywhere: addressing, idempotency, revocation and re-authentication compare all three. */
export interface Identity {
  /** Absent in applications without tenants. */
  readonly tenant: string | undefined;
  readonly issuer: string;
  readonly subject: string;
}

/** An identity as one collision-free string (every part is length-prefixed). */
export type IdentityKey = Brand<string, "IdentityKey">;

export function identityKey({ tenant, issuer, subject }: Identity): IdentityKey {
  return joinKey([tenant, issuer, subject]) as IdentityKey;
}

/** What sends to a principal go by; never what security decisions compare, which is the {@link IdentityKey}. */
export type PrincipalAddress = Brand<string, "PrincipalAddress">;

/** Within one tenant and one issuer, so that no provider's people can be taken for another's. */
export interface AddressedPrincipal {
  readonly tenant: string | undefined;
  readonly issuer: string;
  /** The subject, or what the application calls this principal instead. */
  readonly principalId: string;
}

/** The same text as the identity's key where the principal goes by its subject. */
export function principalAddress({ tenant, issuer, principalId }: AddressedPrincipal): PrincipalAddress {
  return joinKey([tenant, issuer, principalId]) as PrincipalAddress;
}

/** Joins parts so that no two different lists give the same string. `undefined` differs from the empty string. */
export function joinKey(parts: readonly (string | undefined)[]): string {
  let key = "";
  for (const part of parts) key += part === undefined ? "-" : `${part.length}:${part}`;
  return key;
}

export function sameIdentity(a: Identity, b: Identity): boolean {
  return a.subject === b.subject && a.issuer === b.issuer && a.tenant === b.tenant;
}
