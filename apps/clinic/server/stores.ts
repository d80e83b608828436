/** Where the demo keeps what must not be forgotten: one SQLite file, and one beside it, if it is given one; else memory. */

import type { HubwardOptions } from "@hubward/server";
import { createMemorySessionStore, type SessionStore } from "@hubward/sessions";
import {
  createSqliteIdempotencyStore,
  createSqliteRevocationLog,
  createSqliteSessionStore,
  DatabaseError,
  openDatabase,
} from "@hubward/sqlite";
import type { RoleKeeping } from "./directory.js";
import { openRoleFile } from "./role-file.js";
import { StartError } from "./start-error.js";
import { readSuspended } from "./suspensions.js";

export interface Stores {
  readonly sessions: SessionStore;
  readonly app: Pick<HubwardOptions, "idempotency" | "revocations">;
  /** Undefined: roles are as they were declared, at every start. */
  readonly roles: RoleKeeping | undefined;
  /** Keys of those who are suspended, as of the start. */
  readonly suspended: Set<string>;
  /** Once nobody asks them any more. */
  close(): Promise<void>;
}

/** @throws (rejects with) StartError when a file cannot be used */
export async function openStores(path: string | undefined): Promise<Stores> {
  if (path === undefined) {
    const sessions = createMemorySessionStore();
    return { sessions, app: {}, roles: undefined, suspended: new Set(), close: () => Promise.resolve() };
  }
  const rolesPath = `${path}.roles.json`;
  const roles = await attempt(rolesPath, () => openRoleFile(rolesPath));
  return await attempt(path, async () => {
    const database = await openDatabase({ path });
    const revocations = createSqliteRevocationLog({ database });
    return {
      sessions: createSqliteSessionStore({ database }),
      app: { idempotency: createSqliteIdempotencyStore({ database }), revocations },
      roles,
      suspended: await readSuspended(revocations),
      async close() {
        await revocations.close();
        database.close();
      },
    };
  });
}

/** @throws StartError saying which file is meant; what it holds is in no message */
async function attempt<T>(path: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    const why = cause instanceof DatabaseError ? cause.failure : "cannot be used";
    throw new StartError(`CLINIC_DATABASE: ${path}: ${why}`, { cause });
  }
}
