/** Other versions of Node, from the npm registry: the package `node` brings the binary. */

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/**
 * The environment without the settings npm hands to whatever it starts. With this repository's `ignore-scripts`
 * among them, the package `node` does not lay its binary down, and `npx node@22` runs another version.
 */
export const plainEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)),
);

/** `version`: `22`, or `20.19`. Returns `{ path, version }`, or `{ missing }` with the reason. */
export async function findNode(version) {
  // A folder of its own, because npm would read this repository's .npmrc, too.
  const folder = await mkdtemp(join(tmpdir(), "hubward-node-"));
  try {
    const script = "console.log(JSON.stringify([process.execPath, process.version]))";
    const args = ["--yes", "--ignore-scripts=false", `node@${version}`, "-e", script];
    const { stdout } = await promisify(execFile)("npx", args, { cwd: folder, env: plainEnvironment });
    const [path, found] = JSON.parse(stdout);
    if (found.startsWith(`v${version}.`)) return { path, version: found };
    return { missing: `npx node@${version} is ${found}: it was installed without scripts once (npm cache npx rm)` };
  } catch (error) {
    const why = /^npm error .*/m.exec(error.stderr)?.[0] ?? error.message;
    return { missing: `npx node@${version} failed: ${why}` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
