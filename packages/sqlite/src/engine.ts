/** The SQLite that is there: Node's own from 22.13 on, else the optional peer libsql. */

import type { Engine, EngineConnection, EngineName } from "./engine-port.js";
import { libsqlEngine, type LibsqlClass } from "./libsql.js";

type NodeClass = new (path: string) => EngineConnection;

/**
 * @param name only this one; without it the first that is there.
 * @throws (rejects with) Error that names what to install.
 */
export async function loadEngine(name?: EngineName): Promise<Engine> {
  const engine =
    (name === "libsql" ? undefined : loadNode()) ?? (name === "node:sqlite" ? undefined : await loadLibsql());
  if (engine !== undefined) return engine;
  const node = "node:sqlite needs Node 22.13 or later";
  if (name === "node:sqlite") throw new Error(`no SQLite: ${node}, this is ${process.version}`);
  throw new Error(`no SQLite: ${node}, this is ${process.version}; install its stand-in: npm install libsql@0.5.29`);
}

function loadNode(): Engine | undefined {
  const builtin = process.getBuiltinModule("node:sqlite") as { readonly DatabaseSync: NodeClass } | undefined;
  if (builtin === undefined) return undefined;
  const { DatabaseSync } = builtin;
  return { name: "node:sqlite", connect: (path) => new DatabaseSync(path) };
}

async function loadLibsql(): Promise<Engine | undefined> {
  const Connection = await importLibsql();
  return Connection === undefined ? undefined : libsqlEngine(Connection);
}

async function importLibsql(): Promise<LibsqlClass | undefined> {
  try {
    // Named through a variable: whoever has no need of it can compile and bundle without it.
    const specifier: string = "libsql";
    const { default: Connection } = (await import(specifier)) as { readonly default: LibsqlClass };
    return Connection;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw new Error("libsql is installed, but does not load on this platform", { cause: error });
  }
}
