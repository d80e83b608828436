/** A user's empty project, with the packed packages installed: nothing of this repository is in reach. */

import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packInto, pinned, root } from "./published.js";
import { run } from "./run.js";

export interface UserProject {
  readonly folder: string;
  /** Type-checks a file as a user would, `skipLibCheck` off. Rejects with the compiler's words. */
  typeCheck(file: string, settings: Readonly<Record<string, string>>): Promise<string>;
  remove(): Promise<void>;
}

/** What a user has beside Hubward. No optional peer: that somebody has none must break nothing. */
const companions = ["@microsoft/signalr", "jose", "valibot", "@types/node"];

export async function createUserProject(): Promise<UserProject> {
  const folder = await mkdtemp(join(tmpdir(), "hubward-user-"));
  const tarballs = join(folder, "tarballs");
  await mkdir(tarballs);
  const packed = await packInto(tarballs);
  const dependencies = {
    ...Object.fromEntries(Array.from(packed, ([name, tarball]) => [name, `file:${tarball}`])),
    ...Object.fromEntries(companions.map((name) => [name, pinned(name)])),
  };
  const manifest = { name: "user-project", private: true, type: "module", dependencies };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest, undefined, 2));
  await cp(join(import.meta.dirname, "../programs"), folder, { recursive: true });
  const quiet = ["--no-audit", "--no-fund", "--loglevel", "error"];
  await run("npm", ["install", "--ignore-scripts", "--prefer-offline", ...quiet], folder);
  return {
    folder,
    async typeCheck(file, settings) {
      const compilerOptions = { strict: true, skipLibCheck: false, noEmit: true, types: ["node"], ...settings };
      const config = `tsconfig.${settings["module"]}.${file}.json`;
      await writeFile(join(folder, config), JSON.stringify({ compilerOptions, files: [file] }));
      return run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", config], folder);
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
