/**
 * The two secrets that outlive a restart: the key that signs access tokens, and the secret that refresh tokens are
 * derived from. Each is a file of its own that nobody but the owner may read.
 */

import { randomBytes } from "node:crypto";
import { chmod, link, mkdir, open, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { KeyObject } from "node:crypto";
import {
  deriveRefreshKey,
  exportSigningKey,
  generateSigningKey,
  importSigningKey,
  type SigningKey,
} from "@hubward/sessions";
import { StartError } from "./start-error.js";

export interface Keys {
  readonly signingKey: SigningKey;
  readonly refreshKey: KeyObject;
}

export const signingKeyFile = "signing-key.json";
export const refreshSecretFile = "refresh-secret";

/**
 * Reads the keys, making those that are missing. Several processes may do so at the same time: all get the same.
 * @throws StartError when the folder or a file in it cannot be used.
 */
export async function openKeys(directory: string): Promise<Keys> {
  await attempt(directory, () => mkdir(directory, { recursive: true, mode: 0o700 }));
  const signingKeyPath = join(directory, signingKeyFile);
  const refreshSecretPath = join(directory, refreshSecretFile);
  const signingKeyText = await openSecret(signingKeyPath, async () => exportSigningKey(await generateSigningKey()));
  const refreshSecret = await openSecret(refreshSecretPath, async () => randomBytes(32).toString("base64url"));
  return {
    signingKey: await attempt(signingKeyPath, async () => importSigningKey(signingKeyText)),
    refreshKey: await attempt(refreshSecretPath, async () => deriveRefreshKey(Buffer.from(refreshSecret, "base64url"))),
  };
}

async function openSecret(path: string, make: () => Promise<string>): Promise<string> {
  return await attempt(path, async () => {
    const found = await readIfThere(path);
    if (found !== undefined) return found;
    await createOnce(path, await make());
    // Read back: another process may have been faster, and its secret is the one.
    return await readFile(path, "utf8");
  });
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    await chmod(path, 0o600);
    return await readFile(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Complete or not at all, and never over a file that is there: a link takes effect once. */
async function createOnce(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
    await link(draft, path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  } finally {
    await file.close();
    await unlink(draft);
  }
}

/** @throws StartError saying which file is meant; what it holds is in no message. */
async function attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const why = codeOf(cause) ?? (cause instanceof Error ? cause.message : "cannot be used");
    throw new StartError(`HUBWARD_DATA: ${path}: ${why}`, { cause });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
