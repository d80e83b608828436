/** Where the demo keeps what must not be forgotten: one SQLite file if it is given one, else memory. */

import type { HubwardOptions } from "@hubward/server";
import { createMemorySessionStore, type SessionStore } from "@hubward/sessions";
import {
  createSqliteIdempotencyStore,
  createSqliteRevocationLog,
  createSqliteSessionStore,
  DatabaseError,
  openDatabase,
} from "@hubward/sqlite";
import { StartError } from "./start-error.js";

export interface Stores {
  readonly sessions: SessionStore;
  readonly app: Pick<HubwardOptions, "idempotency" | "revocations">;
  /** Once nobody asks them any more. */
  close(): Promise<void>;
}

/** @throws (rejects with) StartError when the file cannot be used */
export async function openStores(path: string | undefined): Promise<Stores> {
  if (path === undefined) return { sessions: createMemorySessionStore(), app: {}, close: () => Promise.resolve() };
  try {
    const database = await openDatabase({ path });
    const revocations = createSqliteRevocationLog({ database });
    return {
      sessions: createSqliteSessionStore({ database }),
      app: { idempotency: createSqliteIdempotencyStore({ database }), revocations },
      async close() {
        await revocations.close();
        database.close();
      },
    };
  } catch (cause) {
    const why = cause instanceof DatabaseError ? cause.failure : "cannot be used";
    throw new StartError(`CLINIC_DATABASE: ${path}: ${why}`, { cause });
  }
}
