/**
 * Who works here: the one source of roles and departments. Tokens say who somebody is; what that person may do is
 * looked up here, at every connect and recheck, so a token cannot keep a role its holder has lost.
 */

import type { Passwords } from "./passwords.js";
import type { WardId } from "./patients.js";

export const roles = ["doctor", "nurse", "admin"] as const;
export type Role = (typeof roles)[number];

export interface Person {
  /** Signs in with it; `sub` of the tokens. Unique over all tenants. */
  readonly username: string;
  readonly tenant: string;
  readonly roles: readonly Role[];
  readonly department: WardId | null;
}

export const demoPeople: readonly Person[] = [
  { username: "doctor-icu", tenant: "general", roles: ["doctor"], department: "icu" },
  { username: "doctor-er", tenant: "general", roles: ["doctor"], department: "er" },
  { username: "nurse-icu", tenant: "general", roles: ["nurse"], department: "icu" },
  { username: "nurse-er", tenant: "general", roles: ["nurse"], department: "er" },
  { username: "admin", tenant: "general", roles: ["admin"], department: null },
  { username: "visitor", tenant: "general", roles: [], department: null },
  { username: "doctor-annex", tenant: "annex", roles: ["doctor"], department: "icu" },
];

export interface Directory {
  /** A person of that tenant, or undefined. */
  find(tenant: string | undefined, subject: string): Person | undefined;
  /** Everybody of a tenant, with the roles they began with. */
  inTenant(tenant: string): readonly Employment[];
  /**
   * Holds from the call on; resolves when it is kept, with false where there is no such person. What follows from it is
   * for a recheck. @throws (rejects with) what `keep` does: it holds until a restart
   */
  setRoles(tenant: string, subject: string, roles: readonly Role[]): Promise<boolean>;
  /** The person with that name and password. Takes equally long for a wrong password and for an unknown name. */
  signIn(username: string, password: string): Promise<Person | undefined>;
}

export interface Employment {
  readonly person: Person;
  readonly usualRoles: readonly Role[];
}

export interface Account {
  readonly person: Person;
  readonly password: string;
}

/** Roles by name, which is unique over all tenants. */
export type HeldRoles = ReadonlyMap<string, readonly Role[]>;

/** Where changed roles are kept. Those of people who are not here any more are kept on. */
export interface RoleKeeping {
  /** As of the start. */
  readonly held: HeldRoles;
  /**
   * Puts these in the place of what is kept. Resolves when a restart would find them; what is asked for later is kept
   * later. @throws (rejects with) why not: what was kept before is kept
   */
  keep(held: HeldRoles): Promise<void>;
}

const inMemory: RoleKeeping = { held: new Map(), keep: () => Promise.resolve() };

/** @param keeping default: changed roles end with the process */
export async function createDirectory(
  accounts: readonly Account[],
  passwords: Passwords,
  keeping: RoleKeeping = inMemory,
): Promise<Directory> {
  const changed = new Map(keeping.held);
  const entries = await Promise.all(
    accounts.map(async ({ person, password }) => ({
      person: { ...person, roles: changed.get(person.username) ?? person.roles },
      usualRoles: person.roles,
      hash: await passwords.hash(password),
    })),
  );
  const byName = new Map(entries.map((entry) => [entry.person.username, entry]));
  if (byName.size !== entries.length) throw new TypeError("directory: a name twice");
  const entryOf = (tenant: string | undefined, subject: string) => {
    const entry = byName.get(subject);
    return entry?.person.tenant === tenant ? entry : undefined;
  };
  return {
    find: (tenant, subject) => entryOf(tenant, subject)?.person,
    inTenant: (tenant) =>
      entries
        .filter(({ person }) => person.tenant === tenant)
        .map(({ person, usualRoles }) => ({ person, usualRoles })),
    async setRoles(tenant, subject, held) {
      const entry = entryOf(tenant, subject);
      if (entry === undefined) return false;
      entry.person = { ...entry.person, roles: [...held] };
      changed.set(subject, entry.person.roles);
      await keeping.keep(changed);
      return true;
    },
    async signIn(username, password) {
      const entry = byName.get(username);
      return (await passwords.verify(password, entry?.hash)) ? entry?.person : undefined;
    },
  };
}
