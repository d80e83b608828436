/** Roles that administrators have changed, as a file: who held what when the demo ended holds it when it starts again. */

import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { roles, type RoleKeeping } from "./directory.js";

const fileSchema = z.record(z.string(), z.array(z.enum(roles)));

/** @throws (rejects with) an Error when there is a file that cannot be read, or that says something else than roles */
export async function openRoleFile(path: string): Promise<RoleKeeping> {
  const held = new Map(Object.entries(fileSchema.parse(JSON.parse((await readIfThere(path)) ?? "{}"))));
  let last: Promise<void> = Promise.resolve();
  return {
    held,
    keep(later) {
      const text = JSON.stringify(Object.fromEntries(later));
      last = last.catch(() => undefined).then(() => replace(path, text));
      return last;
    },
  };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The old text or the new one, whenever the power fails: a rename takes effect once, and not before its file is whole. */
async function replace(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  const folder = await open(dirname(path));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
