/** Databases in folders of their own, on every engine this Node has, and processes that can be killed. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { openDatabase, type Database, type DatabaseOptions } from "../src/database.js";
import type { EngineName } from "../src/engine-port.js";

/** Node's own is there from 22.13 on; libsql always, as a development dependency. */
export const engines: readonly EngineName[] =
  process.getBuiltinModule("node:sqlite") === undefined ? ["libsql"] : ["node:sqlite", "libsql"];

/** The path of a database that is not there yet, in a folder that goes with the test. */
export function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "hubward-sqlite-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "hubward.db");
}

/** Opened, and closed with the test at the latest. */
export async function open(options: DatabaseOptions): Promise<Database> {
  const database = await openDatabase(options);
  onTestFinished(() => database.close());
  return database;
}

export interface Child {
  /** The next line it prints; rejects when it ends instead. */
  line(): Promise<string>;
  /** Asks it to go on: the program decides what that means. */
  say(text: string): void;
  kill(): Promise<void>;
  /** Its exit code, once it has ended by itself. */
  readonly ended: Promise<number | null>;
}

/** Starts a program of this folder, which uses the build, as Node runs it. Killed with the test at the latest. */
export function start(program: string, ...args: readonly string[]): Child {
  const child = spawn(process.execPath, ["--no-warnings", join(import.meta.dirname, program), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  onTestFinished(kill);
  return {
    async line() {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`${program} ended without a word`);
      return String(value);
    },
    say: (text) => void child.stdin.write(`${text}\n`),
    kill,
    ended,
  };
}
