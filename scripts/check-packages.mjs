/**
 * What users will install, as npm would pack it: publint, are-the-types-wrong, size limits, and no install
 * scripts anywhere in the lock file. Run after a build.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const run = (command, args, options = {}) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], ...options });

const problems = [];
const attempt = (label, work) => {
  try {
    work();
    console.log(`ok    ${label}`);
  } catch (error) {
    problems.push(label);
    console.error(
      `WRONG ${label}\n${error.stdout ?? ""}${error.stderr ?? ""}${error.stdout === undefined ? error : ""}`,
    );
  }
};

const packed = mkdtempSync(join(tmpdir(), "hubward-pack-"));
try {
  for (const folder of readdirSync("packages", { withFileTypes: true })) {
    if (!folder.isDirectory()) continue;
    const path = join("packages", folder.name);
    const [{ filename, files }] = JSON.parse(
      run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", packed, `./${path}`]),
    );
    const tarball = join(packed, filename.replace("@", "").replace("/", "-"));
    attempt(`${path}: no tests, no build leftovers in the tarball`, () => {
      const stray = files.map((file) => file.path).filter((file) => /\.test\.|tsbuildinfo|tsconfig/.test(file));
      if (stray.length > 0) throw new Error(stray.join("\n"));
      if (!files.some((file) => /^dist\/.*\.d\.ts$/.test(file.path))) throw new Error("nothing was built");
    });
    attempt(`${path}: publint`, () => run("npx", ["publint", "--strict", tarball]));
    attempt(`${path}: types resolve`, () => run("npx", ["attw", "--profile", "esm-only", tarball]));
  }
  attempt("size limits", () => console.log(run("npx", ["size-limit"])));
  attempt("no install scripts in the lock file", () => {
    const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
    const found = Object.entries(packages).filter(
      ([, entry]) => entry.hasInstallScript === true && entry.optional !== true,
    );
    if (found.length > 0) throw new Error(found.map(([name]) => name).join("\n"));
  });
} finally {
  rmSync(packed, { recursive: true, force: true });
}
if (problems.length > 0) {
  console.error(`\n${problems.length} problem(s): ${problems.join("; ")}`);
  process.exit(1);
}
